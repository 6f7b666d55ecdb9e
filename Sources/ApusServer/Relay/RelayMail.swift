// What shards tell one another about peers. Each id has a home, whose word counts: it gives every claim an epoch and
// tells all shards; it also knows who is interested in the id. What a shard tells itself goes the same way, without
// mail.
//
//     peer's shard ──claim, release──▶ home ──placed, removed──▶ every shard
//     peer's shard ──subscribe, …────▶ home ──news─────────────▶ subscriber's shard

import ApusReactor
import ApusRelay
import ApusWire

/// What is said of an id, or of a peer.
enum RelayNotice {
    /// To the home: this connection is the peer from now on; it has left.
    case claim(PeerID, holder: UInt64)
    case release(PeerID, holder: UInt64)
    /// To the home: this peer wants to hear of that one; no more; of nobody any more.
    case subscribe(PeerID, subscriber: UInt64)
    case unsubscribe(PeerID, subscriber: UInt64)
    case forget(subscriber: UInt64)
    /// To every shard: where a peer is; that it is nowhere.
    case placed(PeerID, holder: UInt64, epoch: UInt64)
    case removed(PeerID, epoch: UInt64)
    /// To a subscriber's shard.
    case news(PeerNews)

    /// Of a home's word; nil for the others, which are not said before there is room for them.
    fileprivate var placeID: PeerID? {
        switch self {
        case .placed(let id, _, _), .removed(let id, _): id
        case .claim, .release, .subscribe, .unsubscribe, .forget, .news: nil
        }
    }
}

// MARK: Telling

extension ShardState {
    /// So many notices that a peer causes are certain to be taken by any home. Half of what may wait is for those that
    /// come from elsewhere: departures, and what homes say. False: the peer is tried again when there is room.
    mutating func mayTellHomes(_ count: Int, for slot: UInt32) -> Bool {
        if lanesHaveRoom(for: count, keepingFree: 2) { return true }
        relayShard.pointee.awaitingLanes.append(slot)
        return false
    }

    /// Enough for whoever waits to try again.
    var lanesHaveRoom: Bool { lanesHaveRoom(for: RelayFormat.listCountMax, keepingFree: 2) }

    /// A departure is one notice to a home and one to all; it waits where a lane is short. A quarter of each lane is
    /// for what homes say of others' departures: it answers mail, waits for nothing, and would be lost.
    var hasRoomToDepart: Bool { lanesHaveRoom(for: 2, keepingFree: 4) }

    /// - Parameter share: one part in so many stays free.
    private func lanesHaveRoom(for count: Int, keepingFree share: Int) -> Bool {
        (0..<shardCount).allSatisfy { target in
            guard hears(target) else { return true }
            let outbox = shared.mail.outbox(from: Int(index), to: target)
            return outbox.room >= outbox.capacity / share + count
        }
    }

    /// Whether another shard is there to be told: in a drain they end one after the other, and whoever has ended takes
    /// nothing out any more.
    private func hears(_ target: Int) -> Bool {
        target != Int(index) && !shared.entries[target].hasEnded.load(ordering: .acquiring)
    }

    /// Tell an id's home. Its caller has seen that there is room.
    mutating func tellHome(of id: PeerID, _ notice: RelayNotice) {
        tell(notice, to: UInt8(relayShard.pointee.hash.home(of: id, shardCount: shardCount)))
    }

    mutating func tellAll(_ notice: RelayNotice) {
        for target in 0..<shardCount { tell(notice, to: UInt8(target)) }
    }

    private mutating func tell(_ notice: RelayNotice, to target: UInt8) {
        if target == index { return take(notice) }
        guard hears(Int(target)) else { return }
        doorbells.insert(target)
        if post(notice, to: Int(target)) { return }
        // The target has not turned for thousands of notices. Until it is told, it knows a place that was.
        let isKept = notice.placeID.map { relayShard.pointee.untold.add($0, for: Int(target)) }
        if isKept != true { counters.relay.noticesLost.add() }
    }

