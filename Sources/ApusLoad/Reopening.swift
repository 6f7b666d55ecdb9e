// The connections of a set that wait to be made anew, and since when trying is worth while. It opens nothing.

import ApusReactor

struct Reopening {
    /// What was refused now is refused again at once.
    private static let pause: Nanoseconds = 10 * .millisecond

    private var indices: [Int] = []
    private var pausedUntil = Instant(nanoseconds: 0)
    /// Connections that were made anew.
    private(set) var count = 0

    init(capacity: Int) { indices.reserveCapacity(capacity) }

    var isEmpty: Bool { indices.isEmpty }

    /// When to try next; `.never` while nobody waits.
    var next: Instant { indices.isEmpty ? .never : pausedUntil }

    mutating func add(_ index: Int) { indices.append(index) }

    mutating func pause(at now: Instant) { pausedUntil = now + Reopening.pause }

    mutating func noteOpened() { count += 1 }

    /// The next to try; nil when none waits, or it is too early.
    mutating func take(at now: Instant) -> Int? { now >= pausedUntil ? indices.popLast() : nil }
}
