// How long things took, in buckets that double: one thread adds, anyone reads. Adding is three stores and no lock.

import Synchronization

/// Bounds of 2^10, 2^11 … 2^33 nanoseconds (1 µs to 8.6 s), and one bucket for what took longer.
package struct LatencyHistogram: ~Copyable, Sendable {
    package static let boundCount = 24
    private static let firstExponent = 10

    // One counter a bucket, in memory of its own that lives as long as its owner; atomic, so any thread may read.
    private nonisolated(unsafe) let buckets: UnsafeMutablePointer<Counter>
    private let sum = Counter()

    package init() {
        buckets = .allocate(capacity: LatencyHistogram.boundCount + 1)
        for index in 0...LatencyHistogram.boundCount { (buckets + index).initialize(to: Counter()) }
    }

    deinit {
        buckets.deinitialize(count: LatencyHistogram.boundCount + 1)
        buckets.deallocate()
    }

    /// So many things took so long.
    @inline(__always)
    func add(_ nanoseconds: UInt64, count: UInt64 = 1) {
        buckets[LatencyHistogram.bucket(of: nanoseconds)].add(count)
        // Wraps after 584 years of waiting.
        sum.add(nanoseconds &* count)
    }

    /// The first bucket whose bound is not below; bounds are inclusive.
    @inline(__always)
    package static func bucket(of nanoseconds: UInt64) -> Int {
        guard nanoseconds > 1 else { return 0 }
        let bits = UInt64.bitWidth - (nanoseconds - 1).leadingZeroBitCount
        return min(max(0, bits - firstExponent), boundCount)
    }

    /// The bound of a bucket, inclusive; the last bucket has none.
    package static func boundNanoseconds(_ bucket: Int) -> UInt64 { 1 << UInt64(firstExponent + bucket) }

    package var snapshot: HistogramSnapshot {
        HistogramSnapshot(
            counts: (0...LatencyHistogram.boundCount).map { buckets[$0].count }, sumNanoseconds: sum.count)
    }
}

/// A histogram at one moment. A value: the histograms of several loops add up.
public struct HistogramSnapshot: Equatable, Sendable {
    /// Which bounds it has, and the unit that they and the sum are told in.
    public enum Scale: Sendable {
        case seconds, milliseconds
    }

    public let scale: Scale
    /// By bucket, not cumulative; one more than there are bounds.
    public private(set) var counts: [UInt64]
    public private(set) var sumNanoseconds: UInt64

    package init(counts: [UInt64], sumNanoseconds: UInt64) {
        (scale, self.counts) = (.seconds, counts)
        self.sumNanoseconds = sumNanoseconds
    }

    /// - Parameter milliseconds: one more than there are `boundsMilliseconds`.
    package init(milliseconds counts: [UInt64], sumNanoseconds: UInt64) {
        precondition(counts.count == HistogramSnapshot.boundsMilliseconds.count + 1)
        (scale, self.counts) = (.milliseconds, counts)
        self.sumNanoseconds = sumNanoseconds
    }

    static let empty = HistogramSnapshot(
        counts: Array(repeating: 0, count: LatencyHistogram.boundCount + 1), sumNanoseconds: 0)
    static let emptyMilliseconds = HistogramSnapshot(
        milliseconds: Array(repeating: 0, count: boundsMilliseconds.count + 1), sumNanoseconds: 0)

    public var count: UInt64 { counts.reduce(0, +) }
    public var sumSeconds: Double { Double(sumNanoseconds) / 1e9 }

    /// In its unit.
    public var sum: Double {
        switch scale {
        case .seconds: sumSeconds
        case .milliseconds: Double(sumNanoseconds) / 1e6
        }
    }

    /// The upper bounds of all its buckets but the last, in its unit.
    public var bounds: [Double] {
        switch scale {
        case .seconds: HistogramSnapshot.boundsSeconds
        case .milliseconds: HistogramSnapshot.boundsMilliseconds
        }
    }

    /// Those of the relatives of our relay (relay.md §3.7).
    public static let boundsMilliseconds: [Double] = [0.1, 0.5, 1, 5, 10, 50, 100, 500, 1000, 5000, 10_000]

    /// The upper bounds of all buckets but the last, in seconds.
    public static let boundsSeconds: [Double] = (0..<LatencyHistogram.boundCount).map {
        Double(LatencyHistogram.boundNanoseconds($0)) / 1e9
    }

    /// By bucket, each with those before it.
    public var cumulativeCounts: [UInt64] {
        var sum: UInt64 = 0
        return counts.map { count in
            sum += count
            return sum
        }
    }

    static func + (left: HistogramSnapshot, right: HistogramSnapshot) -> HistogramSnapshot {
        precondition(left.scale == right.scale, "histograms of different bounds do not add up")
        var sum = left
        sum.counts = zip(left.counts, right.counts).map { $0 + $1 }
        sum.sumNanoseconds = left.sumNanoseconds &+ right.sumNanoseconds
        return sum
    }
}
