// Whether a buffer is worth compressing, judged by a sample from all over it. It holds a few KiB on the stack.

import CCompression

extension Compression {
    /// Whether compressing is likely to make `source` smaller by at least a sixteenth.
    ///
    /// The rule: 16 pieces of 256 bytes, evenly from the first byte to the last, are put together (a source of up to
    /// 4 KiB is taken whole). It is worth it when lz4 shortens this sample by at least a sixteenth; for zstd, which
    /// also gives frequent bytes shorter codes, when the sample's frequencies promise as much, less half a byte for
    /// each byte value in the table of codes. Below 64 bytes nothing is gained: no.
    ///
    /// So neither an incompressible head nor one that was compressed before hides what follows it, and bytes that are
    /// all equally frequent but repeat are found. What is compressible in less than a sixteenth of a buffer is not.
    /// It costs one lz4 run over 4 KiB, some microseconds, and allocates nothing.
    public static func isWorthTrying(_ source: RawSpan, with algorithm: CompressionAlgorithm) -> Bool {
        guard source.byteCount >= CompressionSample.sourceByteCountMin else { return false }
        var sample = CompressionSample(of: source)
        if sample.hasRepetitions() { return true }
        return switch algorithm {
        case .lz4: false
        case .zstd: sample.hasFrequentBytes()
        }
    }
}

/// Bytes from all over a buffer, put together.
struct CompressionSample {
    static let sourceByteCountMin = 64
    private static let pieceCount = 16
    private static let pieceByteCount = 256

    private var bytes = InlineArray<4096, UInt8>(repeating: 0)
    private let byteCount: Int

    /// What the sample has to shrink to: 15/16 of it.
    private var goal: Int { byteCount - byteCount / 16 }

    init(of source: RawSpan) {
        byteCount = min(source.byteCount, CompressionSample.pieceCount * CompressionSample.pieceByteCount)
        guard source.byteCount > byteCount else {
            copy(source, at: 0)
            return
        }
        let lastStart = source.byteCount - CompressionSample.pieceByteCount
        for piece in 0..<CompressionSample.pieceCount {
            let start = lastStart * piece / (CompressionSample.pieceCount - 1)
            let end = start + CompressionSample.pieceByteCount
            copy(source.extracting(start..<end), at: piece * CompressionSample.pieceByteCount)
        }
    }

    private mutating func copy(_ piece: RawSpan, at offset: Int) {
        var span = bytes.mutableSpan
        // Both buffers are used inside the closures only, and slicing checks the bounds.
        unsafe span.withUnsafeMutableBytes { sample in
            unsafe piece.withUnsafeBytes { unsafe sample[offset..<offset + $0.count].copyBytes(from: $0) }
        }
    }

    /// lz4 makes it short enough.
    mutating func hasRepetitions() -> Bool {
        var output = InlineArray<4096, CChar>(repeating: 0)
        var room = output.mutableSpan
        let (byteCount, goal) = (byteCount, goal)
        // Neither buffer leaves the closures, and both are at least as long as lz4 is told.
        return unsafe bytes.span.withUnsafeBytes { sample in
            unsafe room.withUnsafeMutableBufferPointer { room in
                let start = unsafe sample.baseAddress?.assumingMemoryBound(to: CChar.self)
                return unsafe LZ4_compress_default(start, room.baseAddress, CInt(byteCount), CInt(goal)) > 0
            }
        }
    }

    /// Codes by frequency, with their table, make it short enough.
    func hasFrequentBytes() -> Bool {
        var counts = InlineArray<256, Int>(repeating: 0)
        for index in 0..<byteCount { counts[Int(bytes[index])] += 1 }
        var (bits256, valueCount) = (0, 0)
        for value in 0..<256 where counts[value] > 0 {
            bits256 += counts[value] * (logarithm256(byteCount) - logarithm256(counts[value]))
            valueCount += 1
        }
        return bits256 / (8 * 256) + valueCount / 2 <= goal
    }
}

/// 256 times the logarithm to base 2, at most 22 too small: straight lines between powers of two.
private func logarithm256(_ value: Int) -> Int {
    let exponent = Int.bitWidth - 1 - value.leadingZeroBitCount
    return exponent << 8 + (value << 8) >> exponent - 256
}
