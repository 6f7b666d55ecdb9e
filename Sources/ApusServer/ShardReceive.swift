// From the kernel's bytes to answers: a lease comes in, whole packets are answered where they lie, the rest is kept,
// the lease goes back.

import ApusReactor
import ApusWire

extension Shard where IO: ~Copyable {
    mutating func received(_ completion: Completion) {
        let slot = completion.token.slot
        guard let connection = connection(for: completion.token) else { return receivedForGone(completion) }
        state.pointee.touch(slot)
        if !completion.hasMore {
            connection.pointee.receiving = false
            connection.pointee.cancelling = false
        }
        guard let lease = completion.lease else { return receivedNothing(completion.result, slot, connection) }
        receive(UnsafeMutableRawBufferPointer(start: lease.start, count: Int(lease.byteCount)), slot, connection)
        recycle(lease)
    }

    private mutating func recycle(_ lease: Lease) {
        if io.plants(.leakedLease) { return }
        if io.plants(.doubleRecycle) { io.recycle(lease) }
        io.recycle(lease)
    }

    private mutating func receivedForGone(_ completion: Completion) {
        state.pointee.counters.staleCompletions.add()
        if let lease = completion.lease { recycle(lease) }
    }

    /// Bytes of the wire. They are ours until the lease goes back: sealed payloads are opened where they lie.
    private mutating func receive(
        _ bytes: UnsafeMutableRawBufferPointer, _ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>
    ) {
        state.pointee.counters.bytesReceived.add(UInt64(bytes.count))
        state.pointee.counters.listeners[connection.pointee.listener].pointee.bytesReceived.add(UInt64(bytes.count))
        // 2^64 bytes do not come.
        connection.pointee.receivedByteCount &+= UInt64(bytes.count)
        connection.pointee.lastReceived = state.pointee.now
        if !connection.pointee.isHeard {
            connection.pointee.isHeard = true
            scheduleTimer(slot, connection)
        }
        // A connection that is ending reads only so that closing it does not reset what the peer has yet to read.
        guard connection.pointee.phase == .open else { return }
        if connection.pointee.awaitsProxyHeader { return receiveProxyHeader(bytes, slot, connection) }
        receiveWire(bytes, slot, connection)
    }

    /// Bytes of what the listener speaks, protected or not.
    @inline(__always)
    mutating func receiveWire(
        _ bytes: UnsafeMutableRawBufferPointer, _ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>
    ) {
        if case .tls(let tls) = connection.pointee.protection {
            return receiveRecords(UnsafeRawBufferPointer(bytes), tls, slot, connection)
        }
        receivePackets(bytes, slot, connection)
    }

    /// Bytes of packets, plain or sealed.
    mutating func receivePackets(
        _ bytes: UnsafeMutableRawBufferPointer, _ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>
    ) {
        if connection.pointee.isPaused { return keep(UnsafeRawBufferPointer(bytes), connection, slot) }
        if speaksHTTP(slot, connection) {
            return receiveRequests(UnsafeRawBufferPointer(bytes), slot, connection)
        }
        let rest = connection.pointee.inbound.isEmpty ? bytes : completePacket(bytes, slot, connection)
        guard rest.count > 0, connection.pointee.phase == .open else { return }
        let consumed = connection.pointee.isPaused ? 0 : answer(rest, slot, connection)
        guard consumed < rest.count, connection.pointee.phase == .open else { return }
        keep(UnsafeRawBufferPointer(rebasing: rest[consumed...]), connection, slot)
        awaitRest(slot, connection)
    }

    /// Feed the packet that began in an earlier lease, and answer it when it is whole; returns the bytes behind it.
    private mutating func completePacket(
        _ bytes: UnsafeMutableRawBufferPointer, _ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>
    ) -> UnsafeMutableRawBufferPointer {
        var rest = bytes
        while rest.count > 0, connection.pointee.phase == .open, !connection.pointee.isPaused {
            let missing = connection.pointee.byteCountNeeded - connection.pointee.inbound.byteCount
            guard missing > 0 else { break }
            let part = min(missing, rest.count)
            keep(UnsafeRawBufferPointer(rebasing: rest[..<part]), connection, slot)
            rest = UnsafeMutableRawBufferPointer(rebasing: rest[part...])
            guard connection.pointee.phase == .open else { break }
            // A header that is not whole is looked at again with every byte: it is refused at the first wrong one.
            let isHeader = connection.pointee.inbound.byteCount < PacketFormat.headerByteCount
            if part == missing || isHeader { answerInbound(slot, connection) }
            if connection.pointee.inbound.isEmpty { break }
        }
        return rest
    }

    /// Answer what was kept.
    mutating func answerInbound(_ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>) {
        let consumed = answer(connection.pointee.inbound.bytes, slot, connection)
        connection.pointee.inbound.consume(consumed, pool: &state.pointee.pool)
    }

