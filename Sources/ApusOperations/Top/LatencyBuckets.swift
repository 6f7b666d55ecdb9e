// A histogram as buckets that each count all that is below their bound, and quantiles of what came between two of them.

struct LatencyBuckets: Equatable, Sendable {
    /// Ascending; the last may be infinite.
    let boundsSeconds: [Double]
    /// How many were at most so long: never falling.
    let cumulative: [Double]

    init(boundsSeconds: [Double], cumulative: [Double]) {
        precondition(boundsSeconds.count == cumulative.count, "a bucket has a bound and a count")
        self.boundsSeconds = boundsSeconds
        self.cumulative = cumulative
    }

    /// Of `{"buckets":[{"le":seconds,"count":n}…],"count":n}`. A bound that is no number, such as "+Inf", is infinite.
    init(_ value: StatusValue) {
        var buckets = value["buckets"].list.compactMap { bucket in
            bucket["count"].number.map { (bound: bucket["le"].number ?? .infinity, count: $0) }
        }
        buckets.sort { $0.bound < $1.bound }
        // What is beyond the last bound may only be in the total.
        if let total = value["count"].number, let last = buckets.last, last.bound < .infinity {
            buckets.append((.infinity, max(total, last.count)))
        }
        self.init(boundsSeconds: buckets.map(\.bound), cumulative: buckets.map(\.count))
    }

    var count: Double { cumulative.last ?? 0 }

    /// What came since `earlier`; all of it when the two have other bounds, or when counting began anew.
    func since(_ earlier: LatencyBuckets) -> LatencyBuckets {
        guard earlier.boundsSeconds == boundsSeconds,
            zip(cumulative, earlier.cumulative).allSatisfy({ $0 >= $1 })
        else { return self }
        return LatencyBuckets(
            boundsSeconds: boundsSeconds, cumulative: zip(cumulative, earlier.cumulative).map { $0 - $1 })
    }

    /// The time that the part `quantile` took at most, as if a bucket's times were spread evenly; nil when there is
    /// none. Of what lies beyond the last finite bound that bound is all that is known.
    func quantile(_ quantile: Double) -> Double? {
        guard count > 0 else { return nil }
        let rank = quantile * count
        // The last count is the whole, so there is one.
        let index = cumulative.firstIndex { $0 >= rank } ?? cumulative.count - 1
        let (lower, below) = index > 0 ? (boundsSeconds[index - 1], cumulative[index - 1]) : (0, 0)
        guard boundsSeconds[index].isFinite else { return boundsSeconds.last(where: \.isFinite) }
        let within = cumulative[index] - below
        guard within > 0 else { return boundsSeconds[index] }
        return lower + (boundsSeconds[index] - lower) * min(1, max(0, rank - below) / within)
    }
}
