// How a shard notes down what happens: one relaxed load says whether anybody wants it; only then a value is made and
// left in the shard's lane. Nothing here allocates, waits or wakes.

import ApusReactor

extension ShardState {
    /// Of a connection in the slab.
    @inline(__always)
    package mutating func note(_ kind: ServerEvent.Kind, of connection: UnsafeMutablePointer<Connection>) {
        guard shared.events.wants(kind.severity), eventBudget.admits(kind, at: now) else { return drop(kind) }
        record(kind, connection)
    }

    /// Of a connection that may be another shard's, which alone knows where its peer is.
    @inline(never)
    mutating func note(_ kind: ServerEvent.Kind, of token: ConnectionToken) {
        if token.shard == index, let connection = slab.connection(token.slot, generation: token.generation) {
            return note(kind, of: connection)
        }
        guard shared.events.wants(kind.severity), eventBudget.admits(kind, at: now) else { return drop(kind) }
        var event = LogEvent(kind)
        event.shard = index
        event.connection = token
        shared.events.lanes[Int(index)].post(event)
    }

    /// Of a socket that is no connection, or of the shard.
    @inline(__always)
    package mutating func note(_ kind: ServerEvent.Kind, listener: Int? = nil, socket: Descriptor? = nil) {
        guard shared.events.wants(kind.severity), eventBudget.admits(kind, at: now) else { return drop(kind) }
        record(kind, listener: listener, socket: socket)
    }

    /// The connection is gone, with all it has counted.
    @inline(__always)
    mutating func noteClosed(_ connection: UnsafeMutablePointer<Connection>) {
        let kind = ServerEvent.Kind.closed(
            connection.pointee.reason, receivedByteCount: connection.pointee.receivedByteCount,
            sentByteCount: connection.pointee.sentByteCount,
            milliseconds: (now - connection.pointee.opened) / .millisecond)
        note(kind, of: connection)
    }

    /// Unwanted, or one too many of a second: then it is counted.
    @inline(__always)
    private func drop(_ kind: ServerEvent.Kind) {
        guard shared.events.wants(kind.severity) else { return }
        shared.events.lanes[Int(index)].countHeldBack(kind.name)
    }

    @inline(never)
    private mutating func record(_ kind: ServerEvent.Kind, _ connection: UnsafeMutablePointer<Connection>) {
        var event = LogEvent(kind)
        event.shard = index
        event.listener = connection.pointee.listener
        event.connection = ConnectionToken(
            shard: index, generation: connection.pointee.generation, slot: slab.slot(of: connection))
        // A closed connection has given its descriptor back: the number may be another's by now.
        if connection.pointee.phase != .closed { event.peer = peerAddress(of: connection) }
        shared.events.lanes[Int(index)].post(event)
    }

    @inline(never)
    private mutating func record(_ kind: ServerEvent.Kind, listener: Int?, socket: Descriptor?) {
        var event = LogEvent(kind)
        event.shard = index
        event.listener = listener.flatMap { UInt8(exactly: $0) }
        event.peer = socket.flatMap { ApusReactor.peerAddress(of: $0) }
        shared.events.lanes[Int(index)].post(event)
    }
}
