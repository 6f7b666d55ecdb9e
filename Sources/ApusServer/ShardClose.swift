// How connections end: finish (send what is owed, then close) or abort (close now), wait for the kernel to let go, free
// the slot. A slot is never freed while a completion for it can still arrive.

import ApusReactor

extension Shard where IO: ~Copyable {
    /// No request is decoded any more; what was answered is still sent, then the connection closes.
    mutating func finish(
        _ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>, _ reason: CloseReason
    ) {
        guard connection.pointee.phase == .open else { return }
        connection.pointee.phase = .finishing
        connection.pointee.reason = reason
        if io.plants(.repliesAfterDisconnectLost) { return abort(slot, connection, reason) }
        state.pointee.touch(slot)
    }

    /// Close now, whatever is unsent.
    mutating func abort(_ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>, _ reason: CloseReason) {
        state.pointee.abort(slot, connection, reason)
    }

    /// All is sent and the peer has finished too.
    mutating func close(_ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>) {
        connection.pointee.phase = .closing
        settleClosing(slot, connection)
    }

    /// Stop what the kernel holds, wait for it, then close the descriptor.
    mutating func settleClosing(_ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>) {
        if connection.pointee.closing { return }
        if connection.pointee.session == .relay, !depart(slot, connection) { return }
        if connection.pointee.receiving, !connection.pointee.cancelling { cancelReceive(slot, connection) }
        if connection.pointee.sending, !connection.pointee.cancellingSend { cancelSend(slot, connection) }
        guard !connection.pointee.isHeldByKernel || io.plants(.closeBeforeBitsClear) else { return }
        releaseBuffers(connection)
        // While its descriptor can still say who the peer was.
        state.pointee.noteClosed(connection)
        connection.pointee.closing = true
        io.close(connection.pointee.descriptor, token: token(.close, slot, connection))
    }

    private mutating func cancelSend(_ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>) {
        connection.pointee.cancellingSend = true
        io.cancel(token(.send, slot, connection), token: token(.cancel, slot, connection))
    }

    private mutating func releaseBuffers(_ connection: UnsafeMutablePointer<Connection>) {
        if io.plants(.leakedChunk) { return }
        connection.pointee.inbound.discard(to: &state.pointee.pool)
        connection.pointee.outbound.discard(to: &state.pointee.pool)
        state.pointee.unprotect(connection)
    }

    mutating func wasShutDown(_ completion: Completion) {
        guard let connection = connection(for: completion.token) else {
            return state.pointee.counters.staleCompletions.add()
        }
        connection.pointee.shuttingDown = false
        // ENOTCONN: the peer reset the connection meanwhile; its receive says so too.
        state.pointee.touch(completion.token.slot)
    }

    /// The descriptor is gone; what the close returned says nothing we could act on.
    mutating func closed(_ completion: Completion) {
        let slot = completion.token.slot
        guard let connection = connection(for: completion.token) else {
            return state.pointee.counters.staleCompletions.add()
        }
        connection.pointee.closing = false
        connection.pointee.phase = .closed
        state.pointee.touch(slot)
    }

    mutating func free(_ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>) {
        state.pointee.counters.count(connection.pointee.reason)
        state.pointee.counters.listeners[connection.pointee.listener].pointee.closed.add()
        let session = connection.pointee.session
        dropAsyncReplies(slot, connection)
        timers.cancel(slot)
        let listener = connection.pointee.listener
        let hostPlace = io.plants(.leakedHostPlace) ? .none : connection.pointee.hostPlace
        state.pointee.slab.free(slot)
        if !io.plants(.leakedConnectionCount) {
            giveUpPlace(Admission(listener: listener, session: session, host: hostPlace))
        }
    }
}

extension ShardState {
    /// Close now, whatever is unsent; the turn's end sees to it.
    mutating func abort(_ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>, _ reason: CloseReason) {
        if connection.pointee.phase == .open { connection.pointee.reason = reason }
        if connection.pointee.phase != .closed { connection.pointee.phase = .closing }
        touch(slot)
    }
}