    /// False: the lane is full.
    private func post(_ notice: RelayNotice, to target: Int) -> Bool {
        shared.mail.outbox(from: Int(index), to: target).post(ControlMessage(notice))
    }

    /// Tell shards the places that they could not be told before, as far as there is room: those of by now.
    mutating func tellPlaces() {
        guard !relayShard.pointee.untold.isEmpty else { return }
        for target in 0..<shardCount {
            while mayTellPlaces(to: target), let id = relayShard.pointee.untold.pop(for: target) {
                tell(place(of: id), to: UInt8(target))
            }
        }
    }

    /// Whoever has ended is told nothing, and what waited for it is dropped.
    private func mayTellPlaces(to target: Int) -> Bool {
        !hears(target) || shared.mail.outbox(from: Int(index), to: target).room > 0
    }

    /// Where a peer is, as its home knows. Of a peer that is nowhere every claim is over.
    private func place(of id: PeerID) -> RelayNotice {
        guard let place = relayShard.pointee.registry.holder(of: id) else {
            return .removed(id, epoch: relayShard.pointee.registry.lastEpoch)
        }
        return .placed(id, holder: place.holder, epoch: place.epoch)
    }

    /// Hand news to the shards of those who asked for them, as far as there is room.
    mutating func tellNews() {
        for target in 0..<shardCount {
            while mayTellNews(to: target), let news = relayShard.pointee.registry.popNews(for: target) {
                tell(.news(news), to: UInt8(target))
            }
        }
    }

    private func mayTellNews(to target: Int) -> Bool {
        guard hears(target) else { return true }
        let outbox = shared.mail.outbox(from: Int(index), to: target)
        return outbox.room > outbox.capacity / 2
    }
}

// MARK: Hearing

extension ShardState {
    mutating func take(_ notice: RelayNotice) {
        switch notice {
        case .claim(let id, let holder): claim(id, holder)
        case .release(let id, let holder):
            guard let epoch = relayShard.pointee.registry.release(id, by: holder) else { return }
            tellAll(.removed(id, epoch: epoch))
        case .subscribe(let id, let subscriber):
            if case .full = relayShard.pointee.registry.subscribe(id, by: subscriber) { refuse(subscriber, id) }
        case .unsubscribe(let id, let subscriber): relayShard.pointee.registry.unsubscribe(id, by: subscriber)
        case .forget(let subscriber): relayShard.pointee.forget(subscriber)
        case .placed(let id, let holder, let epoch): place(id, holder, epoch)
        case .removed(let id, let epoch): _ = relayShard.pointee.directory.remove(id, epoch: epoch)
        case .news(let news): keep(news)
        }
    }

    /// At home: an interest beyond the limits is not kept, but whether the peer is there is said all the same.
    private mutating func refuse(_ subscriber: UInt64, _ id: PeerID) {
        counters.relay.subscriptionsRefused.add()
        let shard = ConnectionToken(bits: subscriber).shard
        guard relayShard.pointee.registry.holder(of: id) != nil, mayTellNews(to: Int(shard)) else { return }
        tell(.news(PeerNews(subscriber: subscriber, id: id, isOnline: true)), to: shard)
    }

    /// At home: the last one wins.
    private mutating func claim(_ id: PeerID, _ holder: UInt64) {
        guard let claim = relayShard.pointee.registry.claim(id, by: holder, at: now.nanoseconds) else {
            // More peers than connections there may be: those that have just left are not all told yet.
            counters.relay.noticesLost.add()
            return
        }
        if claim.isFlapping {
            counters.relay.flappings.add()
            note(.relayFlapping(id), of: ConnectionToken(bits: holder))
        }
        tellAll(.placed(id, holder: holder, epoch: claim.epoch))
    }

    /// Everywhere: whoever was there before ends, if it is here.
    private mutating func place(_ id: PeerID, _ holder: UInt64, _ epoch: UInt64) {
        switch relayShard.pointee.directory.place(id, holder: holder, epoch: epoch) {
        case .replaced(let before):
            evict(ConnectionToken(bits: before.holder))
            timePlacing(of: ConnectionToken(bits: holder))
        case .new: timePlacing(of: ConnectionToken(bits: holder))
        case .stale: break
        case .full: counters.relay.noticesLost.add()
        }
    }

