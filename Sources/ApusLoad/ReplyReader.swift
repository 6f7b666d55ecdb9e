// What arrives, compared with what must arrive. Correct replies repeat the same packet for ever, so a reader only needs
// to know how far into it the stream is; only bytes that differ are looked at as packets. It holds no received bytes.

/// What one run of received bytes was.
struct Reading: BitwiseCopyable, Equatable {
    /// Expected replies that ended in these bytes.
    var replies = 0
    /// Other packets that ended in them, PINGs and DISCONNECTs apart.
    var wrong = 0
    var pings = 0
    /// The server asked us to leave.
    var isDismissed = false
    /// What follows is no packet; the connection is of no more use.
    var isBroken = false

    /// What the bytes behind it were.
    mutating func add(_ next: Reading) {
        replies += next.replies
        wrong += next.wrong
        pings += next.pings
        isDismissed = isDismissed || next.isDismissed
        isBroken = isBroken || next.isBroken
    }
}

struct ReplyReader: BitwiseCopyable {
    /// Bytes of the current reply that were as expected.
    private var matchedByteCount = 0
    private var stray: StrayPacket?

    /// - Parameters:
    ///   - bytes: a lease's; nothing keeps them.
    ///   - expected: always the same.
    @inline(__always)
    mutating func read(_ bytes: UnsafeRawBufferPointer, expecting expected: PacketRun) -> Reading {
        var reading = Reading()
        var rest = bytes
        if stray == nil { match(&rest, expected, &reading) }
        if !rest.isEmpty { readStray(rest, expected, &reading) }
        return reading
    }

    /// Take what is as expected off the front of `rest`.
    @inline(__always)
    private mutating func match(_ rest: inout UnsafeRawBufferPointer, _ expected: PacketRun, _ reading: inout Reading) {
        while let start = rest.baseAddress, !rest.isEmpty {
            let part = min(rest.count, expected.byteCount - matchedByteCount)
            let agreed = agreeingByteCount(start, expected.start + matchedByteCount, byteCount: part)
            (reading.replies, matchedByteCount) = advance(reading.replies, by: agreed, expected)
            rest = UnsafeRawBufferPointer(rebasing: rest[agreed...])
            if agreed < part { return }
        }
    }

    @inline(__always)
    private func advance(_ replies: Int, by byteCount: Int, _ expected: PacketRun) -> (Int, Int) {
        let (ended, begun) = (matchedByteCount + byteCount).quotientAndRemainder(dividingBy: expected.packetByteCount)
        return (replies + ended, begun)
    }

    @inline(never)
    private mutating func readStray(_ bytes: UnsafeRawBufferPointer, _ expected: PacketRun, _ reading: inout Reading) {
        var rest = bytes
        while !rest.isEmpty {
            var packet = stray ?? beginStray(expected)
            let verdict = packet.take(from: &rest)
            stray = verdict == .unfinished ? packet : nil
            switch verdict {
            case .unfinished: return
            case .ping: reading.pings += 1
            case .disconnect: reading.isDismissed = true
            case .wrong: reading.wrong += 1
            case .broken:
                reading.isBroken = true
                return
            }
            match(&rest, expected, &reading)
        }
    }

    /// The packet that has just turned out to be another began with bytes that were as expected.
    private mutating func beginStray(_ expected: PacketRun) -> StrayPacket {
        var packet = StrayPacket()
        var begun = UnsafeRawBufferPointer(start: expected.start, count: matchedByteCount)
        let verdict = packet.take(from: &begun)
        assert(verdict == .unfinished, "less than a whole expected packet ended one")
        matchedByteCount = 0
        return packet
    }
}
