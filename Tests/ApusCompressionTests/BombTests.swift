// Small inputs that want to become large: refused from their headers where these say so, at the limit where not.

import ApusCompression
import Testing

struct BombTests {
    private static let mebibyte = 1 << 20

    @Test func anLZ4ClaimThatTheInputCannotHoldIsRefused() {
        let claim = Frame.littleEndian(16 << 20, 4) + [0x0F, 0, 0, 0xFF, 0]
        let expected = CompressionError.impossible(announced: 16 << 20, possible: 5 * 255)
        #expect(refusal(of: claim, .lz4, byteCountMax: 64 << 20) == expected)
    }

    /// One literal, then the longest match there is: 255 to 1.
    @Test func anLZ4BombMeetsItsLimits() throws {
        let zeros = [UInt8](repeating: 0, count: BombTests.mebibyte)
        let bomb = try compress(zeros, .lz4)
        #expect(try decompress(bomb, .lz4) == zeros)
        let byteCount = UInt64(zeros.count)
        #expect(refusal(of: bomb, .lz4, byteCountMax: 1000) == .oversize(byteCount: byteCount, limit: 1000))
        let ratio = CompressionError.ratio(byteCount: byteCount, sourceByteCount: bomb.count, limit: 100)
        #expect(refusal(of: bomb, .lz4, ratioMax: 100) == ratio)
    }

    /// 128 KiB from each four bytes, without a word about it in the frame's header: the blocks say it.
    @Test func aBombOfRepeatedBlocksIsRefusedUndecompressed() throws {
        let block = Frame.repeated(0, count: 128 << 10, isLast: false)
        let bomb = Frame.unsized(blocks: [[UInt8]](repeating: block, count: 1000) + [Frame.raw([])])
        let byteCount: UInt64 = 1000 * 128 << 10
        #expect(refusal(of: bomb, .zstd) == .oversize(byteCount: byteCount, limit: 16 << 20))
        #expect(refusal(of: bomb, .zstd, byteCountMax: 1 << 30, ratioMax: 256)
            == .ratio(byteCount: byteCount, sourceByteCount: bomb.count, limit: 256))
        #expect(try decompress(bomb, .zstd, byteCountMax: 1 << 30).count == Int(byteCount))
    }

    @Test func aBombThatAnnouncesItselfIsRefusedUndecompressed() throws {
        let bomb = try compress([UInt8](repeating: 0, count: 4 * BombTests.mebibyte), .zstd)
        #expect(bomb.count < 1000)
        let byteCount = UInt64(4 * BombTests.mebibyte)
        #expect(refusal(of: bomb, .zstd, byteCountMax: BombTests.mebibyte)
            == .oversize(byteCount: byteCount, limit: BombTests.mebibyte))
        #expect(refusal(of: bomb, .zstd, ratioMax: 256)
            == .ratio(byteCount: byteCount, sourceByteCount: bomb.count, limit: 256))
    }

    /// Compressed blocks do not say how much they hold: decompression stops where a limit is.
    @Test func aBombThatHidesItsSizeStopsAtTheLimit() throws {
        let bomb = try BombTests.hidden(byteCount: 4 * BombTests.mebibyte)
        #expect(try decompress(bomb, .zstd).count == 4 * BombTests.mebibyte)
        #expect(refusal(of: bomb, .zstd, byteCountMax: BombTests.mebibyte)
            == .oversize(byteCount: nil, limit: BombTests.mebibyte))
        #expect(refusal(of: bomb, .zstd, ratioMax: 256)
            == .ratio(byteCount: nil, sourceByteCount: bomb.count, limit: 256))
        var decompressor = Decompressor(.zstd, byteCountMax: 16 << 20, ratioMax: 256)
        #expect(try decompressor.byteCountBound(of: bomb.span.bytes) == 256 * bomb.count)
        #expect(throws: CompressionError.self) { try decompressor.decompress(bomb, room: 256 * bomb.count) }
    }

    /// The frame that our compressor writes, with its announcement taken out.
    private static func hidden(byteCount: Int) throws -> [UInt8] {
        var pattern = Samples.random(byteCount: 64)
        while pattern.count < byteCount { pattern += pattern }
        return Frame.withoutSize(try compress(pattern, .zstd))
    }

    /// Each by itself is within the limits.
    @Test func concatenatedBombsAreAddedUp() throws {
        let frame = try compress([UInt8](repeating: 0, count: BombTests.mebibyte), .zstd)
        let bomb = Array(repeatElement(frame, count: 17).joined())
        let byteCount = UInt64(17 * BombTests.mebibyte)
        #expect(refusal(of: bomb, .zstd) == .oversize(byteCount: byteCount, limit: 16 << 20))
        let frameWithoutSize = try BombTests.hidden(byteCount: BombTests.mebibyte)
        let hidden = Array(repeatElement(frameWithoutSize, count: 17).joined())
        #expect(refusal(of: hidden, .zstd) == .oversize(byteCount: nil, limit: 16 << 20))
        #expect(try decompress(hidden, .zstd, byteCountMax: 17 * BombTests.mebibyte).count == Int(byteCount))
    }

    @Test func announcementsBeyondTheBlocksAreRefused() {
        let huge = Frame.sized(.max, blocks: [Frame.raw([1, 2])])
        #expect(refusal(of: huge, .zstd) == .impossible(announced: .max, possible: 2))
        let less = Frame.sized(1, blocks: [Frame.raw([1])])
        #expect(refusal(of: less, .zstd) == nil)
        #expect(refusal(of: Frame.sized(0, blocks: [Frame.raw([1])]), .zstd) == .corrupt(.zstd))
    }

    /// Up to that of level 19; the largest that can be written is 3.75 TiB.
    @Test func hugeWindowsAreRefused() throws {
        let last = Frame.raw([1])
        #expect(try decompress(Frame.unsized(windowLog: 23, blocks: [last]), .zstd) == [1])
        let above = Frame.magic + [0x00, 13 << 3 | 1] + last
        #expect(refusal(of: above, .zstd) == .window(byteCount: 9 << 20, limit: 8 << 20))
        let largest = Frame.magic + [0x00, 0xFF] + last
        #expect(refusal(of: largest, .zstd) == .window(byteCount: 15 << 38, limit: 8 << 20))
    }

    /// An array is never larger than the input can justify, and holds what came out, not what might have.
    @Test func theArrayIsAsLongAsItsContent() throws {
        let frame = Frame.unsized(blocks: [Frame.repeated(1, count: 10)])
        #expect(try decompress(frame, .zstd).capacity < 1000)
        let compressed = try compress(Samples.json(byteCount: 300), .zstd)
        #expect(try decompress(Frame.withoutSize(compressed), .zstd).capacity < 1000)
    }
}
