// No allocation once a context exists; the test runs itself once more, in a process whose allocator counts.

import ApusCompression
import TestSupport
import Testing

struct AllocationTests {
    @Test func aContextAllocatesAtItsStartOnly() throws {
        if let count = AllocationCount.function {
            for algorithm in CompressionAlgorithm.allCases {
                for level in algorithm.levels { try expectNone(algorithm, level: level, count) }
            }
        } else {
            try AllocationCount.runAgain(filter: "aContextAllocatesAtItsStartOnly")
        }
    }

    /// Each operation twice, and the second time counted. No refusal by a throw: the testing library notes where each
    /// error is thrown, which allocates.
    private func expectNone(
        _ algorithm: CompressionAlgorithm, level: Int, _ count: AllocationCount.Function
    ) throws {
        let (plain, random) = (Samples.json(byteCount: 20_000), Samples.random(byteCount: 20_000))
        let compressed = try compress(plain, algorithm)
        var target = [UInt8](repeating: 0, count: 30_000)
        var compressor = try Compressor(algorithm, level: level, byteCountMax: 30_000)
        var decompressor = Decompressor(algorithm, byteCountMax: 30_000)
        target.withUnsafeMutableBytes { target in
            for isCounted in [false, true] {
                let before = count()
                _ = compressor.compress(plain.span.bytes, into: target)
                _ = compressor.compress(plain.span.bytes.extracting(0..<100), into: target)
                _ = compressor.compress(random.span.bytes, into: target)
                let isDecompressed = decompressor.decompresses(compressed.span.bytes, into: target)
                _ = Compression.isWorthTrying(plain.span.bytes, with: algorithm)
                _ = Compression.isWorthTrying(random.span.bytes, with: algorithm)
                let allocations = count() - before
                #expect(isDecompressed)
                #expect(!isCounted || allocations == 0, "\(algorithm), level \(level)")
            }
        }
    }
}

extension Decompressor {
    fileprivate mutating func decompresses(
        _ source: RawSpan, into target: UnsafeMutableRawBufferPointer
    ) -> Bool {
        do throws(CompressionError) {
            return try decompress(source, into: target) >= 0
        } catch {
            return false
        }
    }
}
