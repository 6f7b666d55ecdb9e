// How long replies took, as a histogram: recorded by batch, without allocation.

import ApusReactor
import Histogram

struct LatencyRecorder {
    /// What takes longer counts as this long: 60 s.
    static let latencyMax: Nanoseconds = 60 * .second

    /// In nanoseconds, three digits: a thousandth of the value, also below a microsecond.
    private var histogram = Histogram<UInt64>(
        lowestDiscernibleValue: 1, highestTrackableValue: latencyMax, numberOfSignificantValueDigits: .three)

    var count: UInt64 { histogram.totalCount }

    @inline(__always)
    mutating func record(_ latency: Nanoseconds, count: Int) {
        // The histogram's range ends where the value is clamped, so it refuses none.
        histogram.record(min(latency, LatencyRecorder.latencyMax), count: UInt64(count))
    }

    mutating func reset() { histogram.reset() }

    /// Zero while nothing is recorded.
    func microseconds(atPercentile percentile: Double) -> Double {
        histogram.totalCount == 0 ? 0 : Double(histogram.valueAtPercentile(percentile)) / 1e3
    }

    var report: LatencyReport {
        guard histogram.totalCount > 0 else { return .empty }
        return LatencyReport(
            min: Double(histogram.min) / 1e3,
            mean: histogram.mean / 1e3,
            p50: microseconds(atPercentile: 50),
            p90: microseconds(atPercentile: 90),
            p99: microseconds(atPercentile: 99),
            p999: microseconds(atPercentile: 99.9),
            max: Double(histogram.maxRecorded) / 1e3)
    }
}
