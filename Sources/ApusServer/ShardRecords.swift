// TLS between the wire and the session: records in, plaintext out, and back at the end of the turn. The records of TLS
// itself (handshake, tickets, alerts) go the same way as replies.

import ApusReactor
import ApusSecurity

extension Shard where IO: ~Copyable {
    /// Bytes of the wire.
    mutating func receiveRecords(
        _ bytes: UnsafeRawBufferPointer, _ tls: UnsafeMutablePointer<TLSConnection>, _ slot: UInt32,
        _ connection: UnsafeMutablePointer<Connection>
    ) {
        let (opened, records) = (state.pointee.opened.buffer(), state.pointee.records.buffer())
        var rest = bytes
        var isMore = true
        var madeProgress = false
        while isMore, connection.pointee.phase == .open {
            let step = tls.pointee.session.receive(rest, plaintext: opened, records: records)
            rest = UnsafeRawBufferPointer(rebasing: rest[step.wireByteCount...])
            guard gather(UnsafeRawBufferPointer(rebasing: records[..<step.recordByteCount]), connection) else {
                return abort(slot, connection, .memoryBudget)
            }
            // Records that a peer provokes and does not read: key updates without end.
            if step.recordByteCount > 0,
                connection.pointee.unsentByteCount > state.pointee.limits.recordByteCountLimit
            {
                return abort(slot, connection, .stalledWrite)
            }
            if !tls.pointee.hasKeys, tls.pointee.session.isHandshakeComplete { agreeOnKeys(tls, slot, connection) }
            if step.plaintextByteCount > 0 {
                madeProgress = true
                let plaintext = UnsafeMutableRawBufferPointer(rebasing: opened[..<step.plaintextByteCount])
                receivePackets(plaintext, slot, connection)
            }
            isMore = follow(step, tls, slot, connection)
        }
        awaitRecord(tls, madeProgress: madeProgress, slot, connection)
    }

    /// What the step said beyond bytes; true: there is more to do.
    private mutating func follow(
        _ step: TLSStep, _ tls: UnsafeMutablePointer<TLSConnection>, _ slot: UInt32,
        _ connection: UnsafeMutablePointer<Connection>
    ) -> Bool {
        switch step.state {
        case .wantsRecordRoom, .wantsPlaintextRoom: return true
        case .handshaking, .open, .wantsWire: return false
        case .closedByPeer:
            tls.pointee.isClosedByPeer = true
            connection.pointee.peerFinished = true
            finishAfterPeer(slot, connection)
            return false
        case .failed(let failure):
            breakTLS(failure, tls, slot, connection)
            return false
        }
    }

    /// The alert is among the records already.
    private mutating func breakTLS(
        _ failure: TLSFailure, _ tls: UnsafeMutablePointer<TLSConnection>, _ slot: UInt32,
        _ connection: UnsafeMutablePointer<Connection>
    ) {
        tls.pointee.isClosed = true
        state.pointee.counters.count(failure)
        state.pointee.note(.tlsFailed(failure), of: connection)
        finish(slot, connection, tls.pointee.hasKeys ? .tlsBroken : .tlsHandshake)
    }

    private mutating func agreeOnKeys(
        _ tls: UnsafeMutablePointer<TLSConnection>, _ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>
    ) {
        tls.pointee.hasKeys = true
        state.pointee.counters.handshakes.add()
        if tls.pointee.session.isResumed { state.pointee.counters.handshakesResumed.add() }
        // A relay's peer has yet to say who it is.
        guard connection.pointee.session != .relay else { return }
        state.pointee.established(connection)
        scheduleTimer(slot, connection)
    }

    /// Records behind what the connection has to send. False: no buffer is left.
    private mutating func gather(
        _ records: UnsafeRawBufferPointer, _ connection: UnsafeMutablePointer<Connection>
    ) -> Bool {
        guard let source = records.baseAddress, records.count > 0 else { return true }
        guard let target = connection.pointee.outbound.reserve(records.count, from: &state.pointee.pool) else {
            return false
        }
        target.copyMemory(from: source, byteCount: records.count)
        connection.pointee.outbound.commit(records.count)
        return true
    }

    /// The end of a turn: the replies that gathered become records.
    @inline(__always)
    mutating func seal(_ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>) {
        guard connection.pointee.unsealedByteCount > 0, case .tls(let tls) = connection.pointee.protection
        else { return }
        sealRecords(tls, slot, connection)
    }

    @inline(never)
    private mutating func sealRecords(
        _ tls: UnsafeMutablePointer<TLSConnection>, _ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>
    ) {
        while connection.pointee.unsealedByteCount > 0 {
            // After our close_notify, or a failure, nothing may be said.
            guard !tls.pointee.isClosed else { return dropUnsealed(tls, connection) }
            let plaintext = tls.pointee.plaintext.nextSend(byteCountMax: Limits.sendByteCountMax)
            let room = Limits.recordByteCountMax(plaintextByteCount: plaintext.count)
            guard let target = connection.pointee.outbound.reserve(room, from: &state.pointee.pool) else {
                return abort(slot, connection, .memoryBudget)
            }
            let step = tls.pointee.session.send(
                plaintext, records: UnsafeMutableRawBufferPointer(start: target, count: room))
            connection.pointee.outbound.commit(step.recordByteCount)
            connection.pointee.unsealedByteCount -= step.plaintextByteCount
            _ = tls.pointee.plaintext.sent(step.plaintextByteCount, pool: &state.pointee.pool)
            if case .failed(let failure) = step.state { breakTLS(failure, tls, slot, connection) }
            // In the middle of a handshake message of the peer's: its rest comes first.
            if step.plaintextByteCount == 0, !tls.pointee.isClosed { return blockSealing(slot, connection) }
        }
        connection.pointee.isSealBlocked = false
    }

    /// A peer that never sends the rest must not keep replies in memory: it has as long as for taking a send.
    private mutating func blockSealing(_ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>) {
        guard !connection.pointee.isSealBlocked else { return }
        connection.pointee.isSealBlocked = true
        connection.pointee.waitingSince = state.pointee.now
        scheduleTimer(slot, connection)
    }

    private mutating func dropUnsealed(
        _ tls: UnsafeMutablePointer<TLSConnection>, _ connection: UnsafeMutablePointer<Connection>
    ) {
        tls.pointee.plaintext.discard(to: &state.pointee.pool)
        connection.pointee.unsealedByteCount = 0
    }

    /// Nothing follows: TLS says so too, so that the peer can tell the end from a cut.
    mutating func sayGoodbye(_ connection: UnsafeMutablePointer<Connection>) {
        guard case .tls(let tls) = connection.pointee.protection, !tls.pointee.isClosed,
            connection.pointee.unsealedByteCount == 0
        else { return }
        tls.pointee.isClosed = true
        let records = state.pointee.records.buffer()
        let step = tls.pointee.session.close(records: records)
        // Without a buffer the peer sees a cut, which is what memory this short means.
        _ = gather(UnsafeRawBufferPointer(rebasing: records[..<step.recordByteCount]), connection)
    }
}
