// What a run tells while it is under way, once a second.

import ApusReactor

package struct LoadProgress: Equatable, Sendable {
    package var isWarmup: Bool
    /// Since the warm-up or the measured time began.
    package var elapsedSeconds: Double
    /// Messages, or connections, in the time since the last report.
    package var countPerSecond: Double
    /// Of all that is recorded so far, in microseconds.
    package var p99: Double
}

/// Decides when there is something to tell.
struct ProgressClock {
    static let period: Nanoseconds = .second

    private var told: Instant
    private var count = 0
    private(set) var next: Instant

    init(at now: Instant) {
        told = now
        next = now + ProgressClock.period
    }

    mutating func add(_ count: Int) { self.count += count }

    /// How many a second it were since it was asked last; nil while that is not a period ago.
    mutating func countPerSecond(at now: Instant) -> Double? {
        guard now >= next else { return nil }
        let rate = Double(count) / (now - told).seconds
        self = ProgressClock(at: now)
        return rate
    }
}
