// From answers to the kernel, and the end of a turn: `settle` looks at what became of a connection and prepares what it
// needs next. One send in flight per connection; replies written meanwhile gather for the next.

import ApusReactor
import ApusWire

extension Shard where IO: ~Copyable {
    /// Prepare what this connection needs now. Everything it decides from the connection's state alone.
    mutating func settle(_ slot: UInt32) {
        let connection = state.pointee.slab[slot]
        connection.pointee.isTouched = false
        switch connection.pointee.phase {
        case .open: settleOpen(slot, connection)
        case .finishing:
            if connection.pointee.session == .relay { depart(slot, connection) }
            settleFinishing(slot, connection)
        case .lingering:
            if connection.pointee.session == .relay { depart(slot, connection) }
            settleLingering(slot, connection)
        case .closing: settleClosing(slot, connection)
        case .closed: free(slot, connection)
        }
    }

    private mutating func settleOpen(_ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>) {
        if state.pointee.isDraining {
            tellToLeave(slot, connection)
            leaveAdmin(slot, connection)
            leaveRelay(slot, connection)
            // Touched again, so it is settled as what it has become.
            if connection.pointee.phase != .open { return }
        }
        if connection.pointee.session == .relay { gather(slot, connection) }
        seal(slot, connection)
        // Sealing may have found no buffer.
        guard connection.pointee.phase != .closing else { return }
        send(slot, connection)
        if connection.pointee.receiving {
            limitBacklog(slot, connection)
        } else if wantsBytes(connection) {
            receive(slot, connection)
        }
    }

    /// What is in flight leaves, and what gathered follows; then our FIN, or at once the close when the peer's is here.
    private mutating func settleFinishing(_ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>) {
        seal(slot, connection)
        guard connection.pointee.phase == .finishing else { return }
        if connection.pointee.asyncOutstanding == 0 { sayGoodbye(connection) }
        send(slot, connection)
        let isDone = connection.pointee.unsentByteCount == 0 && connection.pointee.asyncOutstanding == 0
        if isDone, !connection.pointee.sending {
            if connection.pointee.peerFinished { return close(slot, connection) }
            connection.pointee.phase = .lingering
            connection.pointee.waitingSince = state.pointee.now
            connection.pointee.shuttingDown = true
            io.shutdownWrite(connection.pointee.descriptor, token: token(.shutdown, slot, connection))
            scheduleTimer(slot, connection)
        }
        if !connection.pointee.receiving, !connection.pointee.peerFinished { receive(slot, connection) }
    }

    private mutating func settleLingering(_ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>) {
        if connection.pointee.peerFinished { return close(slot, connection) }
        if !connection.pointee.receiving { receive(slot, connection) }
    }

    @inline(__always)
    private mutating func send(_ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>) {
        if connection.pointee.sending, !io.plants(.secondSendInFlight) { return }
        let isContinued = connection.pointee.outbound.batchByteCount > 0
        let bytes = connection.pointee.outbound.nextSend(byteCountMax: Limits.sendByteCountMax)
        guard bytes.count > 0 else { return }
        connection.pointee.sending = true
        connection.pointee.waitingSince = state.pointee.now
        connection.pointee.lastSent = state.pointee.now
        if !isContinued { connection.pointee.batchSince = state.pointee.now }
        io.send(bytes, to: connection.pointee.descriptor, token: token(.send, slot, connection))
        scheduleTimer(slot, connection, at: state.pointee.now + state.pointee.limits.sendPatience)
    }

    mutating func sent(_ completion: Completion) {
        let slot = completion.token.slot
        guard let connection = connection(for: completion.token) else {
            return state.pointee.counters.staleCompletions.add()
        }
        connection.pointee.sending = false
        guard completion.result >= 0 else { return sendFailed(completion.result, slot, connection) }
        take(Int(completion.result), connection)
        // The common case, in which `settle` would find nothing to do.
        if connection.pointee.isAtRest, !state.pointee.isDraining { return }
        state.pointee.touch(slot)
        if connection.pointee.asyncOutstanding > 0 { writeAsyncReplies(slot, connection) }
        resume(slot, connection)
    }

    @inline(__always)
    private mutating func take(_ byteCount: Int, _ connection: UnsafeMutablePointer<Connection>) {
        let isShort = connection.pointee.outbound.sent(byteCount, pool: &state.pointee.pool)
        state.pointee.counters.bytesSent.add(UInt64(byteCount))
        state.pointee.counters.listeners[connection.pointee.listener].pointee.bytesSent.add(UInt64(byteCount))
        // 2^64 bytes do not leave.
        connection.pointee.sentByteCount &+= UInt64(byteCount)
        state.pointee.counters.sends.add()
        // A peer that takes bytes while more wait is alive, though it may have nothing to say until it has them all.
        if !connection.pointee.outbound.isEmpty { connection.pointee.lastReceived = state.pointee.now }
        guard isShort else { return }
        state.pointee.counters.shortSends.add()
        if io.plants(.shortSendForgotten) { connection.pointee.outbound.endSending(&state.pointee.pool) }
    }

    private mutating func sendFailed(
        _ result: Int32, _ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>
    ) {
        state.pointee.touch(slot)
        switch SendError(result) {
        case .interrupted: break
        case .reset: abort(slot, connection, .reset)
        case .failed: abort(slot, connection, .ioError)
        }
    }

    @inline(__always)
    private func wantsBytes(_ connection: UnsafeMutablePointer<Connection>) -> Bool {
        !connection.pointee.peerFinished
            && (!connection.pointee.isPaused || connection.pointee.inbound.byteCount < Limits.backlogByteCountMax)
    }

    @inline(__always)
    private mutating func receive(_ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>) {
        if io.plants(.lostReceiveRearm), connection.pointee.isHeard { return }
        connection.pointee.receiving = true
        io.receive(from: connection.pointee.descriptor, token: token(.receive, slot, connection))
    }

    /// A connection whose requests wait is read no further than the backlog limit: TCP then holds the peer back.
    private mutating func limitBacklog(_ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>) {
        guard connection.pointee.isPaused, !connection.pointee.cancelling,
            connection.pointee.inbound.byteCount >= Limits.backlogByteCountMax, !io.plants(.ignoredReadPause)
        else { return }
        cancelReceive(slot, connection)
    }

    mutating func cancelReceive(_ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>) {
        connection.pointee.cancelling = true
        io.cancel(token(.receive, slot, connection), token: token(.cancel, slot, connection))
    }
}
