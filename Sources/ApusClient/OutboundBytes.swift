// Bytes for the peer: one block in flight, which stays where it is until the kernel is done with it, and what gathers
// behind it. It never talks to the ring.

import ApusReactor

struct OutboundBytes: ~Copyable {
    /// A session writes no further message above this; it is what one send takes.
    static let gatheredByteCountMax = 256 << 10
    /// A block or an array of at most this size is kept for the next send.
    private static let keptByteCountMax = 64 << 10

    private var gathered: [UInt8] = []
    /// Raw memory, since an array's may move while the kernel reads it. Ours alone: replaced and freed only between
    /// sends.
    private var block = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    private var blockByteCount = 0
    private var sentByteCount = 0

    deinit { block.deallocate() }

    var isEmpty: Bool { gathered.isEmpty && blockByteCount == 0 }
    var isFull: Bool { gathered.count >= OutboundBytes.gatheredByteCountMax }

    /// What has gathered, to be sealed and sent by somebody else.
    mutating func takeGathered() -> [UInt8] {
        var taken: [UInt8] = []
        swap(&taken, &gathered)
        return taken
    }

    mutating func append(_ bytes: [UInt8]) { gathered.append(contentsOf: bytes) }

    /// The bytes to send now; empty when there are none. They stay in place until `sent`, so call it when no send is in
    /// flight.
    mutating func nextSend() -> UnsafeRawBufferPointer {
        if blockByteCount == 0 { fillBlock() }
        let count = min(blockByteCount - sentByteCount, OutboundBytes.gatheredByteCountMax)
        return UnsafeRawBufferPointer(rebasing: block[sentByteCount..<sentByteCount + count])
    }

    /// The kernel took so many bytes, perhaps fewer than it was given.
    mutating func sent(_ byteCount: Int) {
        sentByteCount += byteCount
        guard sentByteCount == blockByteCount else { return }
        (blockByteCount, sentByteCount) = (0, 0)
        if block.count > OutboundBytes.keptByteCountMax { replaceBlock(byteCount: 0) }
    }

    private mutating func fillBlock() {
        guard !gathered.isEmpty else { return }
        if block.count < gathered.count { replaceBlock(byteCount: max(gathered.count, 4096)) }
        block.copyBytes(from: gathered)
        blockByteCount = gathered.count
        gathered.removeAll(keepingCapacity: gathered.count <= OutboundBytes.keptByteCountMax)
    }

    private mutating func replaceBlock(byteCount: Int) {
        block.deallocate()
        block = byteCount == 0
            ? UnsafeMutableRawBufferPointer(start: nil, count: 0)
            : .allocate(byteCount: byteCount, alignment: 16)
    }
}
