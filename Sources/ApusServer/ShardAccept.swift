// How connections begin: multishot accepts, the limits that refuse, the hand-over between shards.

import ApusReactor

extension Shard where IO: ~Copyable {
    mutating func accept(_ index: Int) {
        listeners[index].isAccepting = true
        io.accept(on: listeners[index].descriptor, token: Token(.accept, slot: UInt32(index)))
    }

    mutating func accepted(_ completion: Completion) {
        let index = Int(completion.token.slot)
        if !completion.hasMore {
            listeners[index].isAccepting = false
            isListenerTouched = true
        }
        guard completion.result >= 0 else { return acceptFailed(-completion.result, index) }
        if listeners[index].pausedUntil.nanoseconds > 0 { acceptWorks(index) }
        admit(Descriptor(completion.result), index)
    }

    private mutating func admit(_ descriptor: Descriptor, _ index: Int) {
        // In this order: listeners are handed on before the end begins.
        let isEnding = state.pointee.isDraining || state.pointee.shared.isEnding
        let isLeaving = listeners[index].isLeaving || state.pointee.shared.areListenersHandedOn
        let stays = isLeaving || staysInDrain(index)
        if isStopping || (isEnding && !stays) { return refuse(descriptor, .draining) }
        switch admitAddress(of: descriptor, index) {
        // When the server ends, others may have ended already.
        case .success(let place): admit(descriptor, place, index, mayShareOut: !isEnding)
        case .failure(let refusal): refuse(descriptor, refusal.reason)
        }
    }

    private mutating func admit(
        _ descriptor: Descriptor, _ hostPlace: HostPlace, _ index: Int, mayShareOut: Bool
    ) {
        let listener = listeners[index].listener
        let place = Admission(listener: listener, session: state.pointee.sessions[Int(listener)], host: hostPlace)
        guard state.pointee.shared.admit(place) else {
            state.pointee.shared.hosts.release(hostPlace)
            return refuse(descriptor, .connectionLimit)
        }
        let isShared = listeners[index].sharesOut && mayShareOut
        let target = isShared ? state.pointee.shared.leastLoadedShard() : state.pointee.index
        state.pointee.shared.entries[Int(target)].open.add(1, ordering: .relaxed)
        if target == state.pointee.index { return open(descriptor, place) }
        state.pointee.hand(descriptor, place, to: target)
    }

    private func refuse(_ descriptor: Descriptor, _ reason: RefusalReason) {
        state.pointee.counters.count(reason)
        state.pointee.note(.refused(reason), socket: descriptor)
        io.closeNow(descriptor)
    }

    /// A connection that was counted as this shard's begins.
    mutating func open(_ descriptor: Descriptor, _ admission: Admission) {
        guard !isStopping, let place = state.pointee.slab.allocate() else {
            giveUpPlace(admission)
            return refuse(descriptor, isStopping ? .draining : .connectionLimit)
        }
        var connection = Connection(
            descriptor, generation: place.generation, listener: admission.listener, session: admission.session,
            hostPlace: admission.host, payloadByteCountMax: state.pointee.limits.payloadByteCountMax,
            at: state.pointee.now)
        connection.awaitsProxyHeader = state.pointee.proxied.contains(admission.listener)
        if let reason = state.pointee.protect(&connection) {
            state.pointee.slab.giveBack(place.slot)
            giveUpPlace(admission)
            return refuse(descriptor, reason)
        }
        state.pointee.slab.occupy(place.slot, with: connection)
        if admission.session == .relay { state.pointee.relayShard.pointee.begin(place.slot) }
        state.pointee.counters.accepted.add()
        state.pointee.counters.listeners[admission.listener].pointee.accepted.add()
        state.pointee.note(.opened, of: state.pointee.slab[place.slot])
        state.pointee.touch(place.slot)
        scheduleTimer(place.slot, state.pointee.slab[place.slot])
    }

    /// One connection less in the counts that limit them.
    func giveUpPlace(_ admission: Admission) {
        state.pointee.shared.release(admission)
        state.pointee.shared.entries[Int(state.pointee.index)].open.subtract(1, ordering: .relaxed)
    }

