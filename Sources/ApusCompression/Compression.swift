// Compression of one buffer at a time, for whom an allocation does not matter. A shard keeps a `Compressor` and a
// `Decompressor` instead.

/// The limits of this module, and its helpers (NPRO §4).
public enum Compression {
    /// The longest payload that either algorithm takes at once, in bytes: lz4's limit.
    public static let byteCountMax = 0x7E00_0000

    /// How many bytes one compressed byte may become unless told otherwise. lz4 cannot exceed 255; beyond it lie
    /// runs of one byte, which nobody needs to send.
    public static let ratioMax = 256

    /// The largest ratio that can be asked for: more than zstd's, 128 KiB from four bytes.
    public static let ratioLimit = 1 << 20

    /// Compress in one go.
    ///
    /// - Parameter level: one of `algorithm.levels`.
    /// - Returns: what the algorithm makes of it, even when that is longer.
    /// - Throws: `.level` and `.tooLong`.
    public static func compress(
        _ source: RawSpan, with algorithm: CompressionAlgorithm, level: Int = 1
    ) throws(CompressionError) -> [UInt8] {
        guard source.byteCount <= byteCountMax else { throw .tooLong(byteCount: source.byteCount, limit: byteCountMax) }
        var compressor = try Compressor(
            algorithm, level: level, byteCountMax: source.byteCount, ratioMax: ratioLimit)
        let bound = Compressor.byteCountBound(of: source.byteCount, with: algorithm)
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
            count = unsafe compressor.compress(source, into: UnsafeMutableRawBufferPointer(buffer)) ?? 0
        }
        precondition(!bytes.isEmpty, "what is as long as the bound holds the output")
        return bytes.trimmed(from: bound)
    }

    /// Decompress in one go; the array is no larger than the input can justify.
    ///
    /// - Parameters:
    ///   - byteCountMax: the longest output, in bytes, inclusive.
    ///   - ratioMax: the longest output as a multiple of the input, inclusive.
    /// - Throws: every `CompressionError` but `.level`.
    public static func decompress(
        _ source: RawSpan, with algorithm: CompressionAlgorithm, byteCountMax: Int, ratioMax: Int = ratioMax
    ) throws(CompressionError) -> [UInt8] {
        var decompressor = Decompressor(algorithm, byteCountMax: byteCountMax, ratioMax: ratioMax)
        let bound = try decompressor.byteCountBound(of: source)
        var outcome = Result<Int, CompressionError>.success(0)
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
            outcome = unsafe decompressor.outcome(of: source, into: UnsafeMutableRawBufferPointer(buffer))
            if case .success(let written) = outcome { count = written }
        }
        _ = try outcome.get()
        return bytes.trimmed(from: bound)
    }
}

extension Decompressor {
    /// For a closure that cannot throw this error.
    @unsafe
    fileprivate mutating func outcome(
        of source: RawSpan, into target: UnsafeMutableRawBufferPointer
    ) -> Result<Int, CompressionError> {
        do throws(CompressionError) {
            return .success(unsafe try decompress(source, into: target))
        } catch {
            return .failure(error)
        }
    }
}

extension [UInt8] {
    /// In memory of their own size, unless they use at least half of theirs.
    fileprivate func trimmed(from capacity: Int) -> [UInt8] {
        guard count < capacity / 2 else { return self }
        // The buffer is read inside the closure only.
        return unsafe withUnsafeBufferPointer { unsafe Array($0) }
    }
}
