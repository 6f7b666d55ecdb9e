// Buffers for connections, in size classes under one byte budget. It never looks inside one, nor knows who holds it.

import Glibc

/// A buffer on loan from a pool; it goes back exactly once, with `give`. Safe to hold; touching `start` is not, once
/// the chunk has been given back.
@safe
public struct Chunk: BitwiseCopyable {
    public let start: UnsafeMutableRawPointer
    /// The capacity: the size of the whole class, at least what was asked for.
    public let byteCount: Int
    public let sizeClass: UInt8

    @inlinable
    init(start: UnsafeMutableRawPointer, byteCount: Int, sizeClass: UInt8) {
        unsafe self.start = start
        self.byteCount = byteCount
        self.sizeClass = sizeClass
    }
}

/// Address space is reserved at start, for each class as much as the budget allows it at most; pages become resident
/// when they are first touched.
@safe
public struct BufferPool: ~Copyable {
    @inlinable public static var chunkByteCountMin: Int { 4096 }
    public static let chunkByteCountMax = 32 << 20
    @usableFromInline static var classCount: Int { 14 }

    /// The sum of the capacities of all chunks that may be out at once.
    public let byteBudget: Int
    @inlinable public var byteCountInUse: Int { lentByteCount }
    @usableFromInline var lentByteCount = 0
    @usableFromInline var classes: InlineArray<14, SizeClass>

    /// - Parameters:
    ///   - byteBudget: for all classes together; a class whose chunks are larger does not exist.
    ///   - cachedByteCountMax: how much free memory each class keeps resident. What comes back beyond it goes to the
    ///     kernel, and so does every chunk that is larger by itself: the page faults it costs to have one again are
    ///     cheap beside the bytes that will be moved through it, and an idle shard would hold 62 MiB in such chunks.
    public init(byteBudget: Int, cachedByteCountMax: Int = 1 << 20) throws(SystemError) {
        precondition(byteBudget >= BufferPool.chunkByteCountMin, "a budget below the smallest chunk lends nothing")
        classes = try InlineArray { (index) throws(SystemError) in
            try SizeClass(
                chunkByteCount: BufferPool.chunkByteCountMin << index, byteBudget: byteBudget,
                cachedByteCountMax: cachedByteCountMax)
        }
        self.byteBudget = byteBudget
    }

    /// A chunk of at least `byteCount` bytes, their content unspecified. Nil is an answer of flow control: the budget
    /// is spent, or no class is that large.
    @inlinable
    public mutating func take(atLeast byteCount: Int) -> Chunk? {
        let index = BufferPool.sizeClass(for: byteCount)
        guard index < BufferPool.classCount else { return nil }
        let chunkByteCount = BufferPool.chunkByteCountMin << index
        guard chunkByteCount <= byteBudget - lentByteCount else { return nil }
        lentByteCount += chunkByteCount
        let start = unsafe classes[index].take()
        return unsafe Chunk(start: start, byteCount: chunkByteCount, sizeClass: UInt8(index))
    }

    @inlinable
    public mutating func give(_ chunk: Chunk) {
        unsafe classes[Int(chunk.sizeClass)].give(chunk.start)
        lentByteCount -= chunk.byteCount
    }

    /// The smallest class that holds `byteCount`; past the last when none does.
    @inlinable
    static func sizeClass(for byteCount: Int) -> Int {
        precondition(byteCount >= 0, "a negative byte count")
        let rounded = max(byteCount, chunkByteCountMin)
        // The width of one less is the exponent of the next power of two.
        return (Int.bitWidth - (rounded - 1).leadingZeroBitCount) - chunkByteCountMin.trailingZeroBitCount
    }
}

// MARK: One size