    /// At the peer's shard: its login is as long ago as it was asked for the first time.
    private mutating func timePlacing(of token: ConnectionToken) {
        guard token.shard == index, slab.connection(token.slot, generation: token.generation) != nil else { return }
        counters.relay.placingTimes.add(now - relayShard.pointee.peer(token.slot).pointee.lastProbed)
    }

    /// At a subscriber's shard: it is told when its connection has room.
    private mutating func keep(_ news: PeerNews) {
        let token = ConnectionToken(bits: news.subscriber)
        guard let connection = slab.connection(token.slot, generation: token.generation),
            connection.pointee.phase == .open
        else { return }
        while !relayShard.pointee.news.append(news.id, isOnline: news.isOnline, for: token.slot) {
            let slot = relayShard.pointee.news.slotWithMost
            overflow(slot)
            if slot == token.slot { return }
        }
        touch(token.slot)
        relayShard.pointee.peer(token.slot).pointee.hasNews = true
    }

    /// More news wait than may: the peer that has most of them ends. What it misses it could never be told; it comes
    /// back and asks again.
    private mutating func overflow(_ slot: UInt32) {
        relayShard.pointee.news.discard(slot)
        relayShard.pointee.peer(slot).pointee.hasNews = false
        touch(slot)
        abort(slot, slab[slot], .newsOverflow)
    }
}

// MARK: Interest

extension ShardState {
    mutating func subscribe(
        _ ids: PeerIDList, in message: RawSpan, _ slot: UInt32, _ peer: UnsafeMutablePointer<RelayPeer>,
        _ connection: UnsafeMutablePointer<Connection>
    ) -> Verdict {
        guard mayTellHomes(ids.count, for: slot) else { return .pause }
        let subscriber = token(of: slot, connection).bits
        if ids.count > 0 { peer.pointee.hasSubscribed = true }
        counters.relay.subscriptions.add(UInt64(ids.count))
        for index in ids.indices {
            let id = ids.id(at: index, in: message)
            tellHome(of: id, .subscribe(id, subscriber: subscriber))
        }
        return ids.count > 0 || admitControl(connection) ? .next : .finish(.controlFlood)
    }

    mutating func unsubscribe(
        _ ids: PeerIDList, in message: RawSpan, _ slot: UInt32, _ peer: UnsafeMutablePointer<RelayPeer>,
        _ connection: UnsafeMutablePointer<Connection>
    ) -> Verdict {
        guard mayTellHomes(ids.count, for: slot) else { return .pause }
        let subscriber = token(of: slot, connection).bits
        for index in ids.indices {
            let id = ids.id(at: index, in: message)
            tellHome(of: id, .unsubscribe(id, subscriber: subscriber))
        }
        return ids.count > 0 || admitControl(connection) ? .next : .finish(.controlFlood)
    }

    /// Tell a peer who came and went, as far as its connection has room.
    mutating func tellPeer(_ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>) {
        for isOnline in [true, false] {
            while mayAddControl(connection), writeNews(isOnline: isOnline, slot, connection) {}
        }
        relayShard.pointee.peer(slot).pointee.hasNews = !relayShard.pointee.news.isEmpty(for: slot)
    }

    /// One list. False: there is nothing to say, or no buffer to say it in.
    private mutating func writeNews(
        isOnline: Bool, _ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>
    ) -> Bool {
        let count = relayShard.pointee.news.listCount(for: slot, isOnline: isOnline)
        guard count > 0 else { return false }
        let relay = relayShard
        let isWritten = appendFrame(payloadByteCount: RelayEncoder.listByteCount(count), to: connection) { output in
            relay.pointee.news.take(count, for: slot, isOnline: isOnline, into: &output)
        }
        guard isWritten else {
            relay.pointee.awaitingBuffers.append(slot)
            return false
        }
        counters.relay.newsTold.add(UInt64(count))
        return true
    }
}
