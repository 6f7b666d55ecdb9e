// Points in time on CLOCK_MONOTONIC, in nanoseconds. Wall-clock time never enters the loop.

/// Nanoseconds since an arbitrary, fixed start. Time is a parameter: only a ring reads the clock.
package struct Instant: Comparable, BitwiseCopyable, Sendable {
    package var nanoseconds: UInt64

    @inline(__always)
    package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    @inline(__always)
    package static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }

    /// Saturates at the end of time, which is how "never" is written.
    @inline(__always)
    package static func + (left: Instant, right: Nanoseconds) -> Instant {
        let (sum, overflow) = left.nanoseconds.addingReportingOverflow(right)
        return Instant(nanoseconds: overflow ? UInt64.max : sum)
    }

    /// The time from `right` to `left`; zero when `right` is later.
    @inline(__always)
    package static func - (left: Instant, right: Instant) -> Nanoseconds {
        left.nanoseconds > right.nanoseconds ? left.nanoseconds - right.nanoseconds : 0
    }

    package static let never = Instant(nanoseconds: UInt64.max)
}

/// A length of time.
package typealias Nanoseconds = UInt64

extension Nanoseconds {
    package static let second: Nanoseconds = 1_000_000_000
    package static let millisecond: Nanoseconds = 1_000_000

    /// Negative durations are zero.
    package init(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        self = seconds < 0 ? 0 : UInt64(seconds) * .second + UInt64(Swift.max(0, attoseconds)) / 1_000_000_000
    }
}
