// How long things took, in the buckets that dashboards of NetBird's and openZro's relays expect (relay.md §3.7): one
// thread adds, anyone reads.

import Synchronization

/// Bounds of 0.1 ms to 10 s, and one bucket for what took longer.
package struct MillisecondHistogram: ~Copyable, Sendable {
    /// Inclusive, in nanoseconds.
    static let boundsNanoseconds: [UInt64] = HistogramSnapshot.boundsMilliseconds.map { UInt64($0 * 1e6) }

    // One counter a bucket, in memory of its own that lives as long as its owner; atomic, so any thread may read.
    private nonisolated(unsafe) let buckets: UnsafeMutablePointer<Counter>
    private let sum = Counter()

    package init() {
        let count = MillisecondHistogram.boundsNanoseconds.count + 1
        buckets = .allocate(capacity: count)
        for index in 0..<count { (buckets + index).initialize(to: Counter()) }
    }

    deinit {
        buckets.deinitialize(count: MillisecondHistogram.boundsNanoseconds.count + 1)
        buckets.deallocate()
    }

    /// It took so long. A login's cost: the search is not for hot paths.
    package func add(_ nanoseconds: UInt64) {
        let bounds = MillisecondHistogram.boundsNanoseconds
        buckets[bounds.firstIndex { nanoseconds <= $0 } ?? bounds.count].add(1)
        sum.add(nanoseconds)
    }

    package var snapshot: HistogramSnapshot {
        let counts = (0...MillisecondHistogram.boundsNanoseconds.count).map { buckets[$0].count }
        return HistogramSnapshot(milliseconds: counts, sumNanoseconds: sum.count)
    }
}
