// What holds of any shard, whatever its listeners speak: in a turn the kernel's part and the pool's, at the end that
// all is given back and that what was counted is what happened.

import ApusReactor
import ApusServer

// MARK: At the end of a turn

extension SimulatedShard {
    /// The bits on a connection are what the kernel holds of it.
    func checkBits(_ connection: Connection, _ socket: SimulatedSocket) {
        var bits: HeldOperations = []
        if connection.receiving { bits.insert(.receive) }
        if connection.sending { bits.insert(.send) }
        if connection.shuttingDown { bits.insert(.shutdown) }
        if connection.closing { bits.insert(.close) }
        guard bits != socket.held else { return }
        let detail = "its bits \(bits.rawValue), in flight \(socket.held.rawValue)"
        kernel.report(.bitsDisagree, "\(socket.name), \(connection.phase): \(detail)")
    }

    /// What connections hold is all that the pool has lent.
    func checkBuffers(heldByteCount: Int) {
        let inUse = state.pointee.pool.byteCountInUse
        if inUse != heldByteCount {
            kernel.report(.chunksDisagree, "the pool lends \(inUse) bytes, connections hold \(heldByteCount)")
        }
        if kernel.buffers.lentCount > 0 { kernel.report(.leaseNotRecycled, "\(kernel.buffers.lentCount) leases") }
    }

    /// The shard counts the connections it has.
    func checkOpenCount() {
        let (count, open) = (state.pointee.slab.count, shared.entries[kernel.number].open.load(ordering: .relaxed))
        guard count != open else { return }
        kernel.report(.connectionCountDisagrees, "the slab has \(count), the shard counts \(open)")
    }
}

// MARK: At the end

extension SimulatedShard {
    func checkEnd(_ audit: CloseAudit) {
        checkLeaks()
        checkAccepts()
        checkCloses(audit)
        checkTraffic()
    }

    func expect(_ name: String, _ counted: UInt64, _ happened: UInt64) {
        if counted != happened { kernel.report(.countersDisagree, "\(name): \(counted) counted, \(happened) happened") }
    }

    private func checkLeaks() {
        for socket in kernel.sockets where socket.isAccepted && !socket.isClosed {
            kernel.report(.descriptorLeaked, socket.name)
        }
        for listener in kernel.listeners where !listener.isClosed {
            kernel.report(.descriptorLeaked, "listener \(listener.descriptor.number)")
        }
        if state.pointee.slab.count != 0 { kernel.report(.slotLeaked, "\(state.pointee.slab.count) slots") }
        let byteCount = state.pointee.pool.byteCountInUse
        if byteCount != 0 { kernel.report(.chunkLeaked, "\(byteCount) bytes") }
        let replyCount = state.pointee.asyncReplies.count
        if replyCount != 0 { kernel.report(.asyncReplyLeaked, "\(replyCount) asynchronous replies") }
    }

    /// Every accept became a connection or was refused, under exactly one reason.
    private func checkAccepts() {
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
    private func checkCloses(_ audit: CloseAudit) {
        expect("closes", counters.closedTotal, counters.accepted.count)
        let reasons = kernel.sockets.compactMap { audit.reasons[$0.descriptor.number] }
        for reason in CloseReason.allCases {
            expect("closed \(reason)", counters.closed(reason), UInt64(reasons.count { $0 == reason }))
        }
    }

    private func checkTraffic() {
        let tally = kernel.tally
        expect("bytes received", counters.bytesReceived.count, tally.bytesReceived)
        expect("bytes sent", counters.bytesSent.count, tally.bytesSent)
        expect("sends", counters.sends.count, tally.sends)
        expect("short sends", counters.shortSends.count, kernel.sockets.reduce(0) { $0 + $1.shortSends })
        expect("starved receives", counters.starvedReceives.count, tally.starvedReceives)
        expect("stale completions", counters.staleCompletions.count, tally.stale)
        expect("completions", counters.completions.count, tally.completions)
    }
}
