// What time does to a connection. Each has one timer; activity does not touch it: when it goes off, the connection's
// times say whether anything is overdue and when to look again.

import ApusReactor
import ApusWire

/// Timers of the shard itself; their numbers lie behind those of the slots.
enum ShardTimer: UInt32 {
    case acceptAgain
    case drainDeadline
    /// The next peer of a paced drain is told to leave.
    case pace

    static let count = 3
}

extension Shard where IO: ~Copyable {
    func timerID(_ timer: ShardTimer) -> UInt32 { UInt32(state.pointee.limits.connections) + timer.rawValue }

    mutating func expire(_ id: UInt32) {
        guard let timer = ShardTimer(rawValue: id &- UInt32(state.pointee.limits.connections)) else {
            return expireConnection(id)
        }
        switch timer {
        case .acceptAgain: isListenerTouched = true
        case .drainDeadline: forceDrain()
        case .pace: tellNext()
        }
    }

    private mutating func expireConnection(_ slot: UInt32) {
        guard state.pointee.slab.isOccupied(slot) else { return }
        let connection = state.pointee.slab[slot]
        if let reason = overdue(connection) {
            if reason == .handshakeTimeout, connection.pointee.session == .relay {
                state.pointee.counters.relay.count(.timeout)
            }
            // An idle peer is told with a FIN; one that lingers after that has had its time.
            let isTold = reason == .idleTimeout && connection.pointee.phase == .open
            if reason == .requestTimeout, connection.pointee.phase == .open {
                timeOutRequest(slot, connection)
            } else if isTold {
                finish(slot, connection, reason)
            } else {
                abort(slot, connection, reason)
            }
        } else if isHeartbeatDue(connection) {
            ping(slot, connection)
        } else if isProbeDue(slot, connection) {
            probe(slot, connection)
        }
        scheduleTimer(slot, connection)
    }

    /// Look at this connection again when something may be overdue.
    mutating func scheduleTimer(_ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>) {
        let due = nextDue(slot, connection)
        if due == .never { timers.cancel(slot) } else { timers.schedule(slot, at: due) }
    }

    /// Look at this connection again at `due`, unless it is looked at before then anyhow.
    @inline(__always)
    mutating func scheduleTimer(
        _ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>, at due: Instant
    ) {
        if due < timers.deadline(of: slot) { timers.schedule(slot, at: due) }
    }

    private func overdue(_ connection: UnsafeMutablePointer<Connection>) -> CloseReason? {
        let now = state.pointee.now
        let limits = state.pointee.limits
        switch connection.pointee.phase {
        case .closing, .closed: return nil
        case .lingering:
            return now >= connection.pointee.waitingSince + Limits.lingerTimeout ? connection.pointee.reason : nil
        case .open, .finishing: break
        }
        if let reason = overdueWrite(connection) { return reason }
        guard connection.pointee.phase == .open else { return nil }
        if !connection.pointee.isHeard, now >= limits.firstByteTimeout.deadline(from: connection.pointee.opened) {
            return .firstByteTimeout
        }
        if !connection.pointee.isEstablished, now >= limits.handshakeTimeout.deadline(from: connection.pointee.opened) {
            return .handshakeTimeout
        }
        if !connection.pointee.isHeard || !connection.pointee.isEstablished { return nil }
        if connection.pointee.session == .admin {
            return connection.pointee.isPaused || connection.pointee.sending ? nil : overdueAdmin(connection)
        }
        if now >= restDue(connection) { return .slowRequest }
        if connection.pointee.session == .relay { return overdueRelay(connection) }
        // A send under way has a clock of its own.
        if connection.pointee.isPaused || connection.pointee.sending { return nil }
        if let deadline = deadPeerDeadline(connection), now >= deadline { return .deadPeer }
        guard let idle = limits.idleTimeout, connection.pointee.isQuiet else { return nil }
        return now >= idle.deadline(from: connection.pointee.lastMessage) ? .idleTimeout : nil
    }

    /// Of bytes that wait to be taken.
    private func overdueWrite(_ connection: UnsafeMutablePointer<Connection>) -> CloseReason? {
        let isBlocked = connection.pointee.sending || connection.pointee.isSealBlocked
        let stalled = state.pointee.limits.stalledWriteTimeout.deadline(from: connection.pointee.waitingSince)
        if isBlocked, state.pointee.now >= stalled { return .stalledWrite }
        return connection.pointee.sending && state.pointee.now >= batchDue(connection) ? .slowConsumer : nil
    }

