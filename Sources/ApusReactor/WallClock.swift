// The time of day. Loops count in `Instant`; only what the protocol dates needs this one.

import Glibc

public enum WallClock {
    /// Milliseconds since 1970, UTC; zero before that.
    public static func milliseconds() -> UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        guard time.tv_sec >= 0 else { return 0 }
        // 2^64 milliseconds are 584 million years.
        return UInt64(time.tv_sec) &* 1000 &+ UInt64(time.tv_nsec) / 1_000_000
    }

    /// Microseconds since 1970, UTC; zero before that.
    package static func microseconds() -> UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        guard time.tv_sec >= 0 else { return 0 }
        // 2^64 microseconds are half a million years.
        return UInt64(time.tv_sec) &* 1_000_000 &+ UInt64(time.tv_nsec) / 1000
    }
}
