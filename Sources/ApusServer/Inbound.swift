// Bytes a connection received that are not decoded yet: a packet that straddles buffers, or what waits while decoding
// is paused. Empty, it holds no memory. It grows with what arrived, never with what was announced.

import ApusReactor

package struct Inbound: BitwiseCopyable {
    private var chunk: Chunk?
    private var start = 0
    private var end = 0

    @inline(__always)
    package var byteCount: Int { end - start }
    @inline(__always)
    package var isEmpty: Bool { start == end }
    /// The buffer it holds; the invariant checks count it.
    package var chunkByteCount: Int { chunk?.byteCount ?? 0 }

    /// What is there, oldest byte first; gone with the next change.
    var bytes: UnsafeMutableRawBufferPointer {
        guard let chunk else { return UnsafeMutableRawBufferPointer(start: nil, count: 0) }
        return UnsafeMutableRawBufferPointer(start: chunk.start + start, count: byteCount)
    }

    /// Copy bytes behind what is there: the lease they lie in goes back to the kernel at once, and only a packet that
    /// straddles leases, or a paused connection, pays for it. False: the pool has no buffer left.
    mutating func copyIn(_ source: UnsafeRawBufferPointer, pool: inout BufferPool) -> Bool {
        guard source.count > 0, let first = source.baseAddress else { return true }
        guard makeRoom(for: source.count, pool: &pool), let chunk else { return false }
        (chunk.start + end).copyMemory(from: first, byteCount: source.count)
        end += source.count
        return true
    }

    /// The oldest `byteCount` bytes were decoded.
    mutating func consume(_ byteCount: Int, pool: inout BufferPool) {
        start += byteCount
        assert(start <= end)
        if start == end { discard(to: &pool) }
    }

    mutating func discard(to pool: inout BufferPool) {
        if let chunk { pool.give(chunk) }
        self = Inbound()
    }

    private mutating func makeRoom(for count: Int, pool: inout BufferPool) -> Bool {
        if let chunk {
            if end + count <= chunk.byteCount { return true }
            if byteCount + count <= chunk.byteCount {
                moveToFront(of: chunk)
                return true
            }
        }
        guard let larger = pool.take(atLeast: byteCount + count) else { return false }
        if let chunk {
            larger.start.copyMemory(from: chunk.start + start, byteCount: byteCount)
            pool.give(chunk)
        }
        (chunk, start, end) = (larger, 0, byteCount)
        return true
    }

    private mutating func moveToFront(of chunk: Chunk) {
        // `copyMemory` allows the two places to overlap.
        chunk.start.copyMemory(from: chunk.start + start, byteCount: byteCount)
        (start, end) = (0, byteCount)
    }
}
