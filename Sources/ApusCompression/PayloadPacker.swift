// Packs the payloads of one thread and unpacks them. Its contexts are made when first needed and kept.

public struct PayloadPacker: ~Copyable {
    private let settings: CompressionSettings
    private let byteCountMax: Int
    private var lz4Compressor: Compressor?
    private var zstdCompressor: Compressor?
    private var lz4Decompressor: Decompressor?
    private var zstdDecompressor: Decompressor?

    /// - Parameter byteCountMax: the longest payload that is packed, or that others may have packed.
    public init(_ settings: CompressionSettings, byteCountMax: Int) {
        self.settings = settings
        self.byteCountMax = byteCountMax
    }

    /// Pack a payload into `target`. Nil: it is short, not worth it, or does not get smaller.
    public mutating func pack(
        _ payload: RawSpan, with algorithm: CompressionAlgorithm, into target: UnsafeMutableRawBufferPointer
    ) -> Int? {
        guard payload.byteCount >= max(settings.thresholdByteCount, 1), payload.byteCount <= byteCountMax,
            Compression.isWorthTrying(payload, with: algorithm)
        else { return nil }
        // What does not get smaller is not packed.
        let room = unsafe UnsafeMutableRawBufferPointer(rebasing: target[..<min(target.count, payload.byteCount - 1)])
        switch algorithm {
        case .lz4:
            if lz4Compressor == nil { lz4Compressor = compressor(.lz4) }
            return unsafe lz4Compressor?.compress(payload, into: room)
        case .zstd:
            if zstdCompressor == nil { zstdCompressor = compressor(.zstd) }
            return unsafe zstdCompressor?.compress(payload, into: room)
        }
    }

    /// - Parameter target: what does not fit is refused as longer than a payload may be, before it is unpacked.
    /// - Returns: the byte count of the payload.
    public mutating func unpack(
        _ packed: RawSpan, with algorithm: CompressionAlgorithm, into target: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) -> Int {
        let limit = min(byteCountMax, target.count)
        switch algorithm {
        case .lz4:
            if lz4Decompressor == nil { lz4Decompressor = decompressor(.lz4) }
            lz4Decompressor?.byteCountMax = limit
            return try unsafe lz4Decompressor?.decompress(packed, into: target) ?? 0
        case .zstd:
            if zstdDecompressor == nil { zstdDecompressor = decompressor(.zstd) }
            zstdDecompressor?.byteCountMax = limit
            return try unsafe zstdDecompressor?.decompress(packed, into: target) ?? 0
        }
    }

    /// Nil for a level that `CompressionSettings.problems` reports.
    private func compressor(_ algorithm: CompressionAlgorithm) -> Compressor? {
        let level = min(settings.level, algorithm.levels.upperBound)
        do throws(CompressionError) {
            return try Compressor(algorithm, level: level, byteCountMax: byteCountMax, ratioMax: settings.ratioMax)
        } catch {
            return nil
        }
    }

    private func decompressor(_ algorithm: CompressionAlgorithm) -> Decompressor {
        Decompressor(algorithm, byteCountMax: byteCountMax, ratioMax: settings.ratioMax)
    }
}
