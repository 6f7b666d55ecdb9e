import ApusReactor
import Glibc
import Testing

@testable import ApusLoad

@Suite struct MeasuredIntervalTests {
    private let start = Instant(nanoseconds: 1_000 * .second)

    private func interval(serverPID: Int32?) throws -> MeasuredInterval {
        try MeasuredInterval(warmup: 2 * .second, duration: 5 * .second, serverPID: serverPID, at: start)
    }

    @Test func `the warm-up is not measured, and the end is when it was noticed`() throws {
        var interval = try interval(serverPID: nil)
        #expect(interval.end == start + 2 * .second)
        #expect(!interval.measures(start + .second))
        let begin = start + 2 * .second + .millisecond
        try interval.beginMeasuring(at: begin)
        #expect(interval.end == begin + 5 * .second)
        #expect(interval.measures(begin) && !interval.measures(start + 2 * .second))
        try interval.finish(at: begin + 6 * .second)
        #expect(interval.seconds == 6)
        #expect(interval.measures(begin + 5 * .second) && !interval.measures(begin + 6 * .second))
    }

    @Test func `the server's time and memory are those of its process`() throws {
        var interval = try interval(serverPID: getpid())
        try interval.beginMeasuring(at: start)
        var sum: UInt64 = 0
        for number in 0..<UInt64(3_000_000) { sum ^= number &* number }
        #expect(sum != 1)
        try interval.finish(at: start + .second)
        let generator = interval.generatorReport()
        #expect(generator.cpuUserSeconds + generator.cpuSystemSeconds > 0)
        let server = try #require(try interval.serverReport())
        #expect(server.pid == getpid())
        #expect(server.cpuUserSeconds + server.cpuSystemSeconds >= 0)
        #expect(0...1 ~= server.userShare)
        #expect(server.rssBytes > 100_000)
    }

    @Test func `without a process there is no report of one`() throws {
        var interval = try interval(serverPID: nil)
        try interval.beginMeasuring(at: start)
        try interval.finish(at: start + .second)
        #expect(try interval.serverReport() == nil)
    }

    @Test func `a process that is not there is reported at once`() {
        // Process numbers end at 2^22.
        #expect(throws: LoadError.self) { _ = try interval(serverPID: 5_000_000) }
    }

    @Test func `time per count is in microseconds`() {
        let time = CPUTime(user: 1_000_000, system: 2_000_000)
        #expect(MeasuredInterval.microseconds(time, per: 1000) == 3)
        #expect(MeasuredInterval.microseconds(time, per: 0) == 0)
    }

    @Test func `progress is told once a period, as a rate since the last time`() {
        var clock = ProgressClock(at: start)
        clock.add(500)
        #expect(clock.countPerSecond(at: start + (.second - 1)) == nil)
        #expect(clock.countPerSecond(at: start + 2 * .second) == 250)
        #expect(clock.countPerSecond(at: start + 2 * .second) == nil)
        clock.add(100)
        #expect(clock.countPerSecond(at: start + 3 * .second) == 100)
    }
}
