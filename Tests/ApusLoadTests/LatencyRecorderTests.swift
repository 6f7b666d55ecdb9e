import ApusReactor
import Testing

@testable import ApusLoad

@Suite struct LatencyRecorderTests {
    @Test func `nothing recorded is all zero`() {
        #expect(LatencyRecorder().report == .empty)
        #expect(LatencyRecorder().microseconds(atPercentile: 99) == 0)
    }

    @Test func `a batch counts as many times as it has replies, in microseconds`() {
        var recorder = LatencyRecorder()
        recorder.record(10_000, count: 900)
        recorder.record(20_000, count: 95)
        recorder.record(5_000_000, count: 5)
        let report = recorder.report
        #expect(recorder.count == 1000)
        #expect(isClose(report.p50, 10) && isClose(report.p90, 10) && isClose(report.p99, 20))
        #expect(isClose(report.p999, 5000) && report.max == 5000)
        #expect(isClose(report.min, 10))
        #expect(isClose(report.mean, 35.9))
    }

    @Test func `values below a microsecond keep three digits`() {
        var recorder = LatencyRecorder()
        recorder.record(731, count: 1)
        #expect(recorder.report.p50 == 0.731)
    }

    @Test func `what takes longer than a minute counts as a minute`() {
        var recorder = LatencyRecorder()
        recorder.record(3600 * .second, count: 2)
        recorder.record(.max, count: 1)
        #expect(recorder.count == 3)
        #expect(recorder.report.max == 60e6)
    }

    /// Within the histogram's three digits.
    private func isClose(_ value: Double, _ expected: Double) -> Bool { abs(value - expected) <= expected / 1000 }
}
