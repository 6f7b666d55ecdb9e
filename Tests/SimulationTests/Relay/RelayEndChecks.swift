// What holds when everybody is at rest, and when all shards have ended: one holder of each id, news that are true,
// nothing kept, and no datagram that nobody can account for.

import ApusReactor
import ApusServer
import ApusWire

// MARK: At rest

extension RelaySimulation {
    func checkTruth() {
        let holders = holders()
        checkPlaces(holders)
        checkHoldings(holders)
        let isComplete = shards.allSatisfy {
            $0.counters.relay.subscriptionsRefused.count == 0 && $0.counters.relay.noticesLost.count == 0
        }
        guard isComplete else { return }
        for client in clients where client.isPeer && client.state == .connected && !client.hasStalledForGood {
            for (id, interest) in client.interests { check(interest, in: id, of: client, holders) }
        }
    }

    /// The open connections of each id that have logged in.
    private func holders() -> [Int: [UInt64]] {
        var holders: [Int: [UInt64]] = [:]
        for shard in shards {
            let relay = relay(shard)
            shard.forEachConnection { slot, connection in
                guard connection.phase == .open, relay.pointee.peer(slot).pointee.stage == .peer else { return }
                guard let client = client(of: connection.descriptor) else { return }
                let token = ConnectionToken(
                    shard: UInt8(shard.kernel.number), generation: connection.generation, slot: slot)
                holders[client.script.id, default: []].append(token.bits)
            }
        }
        return holders
    }

    /// Each id has one holder or none, and all shards know who that is.
    private func checkPlaces(_ holders: [Int: [UInt64]]) {
        for id in 0...plan.idCount {
            let held = holders[id] ?? []
            for shard in shards {
                let place = relay(shard).pointee.directory.find(RelayWire.peerIDs[id])
                guard held.count > 1 || place?.holder != held.first else { continue }
                let detail = "id \(id): \(held) hold it, shard \(shard.kernel.number) knows \(place.map(\.holder) ?? 0)"
                shard.kernel.report(.holdersDisagree, detail)
            }
        }
    }

    /// Nobody who has gone is still known anywhere.
    private func checkHoldings(_ holders: [Int: [UInt64]]) {
        let online = shards.reduce(0) { $0 + relay($1).pointee.registry.onlineCount }
        for shard in shards {
            let relay = relay(shard)
            guard relay.pointee.directory.count != holders.count || online != holders.count else { continue }
            let detail = "\(holders.count) held, \(online) online, \(relay.pointee.directory.count) known"
            shard.kernel.report(.peersLeaked, "\(detail) to shard \(shard.kernel.number)")
        }
        let interests = shards.reduce(0) { $0 + relay($1).pointee.registry.interestCount }
        let wanted = clients.filter { $0.state == .connected || $0.state == .ended(.vanished) }
            .reduce(0) { $0 + $1.interests.count }
        if interests > wanted { shards[0].kernel.report(.peersLeaked, "\(interests) interests, \(wanted) wanted") }
    }

    /// "Online" is told once, "offline" always: what is heard last is true, unless it was "offline" and nobody asked
    /// again (relay.md §4.5).
    private func check(
        _ interest: RelayModelClient.Interest, in id: Int, of client: RelayModelClient, _ holders: [Int: [UInt64]]
    ) {
        let isHeld = holders[id] != nil
        let isTrue =
            switch interest.last {
            case .online: isHeld
            case .none: !isHeld
            case .offline: !isHeld || !interest.isRenewed
            }
        guard !isTrue else { return }
        let detail = "\(client.name) heard \(interest.last) of id \(id), which is \(isHeld ? "held" : "not held")"
        client.kernel.report(.newsUntrue, "\(detail), asked again: \(interest.isRenewed)")
    }
}

// MARK: At the end

extension RelaySimulation {
    func checkEnd() {
        for shard in shards {
            shard.checkEnd(audit)
            checkKept(shard)
        }
        if shared.connectionCount != 0 || shared.hosts.connectionCount != 0 {
            shards[0].kernel.report(.hostPlaceLeaked, "\(shared.connectionCount) connections are still counted")
        }
        checkClients()
        checkPeers()
        checkAccount()
    }

