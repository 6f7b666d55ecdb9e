// The vectors of the protocol (NPRO §4), both ways, and frames as other implementations write them.

import ApusCompression
import Foundation
import Testing

struct Vectors: Decodable {
    struct Block: Decodable {
        let plain: String
        let compressed: String
    }

    let lz4SizePrefixedBlock: [Block]

    /// Loaded once; a missing or broken file fails every test that asks.
    static func load() throws -> Vectors {
        let url = try #require(Bundle.module.url(forResource: "npro", withExtension: "json", subdirectory: "Vectors"))
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(Vectors.self, from: Data(contentsOf: url))
    }
}

/// Two digits a byte, spaces ignored.
func bytes(_ hex: String) -> [UInt8] {
    let digits = Array<Character>(hex.filter { $0 != " " })
    return stride(from: 0, to: digits.count - 1, by: 2).compactMap { UInt8(String(digits[$0...$0 + 1]), radix: 16) }
}

struct VectorTests {
    @Test(arguments: [1, 2, 3, 9])
    func theVectorsAreWrittenAndRead(level: Int) throws {
        let blocks = try Vectors.load().lz4SizePrefixedBlock
        #expect(blocks.count == 2)
        for block in blocks {
            let (plain, compressed) = (bytes(block.plain), bytes(block.compressed))
            #expect(try compress(plain, .lz4, level: level) == compressed)
            #expect(try decompress(compressed, .lz4) == plain)
        }
    }

    /// What a streaming encoder makes of nothing and of "hi": no content size, no checksum.
    @Test func framesWithoutContentSizeAreRead() throws {
        #expect(try decompress(bytes("28B52FFD 0058 010000"), .zstd) == [])
        #expect(try decompress(bytes("28B52FFD 0058 110000 6869"), .zstd) == Array("hi".utf8))
    }

    /// What libzstd 1.5 writes at once: a single segment, its size in one byte.
    @Test func ourFramesAnnounceTheirSize() throws {
        #expect(try compress([], .zstd) == bytes("28B52FFD 2000 010000"))
        #expect(try compress(Array("hi".utf8), .zstd) == bytes("28B52FFD 2002 110000 6869"))
    }

    @Test func framesStandOneBehindAnother() throws {
        let first = try compress(Samples.json(byteCount: 3000), .zstd)
        let second = Frame.unsized(blocks: [Frame.raw([1, 2, 3], isLast: false), Frame.repeated(7, count: 1000)])
        let expected = Samples.json(byteCount: 3000) + [1, 2, 3] + [UInt8](repeating: 7, count: 1000)
        #expect(try decompress(first + second, .zstd) == expected)
        #expect(try decompress(first + second + first, .zstd) == expected + Samples.json(byteCount: 3000))
    }

    @Test(arguments: [0, 7, 15] as [UInt8])
    func skippableFramesAreSkipped(kind: UInt8) throws {
        let frame = try compress([1, 2, 3], .zstd)
        let skipped = Frame.skippable(Array("for somebody else".utf8), kind: kind)
        #expect(try decompress(skipped + frame + skipped + frame, .zstd) == [1, 2, 3, 1, 2, 3])
        #expect(try decompress(skipped, .zstd) == [])
        #expect(refusal(of: Array(skipped.dropLast()), .zstd) == .truncated(.zstd))
        let huge = [0x50, 0x2A, 0x4D, 0x18, 0xFF, 0xFF, 0xFF, 0xFF] as [UInt8]
        #expect(refusal(of: huge + frame, .zstd) == .truncated(.zstd))
    }

    @Test func aChecksumIsChecked() throws {
        var frame = bytes("28B52FFD 2402 110000 6869 FA3826EA")
        #expect(try decompress(frame, .zstd) == Array("hi".utf8))
        frame[frame.count - 1] ^= 1
        #expect(refusal(of: frame, .zstd) == .checksum)
    }
}
