// Decompresses payloads one after another, each within limits that are checked before its output has a place to lie.
// One for each shard; never shared.

/// Allocates nothing after `init`.
@safe
public struct Decompressor: ~Copyable {
    public let algorithm: CompressionAlgorithm
    /// The longest output, in bytes, inclusive: 0 to `Compression.byteCountMax`.
    public var byteCountMax: Int {
        willSet { precondition(0...Compression.byteCountMax ~= newValue, "a limit is 0 … Compression.byteCountMax") }
    }
    /// The longest output as a multiple of the input, inclusive.
    public let ratioMax: Int
    /// Nil for lz4, which has no state.
    private let zstd: ZstdDecompressionContext?

    /// - Parameters:
    ///   - byteCountMax: 0 to `Compression.byteCountMax`.
    ///   - ratioMax: 1 to `Compression.ratioLimit`.
    public init(_ algorithm: CompressionAlgorithm, byteCountMax: Int, ratioMax: Int = Compression.ratioMax) {
        precondition(0...Compression.byteCountMax ~= byteCountMax, "a limit is 0 … Compression.byteCountMax")
        precondition(1...Compression.ratioLimit ~= ratioMax, "a ratio is 1 … Compression.ratioLimit")
        (self.algorithm, self.byteCountMax, self.ratioMax) = (algorithm, byteCountMax, ratioMax)
        zstd = switch algorithm {
        case .lz4: nil
        case .zstd: ZstdDecompressionContext()
        }
    }

    /// All memory it has taken, in bytes, but for its own few words: none for lz4, about 94 KiB for zstd, whatever
    /// the input announces. The caller's buffer is the window, so its size and this are the whole cost of a payload.
    public var memoryByteCount: Int {
        switch zstd {
        case .some(let context): context.memoryByteCount
        case nil: 0
        }
    }

    /// How long a buffer the output needs, read from the input's headers and refused when a limit does not allow it;
    /// decompresses nothing. For lz4, and for zstd frames that announce their size, it is what they announce. Never
    /// more than `byteCountMax`, `ratioMax` times the input, or what an input of this length can hold.
    ///
    /// - Throws: every `CompressionError` but `.level`, `.checksum` and `.shorter`.
    public func byteCountBound(of source: RawSpan) throws(CompressionError) -> Int {
        guard source.byteCount <= Compression.byteCountMax else {
            throw .tooLong(byteCount: source.byteCount, limit: Compression.byteCountMax)
        }
        switch algorithm {
        case .lz4:
            let byteCount = try LZ4Block.announcedByteCount(of: source)
            try admit(UInt64(byteCount), from: source.byteCount)
            return byteCount
        case .zstd:
            let frames = try ZstdFrames(source)
            try admit(frames.byteCountMin, from: source.byteCount)
            return min(frames.byteCountMax, limit(for: source.byteCount))
        }
    }

    /// Decompress one payload.
    ///
    /// - Parameter target: at least `byteCountBound(of: source)` bytes, apart from `source`. After an error its bytes
    ///   are unspecified.
    /// - Returns: how many bytes of `target` were written.
    /// - Throws: every `CompressionError` but `.level`.
    public mutating func decompress(
        _ source: RawSpan, into target: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) -> Int {
        let bound = try byteCountBound(of: source)
        precondition(bound <= target.count, "shorter than byteCountBound(of:)")
        // The target is at least as long, and the bytes are read inside the closure only.
        let room = unsafe UnsafeMutableRawBufferPointer(rebasing: target[..<bound])
        let written = unsafe try source.withUnsafeBytes { (bytes) throws(CompressionError) in
            unsafe try decompress(bytes, into: room)
        }
        guard let written else { throw excess(nil, from: source.byteCount) }
        return written
    }

    /// - Returns: nil when `room` is too short.
    @unsafe
    private func decompress(
        _ bytes: UnsafeRawBufferPointer, into room: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) -> Int? {
        switch zstd {
        case .some(let context): unsafe try context.decompress(bytes, into: room)
        case nil: unsafe try LZ4Block.decompress(bytes, into: room)
        }
    }

    // MARK: Limits

    /// Neither factor exceeds 31 bits.
    private func limit(for sourceByteCount: Int) -> Int { min(byteCountMax, ratioMax * sourceByteCount) }

    private func admit(_ byteCount: UInt64, from sourceByteCount: Int) throws(CompressionError) {
        if byteCount > limit(for: sourceByteCount) { throw excess(byteCount, from: sourceByteCount) }
    }

    /// The limit that does not allow as much; nil when the input did not say how much.
    private func excess(_ byteCount: UInt64?, from sourceByteCount: Int) -> CompressionError {
        let isOversize = byteCount.map { $0 > byteCountMax } ?? (byteCountMax <= ratioMax * sourceByteCount)
        if isOversize { return .oversize(byteCount: byteCount, limit: byteCountMax) }
        return .ratio(byteCount: byteCount, sourceByteCount: sourceByteCount, limit: ratioMax)
    }
}
