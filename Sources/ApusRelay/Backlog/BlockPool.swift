// Bytes of many streams in blocks of one size, under one budget. It never looks inside a message, nor knows whose
// stream it is.

import ApusWire

/// One stream: messages go in at its end and come out at its beginning. Empty, it has no block.
struct BlockStream: BitwiseCopyable {
    fileprivate(set) var firstBlock = UInt32.nothing
    fileprivate(set) var lastBlock = UInt32.nothing
    /// Within the first block, and within the last.
    fileprivate(set) var readOffset = 0
    fileprivate(set) var writeOffset = 0
    fileprivate(set) var blockCount = 0
    fileprivate(set) var messageCount = 0
    /// Of the messages alone.
    fileprivate(set) var byteCount = 0
}

/// What a stream holds of a message; it goes on from block to block, and the next one begins at a multiple of eight, so
/// that no label is ever cut:
///
///      63                                          16 15              0
///     +----------------------------------------------+----------------+
///     | when it came, in units of 1,024 ns           | its byte count |     and then its bytes
///     +----------------------------------------------+----------------+
///
/// Blocks are touched when they are first used.
@safe
struct BlockPool: ~Copyable {
    static let blockByteCount = 2048
    private static let labelByteCount = MemoryLayout<UInt64>.size
    private static let timeUnitShift: UInt64 = 10

    private let memory: UnsafeMutableRawPointer
    private var numbers: Numbers
    private let nextBlock: Reserved<UInt32>

    init(blockCount: Int) {
        unsafe memory = .allocate(byteCount: blockCount * BlockPool.blockByteCount, alignment: 64)
        numbers = Numbers(capacity: blockCount)
        nextBlock = Reserved(capacity: blockCount)
    }

    deinit { unsafe memory.deallocate() }

    static func byteCount(blockCount: Int) -> Int {
        blockCount * blockByteCount + Numbers.byteCount(capacity: blockCount)
            + Reserved<UInt32>.byteCount(capacity: blockCount)
    }

    var freeCount: Int { numbers.freeCount }
    var takenCount: Int { numbers.takenCount }

    /// How many blocks a stream needs beyond those it has, to take a message of so many bytes.
    static func blocksNeeded(for byteCount: Int, in stream: BlockStream) -> Int {
        let room = stream.lastBlock == .nothing ? 0 : blockByteCount - stream.writeOffset
        return (max(0, storedByteCount(byteCount) - room) + blockByteCount - 1) / blockByteCount
    }

    /// With its label, and rounded up to where the next begins.
    private static func storedByteCount(_ byteCount: Int) -> Int { labelByteCount + (byteCount + 7) & ~7 }

    /// The blocks it needs must be free.
    ///
    /// - Parameters:
    ///   - message: 1 to 65,535 bytes.
    ///   - now: nanoseconds, below 2^58.
    mutating func append(_ message: RawSpan, to stream: inout BlockStream, at now: UInt64) {
        let label = (now >> BlockPool.timeUnitShift) << 16 | UInt64(message.byteCount)
        extendIfFull(&stream)
        unsafe address(stream.lastBlock, stream.writeOffset, BlockPool.labelByteCount)
            .storeBytes(of: label, as: UInt64.self)
        stream.writeOffset += BlockPool.labelByteCount
        var offset = 0
        while offset < message.byteCount {
            extendIfFull(&stream)
            let end = min(message.byteCount, offset + BlockPool.blockByteCount - stream.writeOffset)
            copy(message.extracting(offset..<end), to: stream.lastBlock, stream.writeOffset)
            stream.writeOffset += (end - offset + 7) & ~7
            offset = end
        }
        stream.messageCount += 1
        stream.byteCount += message.byteCount
    }

    /// Of the oldest message. The stream must not be empty.
    func oldestByteCount(in stream: BlockStream) -> Int { Int(label(in: stream) & 0xFFFF) }

    /// How long the oldest message has waited, to about a microsecond.
    func oldestAge(in stream: BlockStream, at now: UInt64) -> UInt64 {
        let came = (label(in: stream) >> 16) << BlockPool.timeUnitShift
        return now > came ? now - came : 0
    }

