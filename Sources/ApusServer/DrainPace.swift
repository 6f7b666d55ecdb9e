// When which part of the peers is told to leave, so that they do not all come back somewhere else in one moment.

import ApusReactor

/// The peers of a shard spread evenly over a window, the first at once.
struct DrainPace: BitwiseCopyable {
    private var start = Instant(nanoseconds: 0)
    /// From one peer to the next.
    private var step: Nanoseconds = 1
    private var peerCount: UInt64 = 0
    private var dueCount: UInt64 = 0
    private(set) var end = Instant(nanoseconds: 0)

    mutating func begin(peerCount: Int, over window: Nanoseconds, at now: Instant) {
        start = now
        end = now + window
        self.peerCount = UInt64(peerCount)
        step = max(1, window / max(1, self.peerCount))
        dueCount = 0
    }

    /// How many more peers it is time for; nil: all that are left.
    mutating func peersDue(at now: Instant) -> UInt64? {
        guard now < end, dueCount < peerCount else { return nil }
        let due = min(peerCount, (now - start) / step + 1)
        defer { dueCount = due }
        return due - min(due, dueCount)
    }

    /// When to ask again.
    var next: Instant { min(end, start + dueCount * step) }
}