    /// What a shard keeps for its own connections. Of others' it may know something still: shards that have ended are
    /// told nothing.
    private func checkKept(_ shard: SimulatedShard) {
        let relay = relay(shard)
        let (news, byteCount) = (relay.pointee.news.count, relay.pointee.backlog.byteCountInUse)
        if news != 0 || byteCount != 0 {
            shard.kernel.report(.peersLeaked, "\(news) news and \(byteCount) bytes of backlog")
        }
        guard shards.count == 1 else { return }
        let (online, known) = (relay.pointee.registry.onlineCount, relay.pointee.directory.count)
        let interests = relay.pointee.registry.interestCount
        guard online != 0 || known != 0 || interests != 0 else { return }
        shard.kernel.report(.peersLeaked, "\(online) online, \(known) known, \(interests) interests")
    }

    private func checkClients() {
        for client in clients {
            switch client.state {
            case .waiting: client.kernel.report(.noProgress, "\(client.name) never came")
            case .connected:
                if client.hasStalledForGood { break }
                client.kernel.report(.noProgress, "\(client.name), which \(client.script), was left without an end")
            case .ended(.finish):
                if isWhole(client), !client.isBetweenFrames {
                    client.kernel.report(.replyMissing, "\(client.name) was cut off within a frame")
                }
            case .ended: break
            }
        }
    }

    private func reason(of client: RelayModelClient) -> CloseReason? {
        client.socket.flatMap { audit.reasons[$0.descriptor.number] }
    }

    /// It was sent all that was meant for it.
    private func isWhole(_ client: RelayModelClient) -> Bool {
        guard client.state == .ended(.finish), let reason = reason(of: client) else { return false }
        return !isForced && [.peerFinished, .disconnect, .drained, .truncated].contains(reason)
    }

    private func sum(_ count: (RelayCounters) -> UInt64) -> UInt64 {
        shards.reduce(0) { $0 + count($1.counters.relay) }
    }

    /// Who logged in has left, and every login that was to be refused was.
    private func checkPeers() {
        shards[0].expect("departures", sum { $0.departures.count }, sum { $0.logins.count })
        let welcome = UInt64(clients.count { $0.isPeer })
        let logins = sum { $0.logins.count }
        if welcome > logins { shards[0].expect("logins", logins, welcome) }
        for shard in shards {
            // Who took too long was closed for that.
            let refused = shard.counters.relay.refused.filter { $0.key != RelayRefusal.timeout.label }
                .values.reduce(0, +)
            shard.expect("refused logins", shard.counters.closed(.authRefused), refused)
            shard.expect("replaced", shard.counters.closed(.replaced), shard.counters.relay.replacements.count)
        }
    }

    static let drops: [DropReason] = [
        .unknownPeer, .peerLaneFull, .peerMoved, .peerGone, .peerBacklogFull, .relayBudget, .peerBacklogAged,
        .memoryBudget,
    ]

    /// What was received went somewhere or was dropped for a reason; what was heard was delivered, and from those who
    /// ended in peace all was received.
    private func checkAccount() {
        let (received, delivered) = (sum { $0.messagesReceived.count }, sum { $0.messagesDelivered.count })
        let dropped = shards.reduce(0) { total, shard in
            total + RelaySimulation.drops.reduce(0) { $0 + shard.counters.dropped($1) }
        }
        let detail = "\(received) received, \(delivered) delivered, \(dropped) dropped, \(post.heardCount) heard"
        if received != delivered + dropped { shards[0].kernel.report(.datagramsUnaccounted, detail) }
        if received > post.writtenCount() {
            shards[0].kernel.report(.datagramsUnaccounted, "more than sent: \(detail)")
        }
        if post.heardCount > delivered { shards[0].kernel.report(.datagramsUnaccounted, "heard: \(detail)") }
        let peaceful = clients.filter { [.peerFinished, .disconnect].contains(reason(of: $0)) && !$0.hasReset }
        let owed = peaceful.reduce(0) { $0 + post.writtenCount(of: $1.number) }
        if received < owed { shards[0].kernel.report(.datagramsUnaccounted, "of \(owed) of the peaceful: \(detail)") }
        let isWholeForAll = clients.allSatisfy { isWhole($0) || !$0.script.becomesPeer }
        guard isWholeForAll else { return }
        shards[0].expect("datagrams heard", post.heardCount, delivered)
    }
}
