// Is a text UTF-8 that arrives in pieces? The pieces may cut a sequence anywhere (RFC 6455 §8.1). It keeps at most the
// three bytes of a cut sequence; it must never know what the text says.

/// Fails fast: a byte that cannot continue what came before is refused with it, not at the text's end.
public struct UTF8Stream: BitwiseCopyable, Equatable, Sendable {
    /// The sequence that the last piece cut, the first byte lowest, and how many bytes of it are there (0 … 3).
    private var cut: UInt32 = 0
    private var cutByteCount: UInt8 = 0

    public init() {}

    /// Whether the text may end here.
    public var isComplete: Bool { cutByteCount == 0 }

    /// False when the text can no longer become UTF-8, whatever follows.
    public mutating func accept(_ bytes: RawSpan) -> Bool {
        var start = 0
        while cutByteCount > 0, start < bytes.byteCount {
            guard continueCut(with: bytes.byte(at: start)) else { return false }
            start += 1
        }
        let rest = bytes.extracting(start..<bytes.byteCount)
        guard let offset = UTF8Validation.firstInvalidOffset(in: rest) else { return true }
        guard rest.byteCount - offset < 4 else { return false }
        return keepCut(rest.extracting(offset..<rest.byteCount))
    }

    private mutating func continueCut(with byte: UInt8) -> Bool {
        cut |= UInt32(byte) << (8 * UInt32(cutByteCount))
        cutByteCount += 1
        if UTF8Validation.sequenceLength(cut) == Int(cutByteCount) {
            (cut, cutByteCount) = (0, 0)
            return true
        }
        return UTF8Stream.isPrefix(cut, byteCount: cutByteCount)
    }

    /// - Parameter bytes: 1 … 3, which are no sequence by themselves.
    private mutating func keepCut(_ bytes: RawSpan) -> Bool {
        for offset in 0..<bytes.byteCount { cut |= UInt32(bytes.byte(at: offset)) << UInt32(8 * offset) }
        cutByteCount = UInt8(bytes.byteCount)
        return UTF8Stream.isPrefix(cut, byteCount: cutByteCount)
    }

    /// Whether some bytes make a sequence of these. A second byte's range begins at 80 or ends at BF, whatever the lead
    /// (Unicode 15, table 3-7), so one of the two shows it.
    private static func isPrefix(_ bytes: UInt32, byteCount: UInt8) -> Bool {
        guard byteCount < 4 else { return false }
        let missing = UInt32.max << (8 * UInt32(byteCount))
        return [0x8080_8080, 0xBFBF_BFBF].contains { filling in
            UTF8Validation.sequenceLength(bytes | filling & missing) > Int(byteCount)
        }
    }
}
