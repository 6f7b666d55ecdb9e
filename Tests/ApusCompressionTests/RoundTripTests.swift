// What goes in comes out: every level, sizes around every limit, random mixtures; through one context again and again.

import ApusCompression
import TestSupport
import Testing

struct RoundTripTests {
    /// Around the pieces that the algorithms and zstd's sets of parameters work in, long and short in turn.
    private static let byteCounts = [
        0, (256 << 10) + 1, 1, 256 << 10, 2, (128 << 10) + 1, 4, 128 << 10, 12, (64 << 10) + 1, 13, 64 << 10, 63,
        (64 << 10) - 1, 64, (16 << 10) + 1, 255, 16 << 10, 256, (16 << 10) - 1, 4096,
    ]

    /// A context made for the longest serves them all, in any order.
    @Test(arguments: CompressionAlgorithm.allCases)
    func everyLevelServesEverySize(algorithm: CompressionAlgorithm) throws {
        let longest = Samples.json(byteCount: RoundTripTests.byteCounts.max() ?? 0)
        for level in algorithm.levels {
            var compressor = try Compressor(
                algorithm, level: level, byteCountMax: longest.count, ratioMax: Compression.ratioLimit)
            var decompressor = Decompressor(algorithm, byteCountMax: longest.count, ratioMax: Compression.ratioLimit)
            for byteCount in RoundTripTests.byteCounts {
                let plain = Array(longest.prefix(byteCount))
                let bound = Compressor.byteCountBound(of: byteCount, with: algorithm)
                let result = compressor.compress(plain, room: bound)
                let compressed = try #require(result, "level \(level), \(byteCount) bytes")
                #expect(try decompressor.decompress(compressed, room: byteCount) == plain)
            }
        }
    }

    @Test(arguments: CompressionAlgorithm.allCases)
    func randomMixturesComeBack(algorithm: CompressionAlgorithm) throws {
        var generator = SeededGenerator.announced()
        for _ in 0..<200 {
            let byteCount = Int.random(in: 0...50_000, using: &generator)
            let plain = Samples.mixture(byteCount: byteCount, &generator)
            let level = Int.random(in: 1...9, using: &generator)
            let compressed = try compress(plain, algorithm, level: level)
            #expect(try decompress(compressed, algorithm) == plain, "seed \(generator.seed)")
            #expect(compressed.count <= Compressor.byteCountBound(of: plain.count, with: algorithm))
        }
    }

    /// 16 MiB, the largest payload of a packet.
    @Test(arguments: CompressionAlgorithm.allCases)
    func theLargestPayloadComesBack(algorithm: CompressionAlgorithm) throws {
        var plain = Samples.json(byteCount: 1 << 20)
        while plain.count < 16 << 20 { plain += plain }
        let compressed = try compress(plain, algorithm)
        #expect(compressed.count < plain.count / 2)
        #expect(try decompress(compressed, algorithm) == plain)
    }

    @Test(arguments: CompressionAlgorithm.allCases)
    func aMegabyteOfOneByteBecomesATenthAndLess(algorithm: CompressionAlgorithm) throws {
        let plain = [UInt8](repeating: 0x61, count: 1_000_000)
        let compressed = try compress(plain, algorithm)
        #expect(compressed.count < plain.count / 10)
        #expect(try decompress(compressed, algorithm) == plain)
    }

    /// One result has nothing to do with the one before, nor with what failed before.
    @Test(arguments: CompressionAlgorithm.allCases)
    func aContextForgets(algorithm: CompressionAlgorithm) throws {
        let (first, second) = (Samples.json(byteCount: 5000), Samples.english(byteCount: 7000))
        var compressor = try Compressor(algorithm, level: 1, byteCountMax: 8000)
        var decompressor = Decompressor(algorithm, byteCountMax: 8000)
        let alone = try compress(second, algorithm)
        #expect(compressor.compress(first, room: 100) == nil)
        #expect(compressor.compress(first, room: 5000) != nil)
        #expect(compressor.compress(second, room: 7000) == alone)
        #expect(throws: CompressionError.self) {
            try decompressor.decompress(Array(alone.dropLast(9)), room: 8000)
        }
        #expect(try decompressor.decompress(alone, room: 7000) == second)
    }
}

extension Compressor {
    /// Compress into an array of at most `room` bytes; nil when it does not fit.
    mutating func compress(_ plain: [UInt8], room: Int) -> [UInt8]? {
        var target = [UInt8](repeating: 0, count: room)
        let written = target.withUnsafeMutableBytes { compress(plain.span.bytes, into: $0) }
        return written.map { Array(target.prefix($0)) }
    }
}

extension Decompressor {
    mutating func decompress(_ compressed: [UInt8], room: Int) throws -> [UInt8] {
        var target = [UInt8](repeating: 0, count: room)
        let written = try target.withUnsafeMutableBytes { try decompress(compressed.span.bytes, into: $0) }
        return Array(target.prefix(written))
    }
}
