// The way of a relayed message: from where it was received straight to where it leaves from, unmasked on the way, with
// its source in the place of its destination. One pass over the bytes, nothing allocated.

import ApusReactor
import ApusRelay
import ApusWire

/// What the bytes of a record in the data lane are.
enum RecordKind: UInt32 {
    /// A packet for a connection.
    case push
    /// A relayed message: the destination's id, then the message. It may be posted on once, when the peer has moved.
    case relayed
    case relayedAgain
    /// The same at the home of the destination's id: the sender's shard does not know where the peer is.
    case sought
}

extension ShardState {
    /// A Transport message of a peer.
    /// - Parameter message: masked with `key`, or with 0 for none.
    @inline(__always)
    mutating func forward(
        _ message: RawSpan, maskedWith key: UInt32, from source: UnsafeMutablePointer<RelayPeer>
    ) {
        counters.relay.received(message.byteCount)
        if source.pointee.becomeActive(at: now) { counters.relay.countActive() }
        let destination = RelayTransport.destination(of: message, maskedWith: key)
        let id = source.pointee.id
        guard let place = relayShard.pointee.directory.find(destination) else {
            return seek(message.byteCount, for: destination) {
                RelayTransport.append(message, maskedWith: key, from: id, to: &$0)
            }
        }
        let holder = ConnectionToken(bits: place.holder)
        guard holder.shard == index else {
            return post(message.byteCount, to: destination, holder, .relayed) {
                RelayTransport.append(message, maskedWith: key, from: id, to: &$0)
            }
        }
        guard let connection = slab.connection(holder.slot, generation: holder.generation),
            connection.pointee.phase == .open
        else { return counters.count(DropReason.unknownPeer) }
        deliver(message.byteCount, from: id, to: holder.slot, connection) {
            RelayTransport.append(message, maskedWith: key, from: id, to: &$0)
        }
    }

    /// Put one message behind what a peer of this shard is to be sent.
    @inline(__always)
    private mutating func deliver(
        _ byteCount: Int, from source: PeerID, to slot: UInt32, _ connection: UnsafeMutablePointer<Connection>,
        _ body: (inout OutputRawSpan) -> Void
    ) {
        guard mayGather(connection) else { return queue(from: source, to: slot, connection, body) }
        guard appendFrame(payloadByteCount: byteCount, to: connection, body) else {
            return counters.count(DropReason.memoryBudget)
        }
        counters.relay.delivered(byteCount)
        touch(slot)
    }

    /// Whether a message goes straight to what this connection gathers: none waits before it, and it has room.
    @inline(__always)
    private func mayGather(_ connection: UnsafeMutablePointer<Connection>) -> Bool {
        !connection.pointee.hasBacklog && hasRoomToGather(connection)
    }

    /// Not too much is there, nor do buffers run short. Then those that have some on its way wait for that: peers that
    /// take nothing may not use up what the others live from.
    @inline(__always)
    private func hasRoomToGather(_ connection: UnsafeMutablePointer<Connection>) -> Bool {
        connection.pointee.gatheredByteCount < Limits.relayGatheredByteCountMax
            && (!connection.pointee.sending || hasSpareBuffers)
    }

    var hasSpareBuffers: Bool { pool.byteCountInUse < limits.memoryHighWater }

    /// What must be said besides has some room more.
    func mayAddControl(_ connection: UnsafeMutablePointer<Connection>) -> Bool {
        let limit = connection.pointee.isEstablished
            ? Limits.relayGatheredByteCountMax + Limits.relayControlByteCountMax : Limits.relayStrangerByteCountMax
        return connection.pointee.gatheredByteCount < limit
    }

    /// The connection has enough: the message waits its turn, and the oldest of whoever has most waiting may have to go
    /// for it.
    @inline(never)
    private mutating func queue(
        from source: PeerID, to slot: UInt32, _ connection: UnsafeMutablePointer<Connection>,
        _ body: (inout OutputRawSpan) -> Void
    ) {
        let room = relayShard.pointee.outgoing.buffer()
        var output = OutputRawSpan(buffer: room, initializedCount: 0)
        body(&output)
        let message = UnsafeRawBufferPointer(rebasing: room[..<output.finalize(for: room)])
        var drops = BacklogDrops()
        relayShard.pointee.backlog.append(
            RawSpan(_unsafeBytes: message), to: slot, from: source, at: now.nanoseconds, drops: &drops)
        counters.count(drops)
        connection.pointee.hasBacklog = true
        touch(slot)
    }

