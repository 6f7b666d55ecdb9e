// Compresses payloads one after another with memory that it takes once. One for each shard; never shared.

/// Allocates nothing after `init`. It holds none of a payload on purpose, though scraps may remain in its tables.
@safe
public struct Compressor: ~Copyable {
    public let algorithm: CompressionAlgorithm
    public let level: Int
    /// The longest payload it may be given, in bytes.
    public let byteCountMax: Int
    /// A payload that shrinks by more is not compressed, for the receiver would refuse it.
    public let ratioMax: Int
    private let engine: Engine

    /// - Parameters:
    ///   - level: one of `algorithm.levels`.
    ///   - byteCountMax: of one payload, in bytes: 0 to `Compression.byteCountMax`. zstd's memory grows with it.
    ///   - ratioMax: what the receiver allows.
    public init(
        _ algorithm: CompressionAlgorithm, level: Int, byteCountMax: Int, ratioMax: Int = Compression.ratioMax
    ) throws(CompressionError) {
        precondition(0...Compression.byteCountMax ~= byteCountMax, "a limit is 0 … Compression.byteCountMax")
        precondition(1...Compression.ratioLimit ~= ratioMax, "a ratio is 1 … Compression.ratioLimit")
        guard algorithm.levels.contains(level) else { throw .level(level, algorithm) }
        (self.algorithm, self.level) = (algorithm, level)
        (self.byteCountMax, self.ratioMax) = (byteCountMax, ratioMax)
        engine = switch algorithm {
        case .lz4: .lz4(LZ4State(level: level))
        case .zstd: .zstd(ZstdCompressionContext(level: level, byteCountMax: byteCountMax))
        }
    }

    /// All memory it has taken, in bytes, but for its own few words: 16 KiB for lz4's levels 1 and 2, 256 KiB above;
    /// for zstd what its tables need for `level` and `byteCountMax`, of which only what is used becomes resident.
    public var memoryByteCount: Int { engine.memoryByteCount }

    /// What `byteCount` bytes can become at most, in bytes.
    public static func byteCountBound(of byteCount: Int, with algorithm: CompressionAlgorithm) -> Int {
        precondition(0...Compression.byteCountMax ~= byteCount, "a payload has 0 … Compression.byteCountMax bytes")
        return switch algorithm {
        case .lz4: LZ4Block.byteCountBound(of: byteCount)
        case .zstd: ZstdCompressionContext.byteCountBound(of: byteCount)
        }
    }

    /// Compress one payload.
    ///
    /// - Parameters:
    ///   - source: at most `byteCountMax` bytes.
    ///   - target: apart from `source`. One byte shorter than it, only what makes it smaller is taken.
    /// - Returns: how many bytes of `target` were written. Nil, with unspecified bytes there: it does not fit (zstd
    ///   wants a few bytes more than it writes), or it shrinks by more than `ratioMax`; send it as it is.
    public mutating func compress(_ source: RawSpan, into target: UnsafeMutableRawBufferPointer) -> Int? {
        precondition(source.byteCount <= byteCountMax, "longer than this compressor was made for")
        // The bytes are read inside the closure only.
        let written = unsafe source.withUnsafeBytes { unsafe engine.compress($0, into: target) }
        guard let written, source.byteCount <= ratioMax * written else { return nil }
        return written
    }
}

/// The state of either algorithm. Not private: the release linker then misses its metadata.
enum Engine: ~Copyable {
    case lz4(LZ4State)
    case zstd(ZstdCompressionContext)

    var memoryByteCount: Int {
        switch self {
        case .lz4(let state): state.memoryByteCount
        case .zstd(let context): context.memoryByteCount
        }
    }

    @unsafe
    func compress(_ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) -> Int? {
        switch self {
        case .lz4(let state): unsafe state.compress(source, into: target)
        case .zstd(let context): unsafe context.compress(source, into: target)
        }
    }
}
