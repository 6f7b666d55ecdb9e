// What holds when the shard has ended: all is given back, and what was counted is what happened.

import ApusReactor
import ApusServer

extension Simulation {
    func checkEnd() {
        checkClients()
        checkLeaks()
        checkAccepts()
        checkCloses()
        checkTraffic()
        checkPushes()
    }

    private func checkLeaks() {
        for socket in kernel.sockets where socket.isAccepted && !socket.isClosed {
            kernel.report(.descriptorLeaked, socket.name)
        }
        for listener in kernel.listeners where !listener.isClosed {
            kernel.report(.descriptorLeaked, "listener \(listener.descriptor.number)")
        }
        let state = shard.state
        if state.pointee.slab.count != 0 { kernel.report(.slotLeaked, "\(state.pointee.slab.count) slots") }
        let byteCount = state.pointee.pool.byteCountInUse
        if byteCount != 0 { kernel.report(.chunkLeaked, "\(byteCount) bytes") }
        let hostPlaces = shared.hosts.connectionCount
        if hostPlaces != 0 { kernel.report(.hostPlaceLeaked, "\(hostPlaces) connections counted for their hosts") }
        let replyCount = state.pointee.asyncReplies.count
        if replyCount != 0 { kernel.report(.asyncReplyLeaked, "\(replyCount) asynchronous replies") }
    }

    private func expect(_ name: String, _ counted: UInt64, _ happened: UInt64) {
        if counted != happened { kernel.report(.countersDisagree, "\(name): \(counted) counted, \(happened) happened") }
    }

    /// Every accept became a connection or was refused, under exactly one reason.
    private func checkAccepts() {
        let counters = shard.state.pointee.counters
        let refused = [RefusalReason.connectionLimit, .draining, .addressRate, .addressLimit]
            .reduce(0) { $0 + counters.refused($1) }
        expect("accepts", counters.accepted.count + refused, kernel.tally.accepted)
        expect("refused", refused, UInt64(kernel.sockets.count { $0.isRefused }))
        expect("no descriptor", counters.refused(.noDescriptor), kernel.tally.acceptsExhausted)
        expect("aborted", counters.refused(.aborted), kernel.tally.acceptsAborted)
        expect("failed", counters.refused(.failed), kernel.tally.acceptsFailed)
        let pauses = kernel.tally.acceptsExhausted + kernel.tally.acceptsFailed
        expect("accept pauses", counters.acceptPauses.count, pauses)
    }

    /// Every connection was closed, under exactly one reason.
    private func checkCloses() {
        let counters = shard.state.pointee.counters
        expect("closes", counters.closedTotal, counters.accepted.count)
        for reason in CloseReason.allCases {
            let happened = audit.reasons.values.count { $0 == reason }
            expect("closed \(reason)", counters.closed(reason), UInt64(happened))
        }
        let forced = counters.closed(.drainForced) + counters.closed(.stopped)
        if forced > shared.forcedCount { expect("forced", UInt64(shared.forcedCount), forced) }
    }

    private func checkTraffic() {
        let (counters, tally) = (shard.state.pointee.counters, kernel.tally)
        expect("bytes received", counters.bytesReceived.count, tally.bytesReceived)
        expect("bytes sent", counters.bytesSent.count, tally.bytesSent)
        expect("sends", counters.sends.count, tally.sends)
        expect("short sends", counters.shortSends.count, kernel.sockets.reduce(0) { $0 + $1.shortSends })
        expect("starved receives", counters.starvedReceives.count, tally.starvedReceives)
        expect("stale completions", counters.staleCompletions.count, tally.stale)
        expect("completions", counters.completions.count, tally.completions)
    }

    private func checkPushes() {
        let counters = shard.state.pointee.counters
        let heard = clients.reduce(0) { $0 + UInt64($1.hearing.pushCount) }
        let (taken, made) = (counters.pushes.count, UInt64(pushCount))
        if heard + counters.dropped(.pushForGoneConnection) > taken || taken > made {
            kernel.report(.countersDisagree, "of \(made) pushes \(taken) were taken and \(heard) heard")
        }
    }
}
