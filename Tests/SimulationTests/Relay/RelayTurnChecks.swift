// What holds of a relay's shard at the end of every turn, whatever the kernel and the peers have done.

import ApusReactor
import ApusServer
import ApusWire

/// The epochs that shards have known each id by.
struct EpochWatch {
    struct Place { var epoch: UInt64, holder: UInt64 }
    fileprivate var known: [[Int: Place]] = Array(repeating: [:], count: 4)
}

/// Connections that are not read until lanes have room, and since when, by descriptor.
struct WaitWatch {
    fileprivate(set) var pausedSince: [Int32: Instant] = [:]
}

extension RelaySimulation {
    /// Lanes have room again within so long, whatever the weather.
    private static let attention: Nanoseconds = 20 * .second
    /// What a connection may gather: messages, what is said besides, and the last of either (`Limits`).
    private static let gatheredByteCountMax = (64 + 16) << 10 + 9000

    func checkTurn(_ shard: SimulatedShard) {
        var heldByteCount = 0
        let relay = relay(shard)
        shard.forEachConnection { slot, connection in
            heldByteCount += connection.inbound.chunkByteCount + connection.outbound.chunkByteCount
            heldByteCount += relay.pointee.peer(slot).pointee.fragments.chunkByteCount
            check(connection, slot, shard)
        }
        shard.checkBuffers(heldByteCount: heldByteCount)
        shard.checkOpenCount()
        checkBacklog(shard)
        checkEpochs(shard)
    }

    func relay(_ shard: SimulatedShard) -> UnsafeMutablePointer<RelayShard> {
        guard let relay = shard.state.pointee.relay else { preconditionFailure("every listener speaks relay") }
        return relay
    }

    private func check(_ connection: Connection, _ slot: UInt32, _ shard: SimulatedShard) {
        guard let client = client(of: connection.descriptor), let socket = client.socket else {
            return shard.kernel.report(.foreignDescriptor, "descriptor \(connection.descriptor.number)")
        }
        shard.checkBits(connection, socket)
        if connection.outbound.gatheredByteCount > RelaySimulation.gatheredByteCountMax {
            shard.kernel.report(
                .outboundOverLimit, "\(connection.outbound.gatheredByteCount) bytes for \(client.name)")
        }
        let inboundMax = 64 << 10 + shard.kernel.buffers.totalByteCount
        if connection.inbound.byteCount > inboundMax {
            shard.kernel.report(.inboundOverLimit, "\(connection.inbound.byteCount) bytes of \(client.name)")
        }
        checkPause(connection, client)
        if connection.phase != .open { judge(connection, client) }
    }

    private func checkPause(_ connection: Connection, _ client: RelayModelClient) {
        let number = connection.descriptor.number
        guard connection.isPaused, connection.phase == .open else { return waits.pausedSince[number] = nil }
        let since = waits.pausedSince[number] ?? world.now
        waits.pausedSince[number] = since
        guard world.now > since + RelaySimulation.attention else { return }
        client.kernel.report(.bytesIgnored, "\(connection.inbound.byteCount) bytes of \(client.name)")
    }

    private func checkBacklog(_ shard: SimulatedShard) {
        let inUse = relay(shard).pointee.backlog.byteCountInUse
        guard let settings = plan.configuration.relay, inUse > settings.backlogBudgetPerShard else { return }
        shard.kernel.report(.backlogOverLimit, "\(inUse) bytes")
    }

    /// What a shard knows of where a peer is never becomes older, and an epoch is one claim.
    private func checkEpochs(_ shard: SimulatedShard) {
        let (number, relay) = (shard.kernel.number, relay(shard))
        for id in 0..<plan.idCount {
            guard let place = relay.pointee.directory.find(RelayWire.peerIDs[id]) else { continue }
            let before = epochs.known[number].updateValue(
                EpochWatch.Place(epoch: place.epoch, holder: place.holder), forKey: id)
            guard let before else { continue }
            let isSame = before.epoch == place.epoch && before.holder == place.holder
            if !isSame, place.epoch <= before.epoch {
                shard.kernel.report(.epochWentBack, "id \(id): epoch \(before.epoch), then \(place.epoch)")
            }
        }
    }
}
