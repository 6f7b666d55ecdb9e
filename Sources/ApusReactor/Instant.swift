// Points in time on CLOCK_MONOTONIC, in nanoseconds. Wall-clock time never enters the loop.

/// Nanoseconds since an arbitrary, fixed start. Time is a parameter: only a ring reads the clock.
public struct Instant: Comparable, BitwiseCopyable, Sendable {
    public var nanoseconds: UInt64

    @inlinable
    public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    @inlinable
    public static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }

    /// Saturates at the end of time, which is how "never" is written.
    @inlinable
    public static func + (left: Instant, right: Nanoseconds) -> Instant {
        let (sum, overflow) = left.nanoseconds.addingReportingOverflow(right)
        return Instant(nanoseconds: overflow ? UInt64.max : sum)
    }

    /// The time from `right` to `left`; zero when `right` is later.
    @inlinable
    public static func - (left: Instant, right: Instant) -> Nanoseconds {
        left.nanoseconds > right.nanoseconds ? left.nanoseconds - right.nanoseconds : 0
    }

    @inlinable public static var never: Instant { Instant(nanoseconds: UInt64.max) }
}

/// A length of time.
public typealias Nanoseconds = UInt64

extension Nanoseconds {
    @inlinable public static var second: Nanoseconds { 1_000_000_000 }
    @inlinable public static var millisecond: Nanoseconds { 1_000_000 }

    /// Negative durations are zero, those beyond 584 years are that.
    public init(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        let (whole, overflow) = UInt64(clamping: seconds).multipliedReportingOverflow(by: .second)
        let (sum, carry) = whole.addingReportingOverflow(UInt64(clamping: attoseconds) / 1_000_000_000)
        self = overflow || carry ? UInt64.max : sum
    }
}
