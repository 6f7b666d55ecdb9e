// The bytes a connection has for its peer: one buffer in flight, one that gathers. It never talks to the ring.

import ApusReactor
import ApusWire

package struct Outbound: BitwiseCopyable {
    private var gathering: Chunk?
    private var sending: Chunk?
    package private(set) var gatheredByteCount = 0
    private var sendingByteCount = 0
    private var sentByteCount = 0
    /// How many of them the send in flight covers.
    private var inFlightByteCount = 0
    /// What the last turns needed, so that a busy connection's first reply takes a buffer that holds them all.
    private var expectedByteCount = 0

    /// Bytes the peer has not taken yet.
    @inline(__always)
    package var byteCount: Int { gatheredByteCount + sendingByteCount - sentByteCount }

    /// The bytes of the buffer that is on its way, sent or not; zero between two of them.
    package var batchByteCount: Int { sendingByteCount }

    package var isEmpty: Bool { byteCount == 0 }

    /// Buffers it holds; the invariant checks count them.
    package var chunkByteCount: Int { (gathering?.byteCount ?? 0) + (sending?.byteCount ?? 0) }

    /// Room for `byteCount` more bytes behind what is gathered, or nil when the pool has none left. Nothing counts as
    /// gathered until `commit`.
    @inline(__always)
    mutating func reserve(_ byteCount: Int, from pool: inout BufferPool) -> UnsafeMutableRawPointer? {
        if let gathering, gatheredByteCount + byteCount <= gathering.byteCount {
            return gathering.start + gatheredByteCount
        }
        return grow(by: byteCount, from: &pool)
    }

    @inline(__always)
    mutating func commit(_ byteCount: Int) {
        gatheredByteCount += byteCount
        assert(gatheredByteCount <= gathering?.byteCount ?? 0)
    }

    /// A larger buffer with what is gathered so far; a connection that gathers as much again will start with its size.
    @inline(never)
    private mutating func grow(by byteCount: Int, from pool: inout BufferPool) -> UnsafeMutableRawPointer? {
        let needed = gatheredByteCount + byteCount
        guard let larger = pool.take(atLeast: max(needed, expectedByteCount)) ?? pool.take(atLeast: needed) else {
            return nil
        }
        if let gathering {
            larger.start.copyMemory(from: gathering.start, byteCount: gatheredByteCount)
            pool.give(gathering)
        }
        gathering = larger
        return larger.start + gatheredByteCount
    }

    /// The bytes to send now, at most `byteCountMax` of them; call when no send is in flight. Empty: nothing to send.
    @inline(__always)
    package mutating func nextSend(byteCountMax: Int) -> UnsafeRawBufferPointer {
        if sending == nil {
            guard gatheredByteCount > 0 else { return UnsafeRawBufferPointer(start: nil, count: 0) }
            startSending()
        }
        guard let sending else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        inFlightByteCount = min(sendingByteCount - sentByteCount, byteCountMax)
        return UnsafeRawBufferPointer(start: sending.start + sentByteCount, count: inFlightByteCount)
    }

    private mutating func startSending() {
        sending = gathering
        sendingByteCount = gatheredByteCount
        sentByteCount = 0
        // Falls by an eighth a send, so one large reply does not make its connection large for good.
        expectedByteCount = max(gatheredByteCount, expectedByteCount - expectedByteCount / 8)
        gathering = nil
        gatheredByteCount = 0
    }

    /// The kernel took `byteCount` bytes; the buffer goes back to the pool when it took them all. Returns whether it
    /// took fewer than it was given; the next send goes on from there.
    @inline(__always)
    package mutating func sent(_ byteCount: Int, pool: inout BufferPool) -> Bool {
        let isShort = byteCount < inFlightByteCount
        sentByteCount += byteCount
        assert(sentByteCount <= sendingByteCount)
        if sentByteCount == sendingByteCount { endSending(&pool) }
        return isShort
    }

    /// Forget what the buffer in flight still holds.
    mutating func endSending(_ pool: inout BufferPool) {
        guard let sending else { return }
        pool.give(sending)
        self.sending = nil
        sendingByteCount = 0
        sentByteCount = 0
    }

    /// Give everything back; call when no send is in flight.
    package mutating func discard(to pool: inout BufferPool) {
        if let gathering { pool.give(gathering) }
        if let sending { pool.give(sending) }
        self = Outbound()
    }
}
