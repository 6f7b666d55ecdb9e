// What holds at the end of every turn, whatever the kernel and the clients have done.

import ApusReactor
import ApusServer

extension Simulation {
    /// Bytes that a connection may read are received within so long.
    private static let attention: Nanoseconds = 5 * .second
    /// Undecoded bytes that a paused connection keeps before it stops reading.
    private static let backlogByteCountMax = 64 << 10
    /// PING and DISCONNECT, which no limit holds back, and the last push that found room.
    private static let noticesByteCount = 100

    func checkTurn() {
        var (chunkByteCount, asyncCount) = (0, 0)
        let slab = shard.state.pointee.slab.slotCount
        for slot in 0..<UInt32(slab) where shard.state.pointee.slab.isOccupied(slot) {
            let connection = shard.state.pointee.slab[slot].pointee
            chunkByteCount += connection.inbound.chunkByteCount + connection.outbound.chunkByteCount
            asyncCount += Int(connection.asyncOutstanding)
            check(connection, slot)
        }
        let inUse = shard.state.pointee.pool.byteCountInUse
        if inUse != chunkByteCount {
            kernel.report(.chunksDisagree, "the pool lends \(inUse) bytes, connections hold \(chunkByteCount)")
        }
        asyncRepliesEarly = max(asyncRepliesEarly, shard.state.pointee.asyncReplies.count)
        if shard.state.pointee.asyncReplies.count > asyncCount {
            kernel.report(.asyncOverLimit, "\(shard.state.pointee.asyncReplies.count) replies wait for \(asyncCount)")
        }
        if kernel.buffers.lentCount > 0 { kernel.report(.leaseNotRecycled, "\(kernel.buffers.lentCount) leases") }
        checkCounts()
        checkProgress()
    }

    private func checkCounts() {
        let count = shard.state.pointee.slab.count
        if count > plan.configuration.maxConnections { kernel.report(.tooManyConnections, "\(count) connections") }
        let open = shared.entries[0].open.load(ordering: .relaxed)
        if shared.connectionCount != count || open != count {
            let detail = "the slab has \(count), the server counts \(shared.connectionCount), the shard \(open)"
            kernel.report(.connectionCountDisagrees, detail)
        }
    }

    private func check(_ connection: Connection, _ slot: UInt32) {
        guard let client = client(of: connection.descriptor), let socket = client.socket else {
            return kernel.report(.foreignDescriptor, "slot \(slot) has descriptor \(connection.descriptor.number)")
        }
        checkBits(connection, socket)
        checkBounds(connection, client)
        if connection.asyncOutstanding > shard.state.pointee.limits.asyncRequests {
            kernel.report(.asyncOverLimit, "\(client.name) has \(connection.asyncOutstanding) requests under way")
        }
        let isReading = connection.phase != .closing && connection.phase != .closed && !connection.isPaused
        if isReading, socket.inboundSince != .never, kernel.now > socket.inboundSince + Simulation.attention {
            kernel.report(.bytesIgnored, "\(socket.inbound.count) bytes of \(client.name)")
        }
        if connection.phase != .open { judge(connection, client) }
        checkTimes(connection, slot, client, socket)
    }

    /// The bits on a connection are what the kernel holds of it.
    private func checkBits(_ connection: Connection, _ socket: SimulatedSocket) {
        var bits: HeldOperations = []
        if connection.receiving { bits.insert(.receive) }
        if connection.sending { bits.insert(.send) }
        if connection.shuttingDown { bits.insert(.shutdown) }
        if connection.closing { bits.insert(.close) }
        guard bits != socket.held else { return }
        kernel.report(
            .bitsDisagree,
            "\(kernel.name(socket)), \(connection.phase): its bits \(bits.rawValue), in flight \(socket.held.rawValue)")
    }

    private func checkBounds(_ connection: Connection, _ client: ModelClient) {
        let bounds = client.bounds
        let outboundMax = plan.configuration.outstandingByteCountMax + bounds.replyByteCountMax
            + bounds.asyncReplyByteCountMax * plan.configuration.backpressureLimit + Simulation.noticesByteCount
        if connection.outbound.byteCount > outboundMax {
            kernel.report(.outboundOverLimit, "\(connection.outbound.byteCount) bytes for \(client.name)")
        }
        let packetMax = min(plan.configuration.payloadByteCountMax, bounds.requestByteCountMax)
        let inboundMax = max(Simulation.backlogByteCountMax, 9 + packetMax) + kernel.buffers.totalByteCount
        if connection.inbound.byteCount > inboundMax {
            kernel.report(.inboundOverLimit, "\(connection.inbound.byteCount) bytes of \(client.name), \(inboundMax)")
        }
    }
}
