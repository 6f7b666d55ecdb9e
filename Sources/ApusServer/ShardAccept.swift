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
        let isEnding = isStopping || state.pointee.isDraining || state.pointee.shared.isEnding
        if isEnding { return refuse(descriptor, .draining) }
        guard state.pointee.shared.admit() else { return refuse(descriptor, .connectionLimit) }
        let target = listeners[index].sharesOut ? state.pointee.shared.leastLoadedShard() : state.pointee.index
        state.pointee.shared.entries[Int(target)].open.add(1, ordering: .relaxed)
        if target == state.pointee.index { return open(descriptor, listener: index) }
        state.pointee.hand(descriptor, listener: UInt8(index), to: target)
    }

    private func refuse(_ descriptor: Descriptor, _ reason: RefusalReason) {
        state.pointee.counters.count(reason)
        state.pointee.note(.refused(reason), socket: descriptor)
        io.closeNow(descriptor)
    }

    /// A connection that was counted as this shard's begins.
    mutating func open(_ descriptor: Descriptor, listener index: Int) {
        guard !isStopping, !state.pointee.isDraining, let place = state.pointee.slab.allocate() else {
            giveUpPlace()
            return refuse(descriptor, .draining)
        }
        let now = state.pointee.now
        var connection = Connection(
            descriptor, generation: place.generation, listener: UInt8(index),
            session: listeners[index].session, at: now)
        if let reason = state.pointee.protect(&connection) {
            state.pointee.slab.giveBack(place.slot)
            giveUpPlace()
            return refuse(descriptor, reason)
        }
        state.pointee.slab.occupy(place.slot, with: connection)
        state.pointee.counters.accepted.add()
        state.pointee.note(.opened, of: state.pointee.slab[place.slot])
        state.pointee.touch(place.slot)
        scheduleTimer(place.slot, state.pointee.slab[place.slot])
    }

    /// One connection less in the counts that limit them.
    func giveUpPlace() {
        state.pointee.shared.release()
        state.pointee.shared.entries[Int(state.pointee.index)].open.subtract(1, ordering: .relaxed)
    }

    private mutating func acceptFailed(_ errno: Int32, _ index: Int) {
        switch AcceptError(errno) {
        case .exhausted:
            state.pointee.counters.count(RefusalReason.noDescriptor)
            state.pointee.note(.acceptPaused(.noDescriptor, errno: errno), listener: index)
            pauseAccepting(index)
        case .failed:
            state.pointee.counters.count(RefusalReason.failed)
            state.pointee.note(.acceptPaused(.failed, errno: errno), listener: index)
            pauseAccepting(index)
        case .aborted:
            state.pointee.counters.count(RefusalReason.aborted)
            state.pointee.note(.refused(.aborted), listener: index)
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
        state.pointee.note(.acceptResumed, listener: index)
    }

    mutating func settleListeners() {
        isListenerTouched = false
        for index in listeners.indices { settleListener(index) }
    }

    /// An accept that ended starts again, unless it waits for descriptors; a listener that is no longer wanted closes.
    private mutating func settleListener(_ index: Int) {
        guard !listeners[index].isAccepting, !listeners[index].isClosed else { return }
        if isStopping || state.pointee.isDraining {
            io.closeNow(listeners[index].descriptor)
            listeners[index].isClosed = true
        } else if state.pointee.now >= listeners[index].pausedUntil, !io.plants(.lostAcceptRearm) {
            accept(index)
        }
    }

    /// Stop accepting; `settleListener` closes each listener once the kernel has let go of its accept.
    mutating func stopAccepting() {
        isListenerTouched = true
        for index in listeners.indices where listeners[index].isAccepting {
            io.cancel(Token(.accept, slot: UInt32(index)), token: Token(.cancel, slot: UInt32(index)))
        }
    }
}
