// Input that is cut, flipped or noise: an error each time, and never bytes that were not there.

import ApusCompression
import TestSupport
import Testing

struct DamageTests {
    static let samples: [(CompressionAlgorithm, [UInt8])] = CompressionAlgorithm.allCases.flatMap { algorithm in
        [Samples.json(byteCount: 2000), Samples.random(byteCount: 500), [], [1]].map { (algorithm, $0) }
    }

    @Test(arguments: samples)
    func everyTruncationIsRefused(algorithm: CompressionAlgorithm, plain: [UInt8]) throws {
        let compressed = try compress(plain, algorithm)
        for count in 0..<compressed.count {
            #expect(refusal(of: Array(compressed.prefix(count)), algorithm) != nil, "cut at \(count)")
        }
    }

    @Test(arguments: samples)
    func trailingBytesAreRefused(algorithm: CompressionAlgorithm, plain: [UInt8]) throws {
        let compressed = try compress(plain, algorithm)
        for byte in [0, 1, 0x28, 0xFF] as [UInt8] {
            #expect(refusal(of: compressed + [byte], algorithm) != nil, "\(byte) behind it")
        }
    }

    /// A flip may go unnoticed where nothing checks the content, but never makes it longer than its limits.
    @Test(arguments: samples)
    func everyBitFlipStaysWithinTheLimits(algorithm: CompressionAlgorithm, plain: [UInt8]) throws {
        let compressed = try compress(plain, algorithm)
        for bit in 0..<compressed.count * 8 {
            var flipped = compressed
            flipped[bit / 8] ^= 1 << (bit % 8)
            do throws(CompressionError) {
                #expect(try decompress(flipped, algorithm, byteCountMax: 3000).count <= 3000)
            } catch {
                #expect(!error.description.isEmpty)
            }
        }
    }

    @Test(arguments: CompressionAlgorithm.allCases)
    func noiseIsRefusedOrSmall(algorithm: CompressionAlgorithm) {
        var generator = SeededGenerator.announced()
        var accepted = 0
        for _ in 0..<5000 {
            let noise = generator.bytes(Int.random(in: 0...64, using: &generator))
            let prefix = algorithm == .zstd ? Frame.magic : [UInt8(noise.count), 0, 0, 0]
            if refusal(of: prefix + noise, algorithm, byteCountMax: 1000) == nil { accepted += 1 }
        }
        #expect(accepted < 100, "seed \(generator.seed)")
    }

    /// The cases that the first implementation tests (NPRO §10).
    @Test func theKnownMalformedInputsAreRefused() {
        #expect(refusal(of: bytes("2b60bbbb"), .lz4) == .impossible(announced: 0xBBBB_602B, possible: 0))
        #expect(refusal(of: bytes("0102"), .lz4) == .truncated(.lz4))
        #expect(refusal(of: bytes("10000000ffffff"), .lz4) == .corrupt(.lz4))
        let claim = Frame.littleEndian(16 << 20 + 1, 4) + [UInt8](repeating: 0, count: 100_000)
        #expect(refusal(of: claim, .lz4) == .oversize(byteCount: 16 << 20 + 1, limit: 16 << 20))
    }

    /// More than the block holds, less than it holds, and no block at all.
    @Test func anLZ4PrefixSaysTheTruth() throws {
        var compressed = try compress(Samples.json(byteCount: 200), .lz4)
        compressed[0] += 1
        #expect(refusal(of: compressed, .lz4) == .shorter(announced: 201, found: 200))
        compressed[0] -= 2
        #expect(refusal(of: compressed, .lz4) == .corrupt(.lz4))
        #expect(refusal(of: [0, 0, 0, 0], .lz4) == .corrupt(.lz4))
        #expect(refusal(of: [0, 0, 0, 0, 0x10, 0x61], .lz4) == .corrupt(.lz4))
    }

    /// Each fault of a header has its own error.
    @Test func aZstdHeaderIsReadStrictly() throws {
        let last = Frame.raw([1])
        #expect(refusal(of: [], .zstd) == .truncated(.zstd))
        #expect(refusal(of: Array("hello".utf8), .zstd) == .notAFrame(offset: 0))
        #expect(refusal(of: Frame.unsized(blocks: [last]) + Array("hello".utf8), .zstd) == .notAFrame(offset: 10))
        // zstd 0.7's magic number, which some builds of libzstd still read.
        #expect(refusal(of: bytes("27B52FFD 00"), .zstd) == .notAFrame(offset: 0))
        #expect(refusal(of: Frame.magic + [0x08, 0x50] + last, .zstd) == .corrupt(.zstd))
        #expect(refusal(of: Frame.magic + [0x01, 0x50, 0x07] + last, .zstd) == .dictionary(7))
        #expect(try decompress(Frame.magic + [0x01, 0x50, 0x00] + last, .zstd) == [1])
        let reserved = Frame.header(type: 3, size: 1, isLast: true) + [1]
        #expect(refusal(of: Frame.unsized(blocks: [reserved]), .zstd) == .corrupt(.zstd))
        let long = Frame.repeated(0, count: 128 << 10 + 1)
        #expect(refusal(of: Frame.unsized(blocks: [long]), .zstd) == .corrupt(.zstd))
        #expect(refusal(of: Frame.unsized(windowLog: 10, blocks: [Frame.repeated(0, count: 1025)]), .zstd) != nil)
    }

    @Test func everyErrorHasASentenceAndALabel() {
        let errors: [CompressionError] = [
            .level(0, .lz4), .tooLong(byteCount: 2, limit: 1), .truncated(.zstd), .corrupt(.lz4), .checksum,
            .notAFrame(offset: 0), .dictionary(1), .window(byteCount: 2, limit: 1),
            .impossible(announced: 2, possible: 1), .shorter(announced: 2, found: 1),
            .oversize(byteCount: nil, limit: 1), .ratio(byteCount: 3, sourceByteCount: 1, limit: 2),
        ]
        #expect(Set(errors.map { "\($0.label)" }).count == errors.count)
        #expect(Set(errors.map(\.description)).count == errors.count)
        #expect(errors.allSatisfy { "\($0.label)".allSatisfy { $0 == "_" || $0.isLowercase } })
    }
}
