import ApusReactor
import Glibc
import TestSupport
import Testing

/// `#require` cannot look into a value that must not be copied.
private func take(from pool: inout BufferPool, _ byteCount: Int) throws -> Chunk {
    let chunk = pool.take(atLeast: byteCount)
    return try #require(chunk)
}

@Suite struct BufferPoolTests {
    @Test(arguments: [(0, 4096), (1, 4096), (4096, 4096), (4097, 8192), (65_537, 131_072), (16 << 20, 16 << 20)])
    func chunkIsTheNextPowerOfTwo(_ byteCount: Int, _ expected: Int) throws {
        var pool = try BufferPool(byteBudget: 64 << 20)
        let chunk = pool.take(atLeast: byteCount)
        #expect(chunk?.byteCount == expected)
        #expect(pool.byteCountInUse == expected)
    }

    @Test func budgetIsTheSumOfCapacities() throws {
        var pool = try BufferPool(byteBudget: 3 * 4096)
        let small = try take(from: &pool, 1)
        let large = try take(from: &pool, 5000)
        let none = pool.take(atLeast: 1)
        #expect(none == nil)
        #expect(pool.byteCountInUse == pool.byteBudget)
        pool.give(large)
        pool.give(small)
        #expect(pool.byteCountInUse == 0)
        let again = pool.take(atLeast: 8192)
        #expect(again != nil)
    }

    @Test func refusesWhatNoClassHolds() throws {
        var pool = try BufferPool(byteBudget: 1 << 30)
        let largest = pool.take(atLeast: BufferPool.chunkByteCountMax)
        let tooLarge = pool.take(atLeast: BufferPool.chunkByteCountMax + 1)
        let beyondAll = pool.take(atLeast: .max)
        #expect(largest != nil)
        #expect(tooLarge == nil)
        #expect(beyondAll == nil)
    }

    @Test func refusesChunksLargerThanTheBudget() throws {
        var pool = try BufferPool(byteBudget: 10_000)
        let tooLarge = pool.take(atLeast: 10_000)
        let fits = pool.take(atLeast: 8192)
        #expect(tooLarge == nil)
        #expect(fits != nil)
    }

    @Test func whatComesBackLastGoesOutFirst() throws {
        var pool = try BufferPool(byteBudget: 1 << 20)
        let first = try take(from: &pool, 1)
        let second = try take(from: &pool, 1)
        pool.give(first)
        pool.give(second)
        let next = try take(from: &pool, 1)
        #expect(next.start == second.start)
    }

    /// Pages that went back to the kernel come again as zeros, so their content tells where a chunk has been.
    @Test(arguments: [(4096, true), (8192, true), (16384, false)])
    func keepsFreeMemoryUpToItsLimit(_ byteCount: Int, _ isKept: Bool) throws {
        var pool = try BufferPool(byteBudget: 1 << 20, cachedByteCountMax: 8192)
        let chunk = try take(from: &pool, byteCount)
        chunk.start.storeBytes(of: 0xA5, as: UInt8.self)
        pool.give(chunk)
        let again = try take(from: &pool, byteCount)
        #expect(again.start == chunk.start)
        #expect(again.start.load(as: UInt8.self) == (isKept ? 0xA5 : 0))
    }

    @Test func prefersResidentChunks() throws {
        var pool = try BufferPool(byteBudget: 1 << 20, cachedByteCountMax: 4096)
        let kept = try take(from: &pool, 1)
        let returned = try take(from: &pool, 1)
        pool.give(kept)
        pool.give(returned)
        let first = try take(from: &pool, 1)
        let second = try take(from: &pool, 1)
        #expect(first.start == kept.start)
        #expect(second.start == returned.start)
    }

    @Test func unmapsItsMemory() throws {
        let start: UnsafeMutableRawPointer
        do {
            var pool = try BufferPool(byteBudget: 1 << 20)
            start = try take(from: &pool, 1).start
            #expect(msync(start, 4096, MS_ASYNC) == 0)
        }
        #expect(msync(start, 4096, MS_ASYNC) == -1)
    }

    @Test func saysWhatItCouldNotReserve() {
        #expect {
            _ = try BufferPool(byteBudget: 1 << 46)
        } throws: { error in
            "\(error)".contains("Cannot reserve") && "\(error)".contains("for buffers")
        }
    }

    #if DEBUG
        @Test func trapsWhenAChunkIsGivenBackTwice() async {
            await #expect(processExitsWith: .failure) {
                var pool = try BufferPool(byteBudget: 1 << 20)
                let other = try take(from: &pool, 1)
                let chunk = try take(from: &pool, 1)
                pool.give(chunk)
                pool.give(chunk)
                pool.give(other)
            }
        }
    #endif

    @Test func trapsWhenAChunkIsOfAnotherPool() async {
        await #expect(processExitsWith: .failure) {
            var pool = try BufferPool(byteBudget: 1 << 20)
            var other = try BufferPool(byteBudget: 1 << 20)
            let chunk = try take(from: &pool, 1)
            _ = other.take(atLeast: 1)
            other.give(chunk)
        }
    }

    /// Every chunk carries its number at both ends: two that overlapped would overwrite one another's.
    @Test(arguments: Seeds.all)
    func chunksNeverOverlap(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var pool = try BufferPool(byteBudget: 4 << 20, cachedByteCountMax: 64 << 10)
        var out: [(chunk: Chunk, number: UInt64)] = []
        for number in 0..<4_000 as Range<UInt64> {
            if Bool.random(using: &random), let chunk = pool.take(atLeast: randomByteCount(&random)) {
                mark(chunk, number)
                out.append((chunk, number))
            } else if !out.isEmpty {
                let (chunk, number) = out.remove(at: Int.random(in: 0..<out.count, using: &random))
                #expect(marks(of: chunk) == [number, number])
                pool.give(chunk)
            }
            #expect(pool.byteCountInUse == out.reduce(0) { $0 + $1.chunk.byteCount })
            #expect(pool.byteCountInUse <= pool.byteBudget)
        }
    }

    private func randomByteCount(_ random: inout SeededGenerator) -> Int {
        Int.random(in: 0..<(1 << Int.random(in: 8..<23, using: &random)), using: &random)
    }

    private func mark(_ chunk: Chunk, _ number: UInt64) {
        chunk.start.storeBytes(of: number, as: UInt64.self)
        chunk.start.storeBytes(of: number, toByteOffset: chunk.byteCount - 8, as: UInt64.self)
    }

    private func marks(of chunk: Chunk) -> [UInt64] {
        [chunk.start.load(as: UInt64.self), chunk.start.load(fromByteOffset: chunk.byteCount - 8, as: UInt64.self)]
    }
}
