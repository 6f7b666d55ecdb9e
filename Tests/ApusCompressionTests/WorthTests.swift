// What is worth compressing, and that the algorithms agree afterwards.

import ApusCompression
import Testing

struct WorthTests {
    private static let byteCounts = [512, 4096, 4097, 16 << 10, 1 << 20]

    private func isWorthTrying(_ bytes: [UInt8], _ algorithm: CompressionAlgorithm) -> Bool {
        Compression.isWorthTrying(bytes.span.bytes, with: algorithm)
    }

    @Test(arguments: CompressionAlgorithm.allCases, byteCounts)
    func textIs(algorithm: CompressionAlgorithm, byteCount: Int) throws {
        for plain in [Samples.json(byteCount: byteCount), Samples.english(byteCount: byteCount)] {
            #expect(isWorthTrying(plain, algorithm))
            #expect(try compress(plain, algorithm).count < byteCount)
        }
    }

    @Test(arguments: CompressionAlgorithm.allCases, byteCounts)
    func randomBytesAreNot(algorithm: CompressionAlgorithm, byteCount: Int) throws {
        let plain = Samples.random(byteCount: byteCount)
        #expect(!isWorthTrying(plain, algorithm))
        #expect(try compress(plain, algorithm).count > byteCount)
    }

    /// Entropy alone would call these random.
    @Test(arguments: CompressionAlgorithm.allCases, byteCounts)
    func everyByteInTurnIs(algorithm: CompressionAlgorithm, byteCount: Int) throws {
        let plain = Samples.counting(byteCount: byteCount)
        #expect(isWorthTrying(plain, algorithm))
        #expect(try compress(plain, algorithm).count < byteCount * 5 / 8)
    }

    @Test(arguments: CompressionAlgorithm.allCases, [1, 2, 4, 7])
    func aCompressedHeadHidesNoTail(algorithm: CompressionAlgorithm, eighths: Int) throws {
        let byteCount = 256 << 10
        let tail = Samples.json(byteCount: byteCount / 8 * eighths)
        let plain = Samples.random(byteCount: byteCount - tail.count) + tail
        #expect(isWorthTrying(plain, algorithm))
        #expect(isWorthTrying(Array(plain.reversed()), algorithm))
        #expect(try compress(plain, algorithm).count < byteCount)
    }

    @Test(arguments: CompressionAlgorithm.allCases)
    func whatIsCompressedIsNotCompressedAgain(algorithm: CompressionAlgorithm) throws {
        let compressed = try compress(Samples.english(byteCount: 200_000), .zstd, level: 19)
        #expect(!isWorthTrying(compressed, algorithm))
    }

    /// zstd gives frequent bytes short codes, lz4 finds repetitions only.
    @Test(arguments: [4096, 1 << 20])
    func base64IsForZstdOnly(byteCount: Int) throws {
        let plain = Samples.base64(byteCount: byteCount)
        #expect(isWorthTrying(plain, .zstd))
        #expect(try compress(plain, .zstd).count < byteCount * 7 / 8)
        #expect(!isWorthTrying(plain, .lz4))
        #expect(try compress(plain, .lz4).count > byteCount * 15 / 16)
    }

    @Test(arguments: CompressionAlgorithm.allCases)
    func whatIsShortIsNot(algorithm: CompressionAlgorithm) {
        for byteCount in 0..<64 { #expect(!isWorthTrying([UInt8](repeating: 0, count: byteCount), algorithm)) }
        #expect(isWorthTrying([UInt8](repeating: 0, count: 64), algorithm))
    }
}
