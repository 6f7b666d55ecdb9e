// How payloads are packed on connections whose peers agreed to it; the same for servers and clients.

public struct CompressionSettings: Equatable, Sendable {
    /// What may be agreed on, best first; empty: nothing.
    public var algorithms: [CompressionAlgorithm] = []
    /// 1 … 19 for zstd; lz4 has 9 and takes a higher one as 9.
    public var level = 3
    /// Shorter payloads go as they are.
    public var thresholdByteCount = 512
    /// A payload may grow to so many times its size when it is unpacked; more ends the connection. Both sides must be
    /// told the same.
    public var ratioMax = Compression.ratioMax

    public init() {}

    /// Every mistake, in words; empty when there is none.
    public func problems() -> [String] {
        var problems: [String] = []
        if !CompressionAlgorithm.zstd.levels.contains(level) {
            problems.append("compression_level: 1 to 19, found \(level)")
        }
        if thresholdByteCount < 0 {
            problems.append("compression_threshold_bytes: not negative, found \(thresholdByteCount)")
        }
        if !(1...Compression.ratioLimit).contains(ratioMax) {
            problems.append("compression_ratio_max: 1 to \(Compression.ratioLimit), found \(ratioMax)")
        }
        if Set(algorithms).count != algorithms.count { problems.append("compression: name each algorithm once") }
        return problems
    }
}
