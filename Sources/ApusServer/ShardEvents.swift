// What other threads and other shards tell this one, and how a drain runs.

import ApusReactor
import ApusWire

extension Shard where IO: ~Copyable {
    mutating func awaitWake() {
        isAwaitingWake = true
        io.awaitWake(state.pointee.inbox.eventDescriptor, token: Token(.wake, slot: 0))
    }

    mutating func woken() {
        isAwaitingWake = false
        takeEvents()
        if state.pointee.isAsyncStarved { resumeStarved() }
        awaitWake()
    }

    /// Whatever waits in the inbox.
    mutating func takeEvents() {
        for event in state.pointee.inbox.takeAll() { take(event) }
    }

    /// Asynchronous requests have ended, so those that waited for a place try again.
    private mutating func resumeStarved() {
        state.pointee.isAsyncStarved = false
        forEachConnection { shard, slot, connection in shard.resume(slot, connection) }
    }


    private mutating func take(_ event: ShardEvent) {
        switch event {
        case .asyncReply(let token, let sequence, let packet, let failed, let byteCount):
            state.pointee.asyncEnded(byteCount: byteCount)
            if failed {
                state.pointee.counters.count(DropReason.handlerError)
                state.pointee.note(.handlerFailed)
            }
            answered(token, sequence: sequence, packet)
        case .asyncReplyTooLarge(let token, let sequence, let byteCount):
            state.pointee.asyncEnded(byteCount: byteCount)
            // First, so that no request behind it is answered in its place.
            finish(token, .oversizeReply)
            forgetRequests(of: token, from: sequence &+ 1)
            answered(token, sequence: sequence, nil)
        case .push(let token, let packet):
            state.pointee.shared.pushTaken()
            state.pointee.counters.pushes.add()
            state.pointee.deliver(packet.span.bytes, to: token)
        case .replaceTLS(let listener, let material): state.pointee.replaceTLS(material, listener: listener)
        case .reload(let reload): take(reload)
        case .accept(let added): add(added)
        case .releaseListeners: leave(.all)
        case .adminReply(let token, let sequence, let response): answered(token, sequence: sequence, response)
        case .survey(let survey, let first): surveyConnections(survey, from: first)
        case .drain(let timeout, let window): drain(timeout, over: window)
        case .stop: stop()
        }
    }
}

// MARK: Reload

extension Shard where IO: ~Copyable {
    private mutating func take(_ reload: ShardReload) {
        state.pointee.take(reload)
        leave(reload.leaving)
        // Timers stand where the limits before had them.
        forEachConnection { shard, slot, connection in shard.scheduleTimer(slot, connection) }
    }
}

// MARK: Asynchronous replies

extension Shard where IO: ~Copyable {
    /// Replies go out in the order of the requests: one that is early waits for those before it.
    private mutating func answered(_ token: ConnectionToken, sequence: UInt32, _ packet: [UInt8]?) {
        guard let connection = state.pointee.slab.connection(token.slot, generation: token.generation) else {
            return state.pointee.counters.count(DropReason.replyForGoneConnection)
        }
        // The drain's deadline may have given up on it. Counting wraps; the difference does not.
        guard sequence &- connection.pointee.asyncAnswered < connection.pointee.asyncOutstanding else {
            return state.pointee.counters.count(DropReason.replyForGoneConnection)
        }
        let inTurn = io.plants(.reorderedAsyncReplies) ? connection.pointee.asyncAnswered : sequence
        state.pointee.asyncReplies.keep(packet, for: token, sequence: inTurn)
        writeAsyncReplies(token.slot, connection)
        state.pointee.touch(token.slot)
        resume(token.slot, connection)
    }

    private mutating func finish(_ token: ConnectionToken, _ reason: CloseReason) {
        guard let connection = state.pointee.slab.connection(token.slot, generation: token.generation) else { return }
        finish(token.slot, connection, reason)
    }

    /// Write the replies whose turn it is, as far as replies may wait; the others follow as those leave.
    mutating func writeAsyncReplies(_ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>) {
        let token = ConnectionToken(
            shard: state.pointee.index, generation: connection.pointee.generation, slot: slot)
        while connection.pointee.unsentByteCount < state.pointee.limits.outstandingByteCountMax,
            let next = state.pointee.asyncReplies.take(token, sequence: connection.pointee.asyncAnswered)
        {
            write(next, slot, connection)
        }
    }

    private mutating func write(
        _ packet: [UInt8]?, _ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>
    ) {
        connection.pointee.asyncAnswered &+= 1
        guard let packet else { return }
        guard connection.pointee.phase == .open || connection.pointee.phase == .finishing else {
            return state.pointee.counters.count(DropReason.replyForGoneConnection)
        }
        if connection.pointee.session == .admin { return writeResponse(packet, slot, connection) }
        guard connection.pointee.mayCarry(packetByteCount: packet.count) else {
            let token = ConnectionToken(
                shard: state.pointee.index, generation: connection.pointee.generation, slot: slot)
            finish(slot, connection, .oversizeReply)
            return forgetRequests(of: token, from: connection.pointee.asyncAnswered)
        }
        guard state.pointee.append(packet: packet.span.bytes, to: connection) else {
            state.pointee.counters.count(DropReason.memoryBudget)
            return abort(slot, connection, .memoryBudget)
        }
    }

