// What zstd frames announce and can hold, from their headers alone (RFC 8878 §3.1): so that a bomb is refused before a
// byte of it is decompressed, and the output has its room at once. It decompresses nothing.
//
//   frame   magic(4) descriptor(1) [window(1)] [dictionary(0…4)] [content size(0…8)] block… [checksum(4)]
//   block   3 bytes, little-endian: last(bit 0) | type(bits 1…2) | size(bits 3…23), then the block's bytes
//   skipped magic(4, 0x184D2A5?) size(4) and as many bytes

struct ZstdFrames {
    /// The largest window that is accepted: that of level 19, and what RFC 8878 asks of every decoder. The output
    /// itself is the window here, so that a larger one would cost no memory; but no payload has a use for it.
    static let windowByteCountMax = 8 << 20

    /// What the content takes for certain: announced, or in blocks that say their size.
    private(set) var byteCountMin: UInt64 = 0
    /// What it can take at most.
    private(set) var byteCountMax = 0
    /// How far the frames have been read.
    private var offset = 0

    /// Read all headers of `source`, which must consist of whole frames, at least one.
    init(_ source: RawSpan) throws(CompressionError) {
        repeat { try readFrame(source) } while offset < source.byteCount
    }

    private mutating func readFrame(_ source: RawSpan) throws(CompressionError) {
        let start = offset
        switch try source.takeInteger(4, at: &offset) {
        case 0xFD2F_B528: try readContent(FrameHeader(reading: source, &offset), source)
        case 0x184D_2A50...0x184D_2A5F:
            let byteCount = Int(try source.takeInteger(4, at: &offset))
            offset = try source.end(of: byteCount, at: offset)
        default: throw .notAFrame(offset: start)
        }
    }

    private mutating func readContent(_ header: FrameHeader, _ source: RawSpan) throws(CompressionError) {
        var content = BlockSizes()
        var isLast = false
        while !isLast {
            let block = Int(try source.takeInteger(3, at: &offset))
            isLast = block & 1 != 0
            let byteCount = try content.add(
                type: block >> 1 & 3, size: block >> 3, limit: header.blockByteCountMax)
            offset = try source.end(of: byteCount, at: offset)
        }
        if header.hasChecksum { offset = try source.end(of: 4, at: offset) }
        try add(content, announced: header.contentByteCount)
    }

    private mutating func add(_ content: BlockSizes, announced: UInt64?) throws(CompressionError) {
        let possible = content.certain + content.possible
        guard let announced else {
            byteCountMin += UInt64(content.certain)
            byteCountMax += possible
            return
        }
        guard announced <= possible else { throw .impossible(announced: announced, possible: possible) }
        guard announced >= content.certain else { throw .corrupt(.zstd) }
        byteCountMin += announced
        byteCountMax += Int(announced)
    }
}

/// How much the blocks of one frame hold. Their sum fits: each has three bytes of input and at most 128 KiB of output.
private struct BlockSizes {
    /// Raw and repeated bytes.
    var certain = 0
    /// Compressed blocks, each as large as a block may be.
    var possible = 0

    /// - Returns: how many bytes of input the block has behind its header.
    mutating func add(type: Int, size: Int, limit: Int) throws(CompressionError) -> Int {
        guard size <= limit else { throw .corrupt(.zstd) }
        switch type {
        case 0:
            certain += size
            return size
        case 1:
            certain += size
            return 1
        case 2:
            possible += limit
            return size
        default: throw .corrupt(.zstd)
        }
    }
}

/// What stands between a frame's magic number and its first block.
private struct FrameHeader {
    /// Nil when the frame does not say.
    let contentByteCount: UInt64?
    let blockByteCountMax: Int
    let hasChecksum: Bool

    init(reading source: RawSpan, _ offset: inout Int) throws(CompressionError) {
        let descriptor = try source.takeInteger(1, at: &offset)
        let isSingleSegment = descriptor & 0x20 != 0
        guard descriptor & 0x08 == 0 else { throw .corrupt(.zstd) }
        let window = isSingleSegment ? nil : try FrameHeader.window(try source.takeInteger(1, at: &offset))
        let dictionary = try source.takeInteger((1 << Int(descriptor & 3)) >> 1, at: &offset)
        guard dictionary == 0 else { throw .dictionary(UInt32(dictionary)) }
        contentByteCount = try FrameHeader.contentByteCount(Int(descriptor >> 6), isSingleSegment, source, &offset)
        hasChecksum = descriptor & 0x04 != 0
        // A single segment's window is its content.
        blockByteCountMax = Int(min(window ?? contentByteCount ?? 0, 128 << 10))
    }

    /// An exponent (five bits) and a mantissa (three).
    private static func window(_ descriptor: UInt64) throws(CompressionError) -> UInt64 {
        let base: UInt64 = 1 << (10 + descriptor >> 3)
        let byteCount = base + base / 8 * (descriptor & 7)
        guard byteCount <= ZstdFrames.windowByteCountMax else {
            throw .window(byteCount: Int(byteCount), limit: ZstdFrames.windowByteCountMax)
        }
        return byteCount
    }

    private static func contentByteCount(
        _ flag: Int, _ isSingleSegment: Bool, _ source: RawSpan, _ offset: inout Int
    ) throws(CompressionError) -> UInt64? {
        guard flag > 0 || isSingleSegment else { return nil }
        let value = try source.takeInteger(1 << flag, at: &offset)
        // Two bytes begin where one ends.
        return flag == 1 ? value + 256 : value
    }
}

extension RawSpan {
    /// The offset behind `byteCount` bytes that start at `offset`, if they are all there.
    fileprivate func end(of byteCount: Int, at offset: Int) throws(CompressionError) -> Int {
        guard byteCount <= self.byteCount - offset else { throw .truncated(.zstd) }
        return offset + byteCount
    }

    fileprivate func takeInteger(_ byteCount: Int, at offset: inout Int) throws(CompressionError) -> UInt64 {
        let start = offset
        offset = try end(of: byteCount, at: offset)
        return littleEndian(at: start, byteCount: byteCount)
    }
}
