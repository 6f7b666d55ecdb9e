// What is different for admin connections: their bytes are requests and responses, their clocks are HTTP's, they stay
// through a drain until everybody else has left, and they tell who is connected.

import ApusReactor
import ApusWire

// MARK: Bytes

extension Shard where IO: ~Copyable {
    /// What comes next are requests, whose end nobody knows before.
    func speaksHTTP(_ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>) -> Bool {
        switch connection.pointee.session {
        case .message, .packet: false
        case .admin: true
        case .relay: state.pointee.relayShard.pointee.peer(slot).pointee.stage == .upgrade
        }
    }

    /// A request is looked at when a lease has been kept, not byte by byte: where its head ends nobody knows before.
    mutating func receiveRequests(
        _ bytes: UnsafeRawBufferPointer, _ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>
    ) {
        if connection.pointee.inbound.isEmpty, connection.pointee.session == .admin {
            connection.pointee.lastMessage = state.pointee.now
            scheduleTimer(slot, connection, at: state.pointee.now + state.pointee.limits.adminRequestTimeout)
        }
        keep(bytes, connection, slot)
        guard connection.pointee.phase == .open else { return }
        answerInbound(slot, connection)
    }

    /// A response is its own framing.
    mutating func writeResponse(
        _ response: borrowing [UInt8], _ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>
    ) {
        guard state.pointee.append(packets: response.span.bytes, to: connection) else {
            state.pointee.counters.count(DropReason.memoryBudget)
            return abort(slot, connection, .memoryBudget)
        }
    }
}

// MARK: Time

extension Shard where IO: ~Copyable {
    /// Of a connection that is open and has nothing to send.
    func overdueAdmin(_ connection: UnsafeMutablePointer<Connection>) -> CloseReason? {
        guard connection.pointee.asyncOutstanding == 0, state.pointee.now >= adminDeadline(connection) else {
            return nil
        }
        return connection.pointee.inbound.isEmpty ? .idleTimeout : .requestTimeout
    }

    func nextDueAdmin(_ connection: UnsafeMutablePointer<Connection>) -> Instant {
        let limits = state.pointee.limits
        let isBusy = connection.pointee.asyncOutstanding > 0 || connection.pointee.isPaused
            || connection.pointee.sending
        // While an answer is under way nothing is on the clock; look again when that may have changed.
        return isBusy ? state.pointee.now + limits.adminRequestTimeout : adminDeadline(connection)
    }

    private func adminDeadline(_ connection: UnsafeMutablePointer<Connection>) -> Instant {
        let limits = state.pointee.limits
        let isReading = !connection.pointee.inbound.isEmpty
        return connection.pointee.lastMessage + (isReading ? limits.adminRequestTimeout : limits.adminIdleTimeout)
    }

    mutating func timeOutRequest(_ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>) {
        state.pointee.sayLast(AdminResponse.encodeTimeout(), to: slot, connection)
        finish(slot, connection, .requestTimeout)
    }
}

// MARK: Drain

extension Shard where IO: ~Copyable {
    /// Operators watch a drain: their connections end with the last of the others.
    mutating func settleAdminDrain() {
        // Also without a listener that speaks admin: a connection may have been handed here.
        guard state.pointee.isDraining, !isAdminEnded, isForced || state.pointee.shared.connectionCount == 0
        else { return }
        isAdminEnded = true
        stopAccepting()
        for slot in 0..<UInt32(state.pointee.slab.slotCount) where state.pointee.slab.isOccupied(slot) {
            if state.pointee.slab[slot].pointee.session == .admin { state.pointee.touch(slot) }
        }
        // The others may sleep; a doorbell that comes between two turns and is lost costs them one idle tick.
        state.pointee.wakeOthers()
    }

    /// An admin connection with nothing under way, in a drain that is over but for it.
    mutating func leaveAdmin(_ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>) {
        guard isAdminEnded, connection.pointee.session == .admin, connection.pointee.isQuiet else { return }
        finish(slot, connection, .drained)
    }

    /// Whether a listener goes on accepting while the server drains.
    func staysInDrain(_ index: Int) -> Bool { speaksAdmin(listeners[index]) && !isAdminEnded && !isStopping }

    /// What stays through a drain takes its connections itself: no shard waits for being handed one.
    mutating func stopSharingOut() {
        for index in listeners.indices
        where staysInDrain(index) && listeners[index].sharesOut && !listeners[index].isClosed {
            listeners[index].sharesOut = false
            state.pointee.shared.sharingAcceptors.subtract(1, ordering: .releasing)
        }
    }

    func speaksAdmin(_ listener: ShardListener) -> Bool {
        state.pointee.sessions[Int(listener.listener)] == .admin
    }
}

extension ShardState {
    mutating func wakeOthers() {
        for target in 0..<shardCount where target != Int(index) { doorbells.insert(UInt8(target)) }
    }
}

// MARK: Who is connected

extension Shard where IO: ~Copyable {
    /// Look at a part of the slots; the rest in a later turn.
    mutating func surveyConnections(_ survey: ConnectionSurvey, from first: UInt32) {
        guard let next = state.pointee.survey(survey, from: first) else { return survey.shardDone() }
        if !state.pointee.inbox.post(.survey(survey, from: next)) { survey.shardDone() }
    }
}