    /// The oldest message comes out. The output must have room for it.
    @_lifetime(output: copy output)
    mutating func popOldest(from stream: inout BlockStream, into output: inout OutputRawSpan) {
        var rest = begin(&stream)
        while rest > 0 {
            leaveIfRead(&stream)
            let count = min(rest, BlockPool.blockByteCount - stream.readOffset)
            // Within the block, which is the stream's until it is given back.
            let start = unsafe UnsafeRawPointer(address(stream.firstBlock, stream.readOffset, count))
            output.append(copying: unsafe RawSpan(_unsafeStart: start, byteCount: count))
            stream.readOffset += (count + 7) & ~7
            rest -= count
        }
        end(&stream)
    }

    /// The oldest message is lost. The stream must not be empty.
    mutating func dropOldest(from stream: inout BlockStream) {
        var rest = begin(&stream)
        while rest > 0 {
            leaveIfRead(&stream)
            let count = min(rest, BlockPool.blockByteCount - stream.readOffset)
            stream.readOffset += (count + 7) & ~7
            rest -= count
        }
        end(&stream)
    }

    /// All messages are lost.
    mutating func discard(_ stream: inout BlockStream) {
        while stream.firstBlock != .nothing { giveFirst(of: &stream) }
        stream = BlockStream()
    }
}

// MARK: Blocks

extension BlockPool {
    /// Where so many bytes of a block are.
    private func address(_ block: UInt32, _ offset: Int, _ byteCount: Int) -> UnsafeMutableRawPointer {
        precondition(Int(block) < numbers.capacity && offset >= 0 && byteCount > 0, "no such place")
        precondition(offset + byteCount <= BlockPool.blockByteCount, "the block ends before")
        return unsafe memory + (Int(block) * BlockPool.blockByteCount + offset)
    }

    private func copy(_ bytes: RawSpan, to block: UInt32, _ offset: Int) {
        unsafe bytes.withUnsafeBytes { bytes in
            // Not empty, and there is room for all of them.
            unsafe address(block, offset, bytes.count).copyMemory(
                from: bytes.baseAddress.unsafelyUnwrapped, byteCount: bytes.count)
        }
    }

    private func label(in stream: BlockStream) -> UInt64 {
        precondition(stream.messageCount > 0, "the stream is empty")
        // Behind a block that is read to its end comes the next one's beginning.
        let isRead = stream.readOffset == BlockPool.blockByteCount
        let block = isRead ? nextBlock[stream.firstBlock] : stream.firstBlock
        let offset = isRead ? 0 : stream.readOffset
        // Eight bytes that were written as one number, at a multiple of eight.
        return unsafe address(block, offset, BlockPool.labelByteCount).load(as: UInt64.self)
    }

    /// Step over the oldest message's label; its byte count.
    private mutating func begin(_ stream: inout BlockStream) -> Int {
        let byteCount = oldestByteCount(in: stream)
        leaveIfRead(&stream)
        stream.readOffset += BlockPool.labelByteCount
        stream.messageCount -= 1
        stream.byteCount -= byteCount
        return byteCount
    }

    /// Behind the last message a stream has no block.
    private mutating func end(_ stream: inout BlockStream) {
        if stream.messageCount == 0 { discard(&stream) } else { leaveIfRead(&stream) }
    }

    private mutating func leaveIfRead(_ stream: inout BlockStream) {
        if stream.readOffset == BlockPool.blockByteCount { giveFirst(of: &stream) }
    }

    private mutating func giveFirst(of stream: inout BlockStream) {
        let block = stream.firstBlock
        stream.firstBlock = block == stream.lastBlock ? .nothing : nextBlock[block]
        stream.readOffset = 0
        stream.blockCount -= 1
        numbers.give(block)
    }

    private mutating func extendIfFull(_ stream: inout BlockStream) {
        guard stream.lastBlock == .nothing || stream.writeOffset == BlockPool.blockByteCount else { return }
        guard let block = numbers.take() else { preconditionFailure("the caller has seen to free blocks") }
        if stream.lastBlock == .nothing { stream.firstBlock = block } else { nextBlock[stream.lastBlock] = block }
        (stream.lastBlock, stream.writeOffset) = (block, 0)
        stream.blockCount += 1
    }
}
