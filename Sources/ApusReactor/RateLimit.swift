// So many events a second, and so many of them at once, in one number for each of those who are limited.

/// A token bucket that stores the time at which it will be full again: each event puts that time off by one interval,
/// and none may put it off further than the burst is worth.
package struct RateLimit: BitwiseCopyable, Sendable {
    private let interval: Nanoseconds
    private let tolerance: Nanoseconds

    /// - Parameters:
    ///   - perSecond: 1 … 1,000,000,000.
    ///   - burst: events that may come at once, at least 1.
    package init(perSecond: Int, burst: Int) {
        precondition(1...1_000_000_000 ~= perSecond && 1...Int(Int32.max) ~= burst, "a rate and a burst")
        interval = .second / Nanoseconds(perSecond)
        tolerance = interval * Nanoseconds(burst - 1)
    }

    /// When the bucket is full again after one more event; nil: it is not allowed.
    /// - Parameter full: when it was to be full before; a time that is past stands for full.
    @inline(__always)
    package func admit(_ full: Instant, at now: Instant) -> Instant? {
        let debt = full - now
        return debt > tolerance ? nil : max(full, now) + interval
    }
}