    /// Hand bytes to what the connection speaks; returns how many of them are done with.
    private mutating func answer(
        _ bytes: UnsafeMutableRawBufferPointer, _ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>
    ) -> Int {
        var consumedByteCount = 0
        while true {
            let rest = UnsafeMutableRawBufferPointer(rebasing: bytes[consumedByteCount...])
            let progress = step(rest, slot, connection)
            consumedByteCount += progress.consumedByteCount
            switch progress.stop {
            case .changed:
                scheduleTimer(slot, connection)
                continue
            case .incomplete(let byteCountNeeded):
                connection.pointee.byteCountNeeded = byteCountNeeded
            case .paused:
                connection.pointee.isPaused = true
                state.pointee.counters.pauses.add()
            case .finish(let reason):
                finish(slot, connection, reason)
            }
            return consumedByteCount
        }
    }

    @inline(__always)
    private mutating func step(
        _ bytes: UnsafeMutableRawBufferPointer, _ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>
    ) -> SessionProgress {
        let span = RawSpan(_unsafeBytes: UnsafeRawBufferPointer(bytes))
        switch connection.pointee.protection {
        case .none, .tls:
            return switch connection.pointee.session {
            case .message: MessageSession.answer(span, of: slot, connection, in: state)
            case .packet: PacketSession.answer(span, of: slot, connection, in: state)
            case .admin: AdminSession.answer(span, of: slot, connection, in: state)
            case .relay: RelaySession.answer(span, of: slot, connection, in: state)
            }
        case .handshake(let handshake):
            return HandshakeSession.answer(span, with: handshake, connection, in: state)
        case .sealed(let sealed):
            return SealedSession.answer(bytes, with: sealed, of: slot, connection, in: state)
        }
    }

    mutating func keep(
        _ bytes: UnsafeRawBufferPointer, _ connection: UnsafeMutablePointer<Connection>, _ slot: UInt32
    ) {
        // Large unfinished packets must not take the last buffers, which others need for their replies.
        let isLarge = connection.pointee.inbound.byteCount + bytes.count > Limits.backlogByteCountMax
        let mayGrow = !isLarge || state.pointee.pool.byteCountInUse < state.pointee.limits.memoryHighWater
        guard mayGrow, connection.pointee.inbound.copyIn(bytes, pool: &state.pointee.pool) else {
            return abort(slot, connection, .memoryBudget)
        }
    }

    /// Replies have left or asynchronous ones arrived: decoding goes on where it stopped.
    mutating func resume(_ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>) {
        guard connection.pointee.phase == .open, connection.pointee.isPaused else { return }
        guard connection.pointee.unsentByteCount < state.pointee.limits.outstandingByteCountMax / 2 else { return }
        if io.plants(.lostResume) { return }
        connection.pointee.isPaused = false
        // Silence while we did not listen is not the peer's.
        connection.pointee.lastReceived = state.pointee.now
        state.pointee.touch(slot)
        answerInbound(slot, connection)
        // As with its silence, what it could not send while we did not read counts from now.
        if !connection.pointee.inbound.isEmpty { awaitRest(slot, connection) }
        if case .tls(let tls) = connection.pointee.protection, tls.pointee.recordSince != .never {
            awaitRecord(tls, madeProgress: true, slot, connection)
        }
        if connection.pointee.peerFinished { finishAfterPeer(slot, connection) }
    }

    private mutating func receivedNothing(
        _ result: Int32, _ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>
    ) {
        switch ReceiveError(result) {
        case .finished:
            connection.pointee.peerFinished = true
            finishAfterPeer(slot, connection)
        case .starved:
            state.pointee.counters.starvedReceives.add()
            state.pointee.note(.starved)
            if io.plants(.lostStarvedRearm) { connection.pointee.receiving = true }
        case .interrupted: break
        case .reset: abort(slot, connection, .reset)
        case .failed: abort(slot, connection, .ioError)
        }
    }

    /// The peer will send no more: what it sent is still answered.
    mutating func finishAfterPeer(_ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>) {
        guard connection.pointee.phase == .open, !connection.pointee.isPaused else { return }
        if !connection.pointee.inbound.isEmpty || isCut(connection) { return finish(slot, connection, .truncated) }
        finish(slot, connection, connection.pointee.isToldToLeave ? .drained : .peerFinished)
    }

    /// The peer went away in the middle of a handshake, or without TLS's goodbye: somebody may have cut the stream.
    private func isCut(_ connection: UnsafeMutablePointer<Connection>) -> Bool {
        if case .tls(let tls) = connection.pointee.protection, !tls.pointee.isClosedByPeer { return true }
        return !connection.pointee.isEstablished
    }
}