    /// What waited goes to what the connection gathers, as far as that may be; what has waited too long does not.
    @inline(never)
    mutating func takeBacklog(_ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>) {
        let relay = relayShard
        var drops = BacklogDrops()
        while hasRoomToGather(connection),
            let byteCount = relay.pointee.backlog.nextByteCount(for: slot, at: now.nanoseconds, drops: &drops)
        {
            let isAppended = appendFrame(payloadByteCount: byteCount, to: connection) {
                relay.pointee.backlog.popNext(for: slot, into: &$0)
            }
            guard isAppended else {
                relay.pointee.awaitingBuffers.append(slot)
                break
            }
            counters.relay.delivered(byteCount)
        }
        counters.count(drops)
        connection.pointee.hasBacklog = !relay.pointee.backlog.isEmpty(for: slot)
    }
}

// MARK: To peers of other shards

extension ShardState {
    @inline(__always)
    private mutating func post(
        _ byteCount: Int, to destination: PeerID, _ holder: ConnectionToken, _ kind: RecordKind,
        _ body: (inout OutputRawSpan) -> Void
    ) {
        let outbox = shared.mail.outbox(from: Int(index), to: Int(holder.shard))
        let isPosted = outbox.post(
            kind: kind.rawValue, destination: holder.bits, byteCount: PeerID.byteCount + byteCount
        ) { output in
            destination.write(into: &output)
            body(&output)
        }
        guard isPosted else { return counters.count(DropReason.peerLaneFull) }
        counters.relay.messagesPosted.add()
        doorbells.insert(holder.shard)
    }

    /// Nobody here knows the peer. It may have logged in just now, on another shard: its home knows then.
    @inline(never)
    private mutating func seek(_ byteCount: Int, for destination: PeerID, _ body: (inout OutputRawSpan) -> Void) {
        let home = UInt8(relayShard.pointee.hash.home(of: destination, shardCount: shardCount))
        guard home != index else { return counters.count(DropReason.unknownPeer) }
        post(byteCount, to: destination, ConnectionToken(shard: home, generation: 0, slot: 0), .sought, body)
    }

    /// At home: a message for a peer that its sender's shard does not know.
    mutating func deliverSought(_ record: RawSpan) {
        guard let place = relayShard.pointee.directory.find(PeerID(record, at: 0)) else {
            return counters.count(DropReason.unknownPeer)
        }
        postOn(record, to: ConnectionToken(bits: place.holder))
    }

    /// A message that another shard has for a peer of this one.
    mutating func deliverPosted(_ record: RawSpan, to token: ConnectionToken, _ kind: RecordKind) {
        let message = record.extracting(droppingFirst: PeerID.byteCount)
        guard let connection = slab.connection(token.slot, generation: token.generation),
            connection.pointee.phase == .open
        else { return follow(record, kind) }
        let source = PeerID(message, at: RelayFormat.headerByteCount)
        deliver(message.byteCount, from: source, to: token.slot, connection) { $0.append(copying: message) }
    }

    /// The peer is not where it was: it may have come back elsewhere meanwhile. Once.
    private mutating func follow(_ record: RawSpan, _ kind: RecordKind) {
        guard kind == .relayed, let place = relayShard.pointee.directory.find(PeerID(record, at: 0)) else {
            return counters.count(DropReason.peerMoved)
        }
        postOn(record, to: ConnectionToken(bits: place.holder))
    }

    /// A posted message goes to where its peer is by now, for the last time.
    private mutating func postOn(_ record: RawSpan, to holder: ConnectionToken) {
        guard holder.shard != index else { return deliverPosted(record, to: holder, .relayedAgain) }
        let message = record.extracting(droppingFirst: PeerID.byteCount)
        post(message.byteCount, to: PeerID(record, at: 0), holder, .relayedAgain) { $0.append(copying: message) }
    }
}