    /// A reply cannot be sent: those to later requests would be taken for it, so nobody waits for them any more.
    private mutating func forgetRequests(of token: ConnectionToken, from first: UInt32) {
        guard let connection = state.pointee.slab.connection(token.slot, generation: token.generation),
            first &- connection.pointee.asyncAnswered < connection.pointee.asyncOutstanding
        else { return }
        let later = connection.pointee.asyncRequested &- first
        let dropped = state.pointee.asyncReplies.drop(token, from: first, outstanding: later)
        state.pointee.counters.count(DropReason.replyForGoneConnection, dropped)
        connection.pointee.asyncRequested = first
    }

    /// The connection is gone: replies that waited for their turn are dropped, the others will be when they come.
    mutating func dropAsyncReplies(_ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>) {
        let outstanding = connection.pointee.asyncOutstanding
        guard outstanding > 0 else { return }
        let token = ConnectionToken(
            shard: state.pointee.index, generation: connection.pointee.generation, slot: slot)
        let dropped = state.pointee.asyncReplies.drop(
            token, from: connection.pointee.asyncAnswered, outstanding: outstanding)
        state.pointee.counters.count(DropReason.replyForGoneConnection, dropped)
    }
}

// MARK: Drain and stop

extension Shard where IO: ~Copyable {
    /// Accept no more; go on answering until every peer has finished or the deadline has passed.
    private mutating func drain(_ timeout: Nanoseconds, over window: Nanoseconds) {
        shortenDrain(to: state.pointee.now + timeout)
        if state.pointee.isDraining { return hurry(window) }
        state.pointee.isDraining = true
        stopAccepting()
        stopSharingOut()
        pace.begin(peerCount: state.pointee.slab.count, over: min(window, timeout), at: state.pointee.now)
        state.pointee.leavingSlotCount = 0
        tellNext()
    }

    /// A second call can only shorten the time.
    private mutating func shortenDrain(to deadline: Instant) {
        let isSooner = !state.pointee.isDraining || deadline < timers.deadline(of: timerID(.drainDeadline))
        if isSooner, !isForced { timers.schedule(timerID(.drainDeadline), at: deadline) }
    }

    /// Asked again: whoever has not been told yet is told within the shorter time.
    private mutating func hurry(_ window: Nanoseconds) {
        guard state.pointee.leavingSlotCount < .max, state.pointee.now + window < pace.end else { return }
        pace.begin(peerCount: state.pointee.slab.count, over: window, at: state.pointee.now)
        tellNext()
    }

    /// As many more peers may be told to leave as it is time for; at the end of the window all.
    mutating func tellNext() {
        guard let count = pace.peersDue(at: state.pointee.now) else {
            state.pointee.leavingSlotCount = .max
            timers.cancel(timerID(.pace))
            return touchAll()
        }
        for _ in 0..<count {
            guard let slot = nextOccupied(from: state.pointee.leavingSlotCount) else { break }
            state.pointee.leavingSlotCount = slot + 1
            state.pointee.touch(slot)
        }
        timers.schedule(timerID(.pace), at: pace.next)
    }

    private func nextOccupied(from first: UInt32) -> UInt32? {
        let end = UInt32(state.pointee.slab.slotCount)
        return first < end ? (first..<end).first { state.pointee.slab.isOccupied($0) } : nil
    }

    /// A peer with nothing under way is told, once, that this server will not answer much longer. One that waits for a
    /// reply is not: it could take DISCONNECT for that reply (NPRO §11).
    mutating func tellToLeave(_ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>) {
        guard slot < state.pointee.leavingSlotCount, connection.pointee.session == .message,
            connection.pointee.isEstablished, !connection.pointee.isToldToLeave, connection.pointee.isQuiet,
            !connection.pointee.peerFinished, state.pointee.appendBare(.disconnect, to: connection)
        else { return }
        connection.pointee.isToldToLeave = true
    }

    /// The deadline has passed: what is written is sent, the rest is cut off. A second time, everything is.
    mutating func forceDrain() {
        if isForced { return stop() }
        isForced = true
        var forcedCount = 0
        forEachConnection { shard, slot, connection in
            guard connection.pointee.phase == .open || connection.pointee.phase == .finishing else { return }
            // Admin connections wait for the others, and what they asked is still answered.
            if connection.pointee.session == .admin { return shard.state.pointee.touch(slot) }
            forcedCount += 1
            shard.state.pointee.shared.countForced()
            // Replies that are still being made off the loop come too late.
            shard.dropAsyncReplies(slot, connection)
            connection.pointee.asyncAnswered = connection.pointee.asyncRequested
            shard.finish(slot, connection, .drainForced)
            shard.state.pointee.touch(slot)
        }
        if forcedCount > 0 { state.pointee.note(.drainForced(connections: forcedCount)) }
        timers.schedule(timerID(.drainDeadline), at: state.pointee.now + Limits.lingerTimeout)
    }

    /// Close everything at once.
    mutating func stop() {
        isStopping = true
        stopAccepting()
        forEachConnection { shard, slot, connection in
            // What is still finishing after a drain's deadline was counted there.
            let isCut = connection.pointee.phase == .open || (connection.pointee.phase == .finishing && !shard.isForced)
            if isCut, connection.pointee.session != .admin { shard.state.pointee.shared.countForced() }
            shard.abort(slot, connection, .stopped)
        }
    }

    private mutating func touchAll() {
        forEachConnection { shard, slot, _ in shard.state.pointee.touch(slot) }
    }

    private mutating func forEachConnection(
        _ body: (inout Shard, UInt32, UnsafeMutablePointer<Connection>) -> Void
    ) {
        for slot in 0..<UInt32(state.pointee.slab.slotCount) where state.pointee.slab.isOccupied(slot) {
            body(&self, slot, state.pointee.slab[slot])
        }
    }
}