/// The chunks of one size. Those never used lie behind `usedCount`; the free ones lie on two stacks that share one
/// array, from its front those whose pages are resident, from its back those whose pages the kernel has taken back:
///
///     [ warm, warm, warm → |            free places             | ← cold, cold ]
@safe
@usableFromInline
struct SizeClass: ~Copyable {
    @usableFromInline let chunkByteCount: Int
    @usableFromInline let capacity: Int
    @usableFromInline let warmCountMax: Int
    @usableFromInline var usedCount = 0
    @usableFromInline var warmCount = 0
    private var coldCount = 0
    @usableFromInline let memory: ReservedMemory
    /// The two stacks, of chunk indices, behind the chunks.
    @usableFromInline let stacks: UnsafeMutablePointer<UInt32>
    /// Whether each chunk is out; only debug builds write here.
    @usableFromInline let loans: UnsafeMutablePointer<Bool>

    init(chunkByteCount: Int, byteBudget: Int, cachedByteCountMax: Int) throws(SystemError) {
        self.chunkByteCount = chunkByteCount
        capacity = byteBudget / chunkByteCount
        warmCountMax = cachedByteCountMax / chunkByteCount
        let chunksByteCount = capacity * chunkByteCount
        let stacksByteCount = capacity * MemoryLayout<UInt32>.stride
        // One byte more, because a class without chunks still has an address.
        memory = try ReservedMemory(byteCount: chunksByteCount + stacksByteCount + capacity + 1, for: "buffers")
        unsafe stacks = (memory.start + chunksByteCount).bindMemory(to: UInt32.self, capacity: capacity)
        unsafe loans = (memory.start + chunksByteCount + stacksByteCount).bindMemory(to: Bool.self, capacity: capacity)
        if chunkByteCount < SizeClass.hugePageByteCount { keepPagesSmall() }
    }

    @inlinable
    mutating func take() -> UnsafeMutableRawPointer {
        let index = takeIndex()
        noteLoan(of: index, true)
        return unsafe memory.start + index * chunkByteCount
    }

    @inlinable
    mutating func give(_ start: UnsafeMutableRawPointer) {
        let offset = unsafe start - memory.start
        // Chunks are powers of two, and a shift is many times faster than a division.
        let index = offset >> chunkByteCount.trailingZeroBitCount
        precondition(offset == index * chunkByteCount && (0..<usedCount).contains(index), "a chunk of another pool")
        noteLoan(of: index, false)
        if warmCount < warmCountMax {
            unsafe stacks[warmCount] = UInt32(index)
            warmCount += 1
        } else {
            giveCold(index)
        }
    }

    /// Resident chunks first, the one given back last before all: it is the likeliest to be in the processor's caches.
    @inlinable
    mutating func takeIndex() -> Int {
        guard warmCount > 0 else { return takeColdIndex() }
        warmCount -= 1
        return unsafe Int(stacks[warmCount])
    }

    @usableFromInline
    mutating func takeColdIndex() -> Int {
        if coldCount > 0 {
            coldCount -= 1
            return unsafe Int(stacks[capacity - 1 - coldCount])
        }
        // The budget covers at most `capacity` chunks of this class, so one is left.
        precondition(usedCount < capacity)
        usedCount += 1
        return usedCount - 1
    }

    @usableFromInline
    mutating func giveCold(_ index: Int) {
        // Its result says nothing we could act on: if the pages stay, the chunk is merely warmer than we think.
        _ = unsafe madvise(memory.start + index * chunkByteCount, chunkByteCount, MADV_DONTNEED)
        unsafe stacks[capacity - 1 - coldCount] = UInt32(index)
        coldCount += 1
    }
}

extension SizeClass {
    private static var hugePageByteCount: Int { 2 << 20 }

    /// Otherwise the first byte written into a small chunk could make two megabytes resident.
    private func keepPagesSmall() {
        // A kernel without huge pages refuses, which is as good.
        _ = unsafe madvise(memory.start, capacity * chunkByteCount, MADV_NOHUGEPAGE)
    }

    /// A chunk given back twice would be lent twice: two connections would write into one another's bytes.
    @inlinable
    func noteLoan(of index: Int, _ isOut: Bool) {
        #if DEBUG
            unsafe precondition(loans[index] != isOut, "a chunk was given back twice")
            unsafe loans[index] = isOut
        #endif
    }
}
