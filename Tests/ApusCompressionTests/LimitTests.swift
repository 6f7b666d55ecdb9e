// The limits at their last byte, what a compressor does for the receiver's limits, and the memory of both.

import ApusCompression
import Testing

struct LimitTests {
    /// Inclusive, whether the input announces its size or not.
    @Test(arguments: CompressionAlgorithm.allCases)
    func theOutputMayBeAsLongAsItsLimit(algorithm: CompressionAlgorithm) throws {
        let plain = Samples.json(byteCount: 10_000)
        let compressed = try compress(plain, algorithm)
        #expect(try decompress(compressed, algorithm, byteCountMax: 10_000) == plain)
        let expected = CompressionError.oversize(byteCount: 10_000, limit: 9_999)
        #expect(refusal(of: compressed, algorithm, byteCountMax: 9_999) == expected)
    }

    @Test func anUnannouncedOutputMayBeAsLongAsItsLimit() throws {
        let plain = Samples.json(byteCount: 10_000)
        let unsized = Frame.withoutSize(try compress(plain, .zstd))
        #expect(try decompress(unsized, .zstd, byteCountMax: 10_000) == plain)
        let expected = CompressionError.oversize(byteCount: nil, limit: 9_999)
        #expect(refusal(of: unsized, .zstd, byteCountMax: 9_999) == expected)
    }

    @Test(arguments: CompressionAlgorithm.allCases)
    func nothingFitsInNothing(algorithm: CompressionAlgorithm) throws {
        #expect(try decompress(try compress([], algorithm), algorithm, byteCountMax: 0) == [])
        let expected = CompressionError.oversize(byteCount: 1, limit: 0)
        #expect(refusal(of: try compress([1], algorithm), algorithm, byteCountMax: 0) == expected)
    }

    @Test func theRatioIsInclusive() throws {
        // Ten bytes of frame.
        let frame = { Frame.unsized(blocks: [Frame.repeated(0, count: $0)]) }
        #expect(try decompress(frame(1000), .zstd, ratioMax: 100).count == 1000)
        let expected = CompressionError.ratio(byteCount: 1001, sourceByteCount: 10, limit: 100)
        #expect(refusal(of: frame(1001), .zstd, ratioMax: 100) == expected)
    }

    /// A compressor writes nothing that a decompressor with the same ratio refuses.
    @Test(arguments: CompressionAlgorithm.allCases, [1, 10, 100, 254, 256, 1000])
    func whatIsWrittenIsAccepted(algorithm: CompressionAlgorithm, ratioMax: Int) throws {
        var compressor = try Compressor(algorithm, level: 1, byteCountMax: 1 << 20, ratioMax: ratioMax)
        var written = 0
        for exponent in 0...20 {
            let plain = [UInt8](repeating: 0, count: 1 << exponent)
            let bound = Compressor.byteCountBound(of: plain.count, with: algorithm)
            guard let compressed = compressor.compress(plain, room: bound) else { continue }
            written += 1
            #expect(try decompress(compressed, algorithm, ratioMax: ratioMax) == plain)
        }
        #expect(written > 0)
    }

    @Test(arguments: CompressionAlgorithm.allCases)
    func whatDoesNotBecomeSmallerIsNotTaken(algorithm: CompressionAlgorithm) throws {
        var compressor = try Compressor(algorithm, level: 1, byteCountMax: 10_000)
        let random = Samples.random(byteCount: 10_000)
        #expect(compressor.compress(random, room: random.count - 1) == nil)
        let json = Samples.json(byteCount: 10_000)
        let result = compressor.compress(json, room: json.count - 1)
        let compressed = try #require(result)
        #expect(compressor.compress(json, room: compressed.count + 20) == compressed)
        #expect(compressor.compress(json, room: compressed.count - 1) == nil)
        for room in 0...5 { #expect(compressor.compress(json, room: room) == nil) }
        #expect(compressor.compress([], room: 0) == nil)
    }

    @Test(arguments: CompressionAlgorithm.allCases)
    func otherLevelsAreRefused(algorithm: CompressionAlgorithm) {
        for level in [-1, 0, algorithm.levels.upperBound + 1, 100] {
            #expect(throws: CompressionError.level(level, algorithm)) { try compress([1], algorithm, level: level) }
        }
    }

    /// The room that the headers ask for is the room that decompression needs.
    @Test(arguments: CompressionAlgorithm.allCases)
    func theBoundIsWhatIsAnnounced(algorithm: CompressionAlgorithm) throws {
        let decompressor = Decompressor(algorithm, byteCountMax: 1 << 20)
        for byteCount in [0, 1, 255, 256, 65_535, 65_536, 65_792, 100_000] {
            let compressed = try compress(Samples.json(byteCount: byteCount), algorithm)
            #expect(try decompressor.byteCountBound(of: compressed.span.bytes) == byteCount)
        }
    }

    // MARK: Memory

    @Test func memoryIsWhatTheAlgorithmsSay() throws {
        let lz4 = try [1, 2, 3, 9].map { try Compressor(.lz4, level: $0, byteCountMax: 1 << 24).memoryByteCount }
        #expect(lz4[0] == lz4[1] && 16 << 10...17 << 10 ~= lz4[0])
        #expect(lz4[2] == lz4[3] && 256 << 10...257 << 10 ~= lz4[2])
        #expect(Decompressor(.lz4, byteCountMax: 1 << 24).memoryByteCount == 0)
        #expect(90 << 10...164 << 10 ~= Decompressor(.zstd, byteCountMax: 1 << 24).memoryByteCount)
    }

    /// For short payloads a context is small, and it never shrinks as they grow.
    @Test func zstdTakesWhatItsPayloadsNeed() throws {
        for level in CompressionAlgorithm.zstd.levels {
            let memory = try [1 << 10, 16 << 10, 64 << 10, 1 << 20, 16 << 20].map {
                try Compressor(.zstd, level: level, byteCountMax: $0).memoryByteCount
            }
            #expect(memory == memory.sorted(), "level \(level)")
            print("zstd level \(level): \(memory.map { $0 >> 10 }) KiB for 1, 16, 64 KiB, 1, 16 MiB")
        }
    }
}