    private func nextDue(_ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>) -> Instant {
        let limits = state.pointee.limits
        var due = Instant.never
        func consider(_ instant: Instant) { due = min(due, instant) }
        switch connection.pointee.phase {
        case .closing, .closed: return .never
        case .lingering: return connection.pointee.waitingSince + Limits.lingerTimeout
        case .open, .finishing: break
        }
        if connection.pointee.sending || connection.pointee.isSealBlocked {
            consider(limits.stalledWriteTimeout.deadline(from: connection.pointee.waitingSince))
            if connection.pointee.sending { consider(batchDue(connection)) }
        }
        guard connection.pointee.phase == .open else { return due }
        if !connection.pointee.isHeard { consider(limits.firstByteTimeout.deadline(from: connection.pointee.opened)) }
        if !connection.pointee.isEstablished {
            consider(limits.handshakeTimeout.deadline(from: connection.pointee.opened))
            return max(due, state.pointee.now + .millisecond)
        }
        // What is due already was seen to; a timer in the past would go off again in this turn.
        return max(min(due, nextDueOfTalk(slot, connection)), state.pointee.now + .millisecond)
    }

    /// Of a connection that may speak.
    private func nextDueOfTalk(_ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>) -> Instant {
        if connection.pointee.session == .admin { return nextDueAdmin(connection) }
        if connection.pointee.session == .relay { return nextDueRelay(slot, connection) }
        let (limits, now) = (state.pointee.limits, state.pointee.now)
        var due = restDue(connection)
        func consider(_ instant: Instant) { due = min(due, instant) }
        // Paused or with a send under way nothing else is on the clock; look again when that may have changed.
        let isWaiting = connection.pointee.isPaused || connection.pointee.sending
        // The idle and the dead-peer clock start with the first byte; a PING may go out before.
        let isHeard = connection.pointee.isHeard
        if isHeard, let idle = limits.idleTimeout {
            let isIdle = connection.pointee.isQuiet && !isWaiting
            consider(idle.deadline(from: isIdle ? connection.pointee.lastMessage : now))
        }
        if connection.pointee.session == .message, let interval = limits.heartbeatInterval {
            consider((isWaiting ? now : connection.pointee.lastSent) + interval.length)
            if isHeard, !isWaiting, let deadline = deadPeerDeadline(connection) { consider(deadline) }
        }
        return due
    }

    /// Silent for four intervals, and the last three began with a PING. A peer that is still busy with what it was sent
    /// could not answer one; whether it gets on, the stalled-write clock sees.
    private func deadPeerDeadline(_ connection: UnsafeMutablePointer<Connection>) -> Instant? {
        guard connection.pointee.session == .message, let interval = state.pointee.limits.heartbeatInterval,
            connection.pointee.outbound.isEmpty,
            connection.pointee.pingsUnanswered >= Limits.silentIntervalsMax - 1
        else { return nil }
        let silent = interval.deadline(from: connection.pointee.lastReceived, count: Limits.silentIntervalsMax)
        return max(silent, connection.pointee.lastPinged + interval.length)
    }

    private func isHeartbeatDue(_ connection: UnsafeMutablePointer<Connection>) -> Bool {
        guard connection.pointee.phase == .open, connection.pointee.session == .message,
            connection.pointee.isEstablished, let interval = state.pointee.limits.heartbeatInterval
        else { return false }
        return state.pointee.now >= pingDue(connection, interval.length)
    }

    /// An interval after anything was last sent, as the protocol has it, and after anything was last heard or asked
    /// for: a peer that only listens would otherwise be taken for dead. Behind bytes that wait to be taken, not yet.
    private func pingDue(_ connection: UnsafeMutablePointer<Connection>, _ interval: Nanoseconds) -> Instant {
        guard connection.pointee.outbound.isEmpty else { return state.pointee.now + interval }
        let heard = max(connection.pointee.lastReceived, connection.pointee.lastPinged)
        return min(connection.pointee.lastSent, heard) + interval
    }

    private mutating func ping(_ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>) {
        if !state.pointee.appendBare(.ping, to: connection) { abort(slot, connection, .memoryBudget) }
        // Saturates: it is compared with three.
        connection.pointee.pingCount = min(connection.pointee.pingsUnanswered, .max - 1) + 1
        connection.pointee.lastPinged = state.pointee.now
        // Counts as sent now, so that the next interval starts here even if the send is a turn later.
        connection.pointee.lastSent = state.pointee.now
        state.pointee.touch(slot)
    }
}
