// What holds at the end of every turn, whatever the kernel and the clients have done.

import ApusReactor
import ApusServer

extension Simulation {
    /// A run takes a few hundred turns; one that takes so many does not end.
    private static let turnsMax = 20_000
    /// Longer than any timer, any sulk and any asynchronous request.
    private static let patience: Nanoseconds = 60 * .second
    /// Bytes that a connection may read are received within so long.
    private static let attention: Nanoseconds = 5 * .second
    /// Undecoded bytes that a paused connection keeps before it stops reading.
    private static let backlogByteCountMax = 64 << 10
    /// PING and DISCONNECT, which no limit holds back, and the last push that found room.
    private static let noticesByteCount = 100

    func checkTurn() {
        var (chunkByteCount, asyncCount) = (0, 0)
        forEachConnection { slot, connection in
            chunkByteCount += connection.inbound.chunkByteCount + connection.outbound.chunkByteCount
            asyncCount += Int(connection.asyncOutstanding)
            check(connection, slot)
        }
        simulated.checkBuffers(heldByteCount: chunkByteCount)
        let earlyCount = state.pointee.asyncReplies.count
        if earlyCount > asyncCount { kernel.report(.asyncOverLimit, "\(earlyCount) replies wait for \(asyncCount)") }
        checkCounts()
        checkForced()
        checkProgress()
    }

    private func checkCounts() {
        if ended == .never, state.pointee.counters.refused(.draining) > 0 {
            kernel.report(.countersDisagree, "a connection was refused because the server drains, which it does not")
        }
        let count = state.pointee.slab.count
        if count > plan.configuration.maxConnections { kernel.report(.tooManyConnections, "\(count) connections") }
        simulated.checkOpenCount()
        guard shared.connectionCount != count else { return }
        let detail = "the slab has \(count), the server counts \(shared.connectionCount)"
        kernel.report(.connectionCountDisagrees, detail)
    }

    /// Somebody is owed something, and nothing has come of it for longer than anything takes.
    private func checkProgress() {
        if kernel.waitCount > Simulation.turnsMax { kernel.report(.endlessTurns, "\(kernel.waitCount) turns") }
        for client in clients where client.isOwed {
            guard kernel.isQuiescent || kernel.now > client.lastProgress + Simulation.patience else { continue }
            let replies = "\(client.hearing.replyCount) of \(client.repliesDue) replies"
            kernel.report(.noProgress, "\(client.name), which \(client.script.ending), waits with \(replies)")
        }
    }

    private func check(_ connection: Connection, _ slot: UInt32) {
        guard let client = client(of: connection.descriptor), let socket = client.socket else {
            return kernel.report(.foreignDescriptor, "slot \(slot) has descriptor \(connection.descriptor.number)")
        }
        simulated.checkBits(connection, socket)
        checkBounds(connection, client)
        checkAttention(connection, client, socket)
        if connection.phase != .open { judge(connection, client) }
        checkTimes(connection, slot, client, socket)
    }

    private func checkBounds(_ connection: Connection, _ client: ModelClient) {
        let (configuration, bounds) = (plan.configuration, client.bounds)
        let outboundMax =
            configuration.outstandingByteCountMax + bounds.replyByteCountMax + Simulation.noticesByteCount
        if connection.outbound.byteCount > outboundMax {
            kernel.report(.outboundOverLimit, "\(connection.outbound.byteCount) bytes for \(client.name)")
        }
        let packetMax = 9 + min(configuration.payloadByteCountMax, bounds.requestByteCountMax)
        let inboundMax = max(Simulation.backlogByteCountMax, packetMax) + kernel.buffers.totalByteCount
        if connection.inbound.byteCount > inboundMax {
            kernel.report(.inboundOverLimit, "\(connection.inbound.byteCount) bytes of \(client.name), \(inboundMax)")
        }
        if connection.asyncOutstanding > configuration.backpressureLimit {
            kernel.report(.asyncOverLimit, "\(client.name) has \(connection.asyncOutstanding) requests under way")
        }
    }

    private func checkAttention(_ connection: Connection, _ client: ModelClient, _ socket: SimulatedSocket) {
        let isReading = connection.phase != .closing && connection.phase != .closed && !connection.isPaused
        guard isReading, socket.inboundSince != .never, kernel.now > socket.inboundSince + Simulation.attention
        else { return }
        kernel.report(.bytesIgnored, "\(socket.inbound.count) bytes of \(client.name)")
    }
}