    private mutating func acceptFailed(_ errno: Int32, _ index: Int) {
        switch AcceptError(errno) {
        case .exhausted:
            state.pointee.counters.count(RefusalReason.noDescriptor)
            state.pointee.note(.acceptPaused(.noDescriptor, errno: errno), listener: Int(listeners[index].listener))
            pauseAccepting(index)
        case .failed:
            state.pointee.counters.count(RefusalReason.failed)
            state.pointee.note(.acceptPaused(.failed, errno: errno), listener: Int(listeners[index].listener))
            pauseAccepting(index)
        case .aborted:
            state.pointee.counters.count(RefusalReason.aborted)
            state.pointee.note(.refused(.aborted), listener: Int(listeners[index].listener))
        case .cancelled: break
        }
    }

    /// What failed now would fail again at once.
    private mutating func pauseAccepting(_ index: Int) {
        state.pointee.counters.acceptPauses.add()
        listeners[index].pausedUntil = state.pointee.now + Limits.acceptPause
        timers.schedule(timerID(.acceptAgain), at: listeners[index].pausedUntil)
    }

    /// The first connection after a pause.
    private mutating func acceptWorks(_ index: Int) {
        listeners[index].pausedUntil = Instant(nanoseconds: 0)
        state.pointee.note(.acceptResumed, listener: Int(listeners[index].listener))
    }

    mutating func settleListeners() {
        isListenerTouched = false
        for index in listeners.indices { settleListener(index) }
    }

    /// An accept that ended starts again, unless it waits for descriptors; a listener that is no longer wanted closes.
    private mutating func settleListener(_ index: Int) {
        guard !listeners[index].isAccepting, !listeners[index].isClosed else { return }
        let isEnding = isStopping || state.pointee.isDraining && !staysInDrain(index)
        if isEnding || listeners[index].isLeaving {
            closeListener(index)
        } else if state.pointee.now >= listeners[index].pausedUntil, !io.plants(.lostAcceptRearm) {
            accept(index)
        }
    }

    /// What it accepted is on its way to where it belongs: only now is it counted out.
    private mutating func closeListener(_ index: Int) {
        if listeners[index].isLeaving { acceptRest(index) }
        io.closeNow(listeners[index].descriptor)
        listeners[index].isClosed = true
        state.pointee.shared.listenerUses.remove(from: listeners[index].listener)
        if listeners[index].sharesOut { state.pointee.shared.sharingAcceptors.subtract(1, ordering: .releasing) }
    }

    /// Connections that wait. The kernel wakes one of those who accept on a socket for each connection; were it an
    /// accept that we then cancelled, nobody else would come for it. And where nobody else does, closing would reset
    /// what its peer takes for a connection.
    private mutating func acceptRest(_ index: Int) {
        for _ in 0..<Limits.acceptRestMax {
            guard let descriptor = io.acceptNow(on: listeners[index].descriptor) else { return }
            admit(descriptor, index)
        }
    }

    /// Stop accepting; `settleListener` closes each listener once the kernel has let go of its accept.
    mutating func stopAccepting() {
        isListenerTouched = true
        for index in listeners.indices where !staysInDrain(index) { stopAccepting(index) }
    }

    private mutating func stopAccepting(_ index: Int) {
        guard listeners[index].isAccepting else { return }
        io.cancel(Token(.accept, slot: UInt32(index)), token: Token(.cancel, slot: UInt32(index)))
    }
}

// MARK: Listeners that come and go

extension Shard where IO: ~Copyable {
    /// Accept no more on what belongs to these slots; what was accepted until the kernel lets go is served.
    mutating func leave(_ slots: ListenerSet) {
        isListenerTouched = true
        for index in listeners.indices where !listeners[index].isClosed && !listeners[index].isLeaving {
            guard slots.contains(listeners[index].listener) else { continue }
            listeners[index].isLeaving = true
            stopAccepting(index)
        }
    }

    /// Places of closed ones are used again: the kernel has said its last word on those.
    mutating func add(_ added: [ShardListener]) {
        isListenerTouched = true
        for listener in added {
            if let place = listeners.firstIndex(where: { $0.isClosed }) {
                listeners[place] = listener
            } else {
                listeners.append(listener)
            }
        }
    }
}

/// Listener slots, one bit each.
package struct ListenerSet: BitwiseCopyable, Sendable {
    private var bits: UInt64 = 0

    package init() {}
    static var all: ListenerSet {
        var set = ListenerSet()
        set.bits = .max
        return set
    }

    mutating func insert(_ slot: UInt8) { bits |= 1 << UInt64(slot) }
    mutating func set(_ slot: UInt8, to isMember: Bool) {
        if isMember { insert(slot) } else { bits &= ~(1 << UInt64(slot)) }
    }
    func contains(_ slot: UInt8) -> Bool { bits & (1 << UInt64(slot)) != 0 }
}
