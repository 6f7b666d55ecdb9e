// The time a record carries and the time its repeats are counted in. Tests give their own.

import Glibc

struct LogClock: Sendable {
    /// Microseconds since 1970, UTC.
    let wallMicroseconds: @Sendable () -> Int64
    /// Nanoseconds since an arbitrary, fixed start; never goes back.
    let monotonicNanoseconds: @Sendable () -> UInt64

    static let system = LogClock(
        wallMicroseconds: {
            let time = LogClock.read(CLOCK_REALTIME)
            return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
        },
        monotonicNanoseconds: {
            let time = LogClock.read(CLOCK_MONOTONIC)
            return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
        })

    private static func read(_ clock: clockid_t) -> timespec {
        var time = timespec()
        // Fails only for a clock that does not exist.
        clock_gettime(clock, &time)
        return time
    }
}
