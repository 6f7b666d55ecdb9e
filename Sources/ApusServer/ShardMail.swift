// Between shards: descriptors and pushes that belong to another shard go out through its mailbox, what others left here
// is taken in once a turn, and whoever sleeps on mail of this turn is woken by a doorbell.

import ApusReactor
import ApusWire

/// What shards tell one another on the control lane, which never drops.
enum MailKind: UInt8 {
    /// A connection that this shard accepted for that one. First word: its admission; second: the reload it knows of
    /// the listener by.
    case connection = 1
    /// Notices of the relay; see `RelayNotice`.
    case relayClaim, relayRelease, relaySubscribe, relayUnsubscribe, relayForget
    case relayPlaced, relayRemoved, relayNews
}

extension ShardState {
    private var hasPeers: Bool { shardCount > 1 }

    /// A connection begins on another shard. Its place there is counted already.
    mutating func hand(_ descriptor: Descriptor, _ admission: Admission, to target: UInt8) {
        let message = ControlMessage(
            kind: MailKind.connection.rawValue, descriptor: descriptor,
            first: admission.bits, second: epoch)
        // The lane and its pending list hold thousands; the target takes them in at least once a turn.
        guard shared.mail.outbox(from: Int(index), to: Int(target)).post(message) else {
            return refuseHanded(descriptor, admission, target)
        }
        doorbells.insert(target)
    }

    private func refuseHanded(_ descriptor: Descriptor, _ admission: Admission, _ target: UInt8) {
        counters.count(RefusalReason.laneFull)
        shared.release(admission)
        shared.entries[Int(target)].open.subtract(1, ordering: .relaxed)
        closeDescriptor(descriptor)
    }

    /// A packet for a connection of another shard, on the data lane: full, it drops and counts.
    mutating func post(_ packet: [UInt8], to token: ConnectionToken) {
        guard Int(token.shard) < shardCount else { return counters.count(DropReason.pushForGoneConnection) }
        guard packet.count <= Limits.mailByteCountMax else { return counters.count(DropReason.pushTooLarge) }
        let outbox = shared.mail.outbox(from: Int(index), to: Int(token.shard))
        guard outbox.post(destination: token.bits, bytes: packet.span.bytes) else {
            return counters.count(DropReason.pushLaneFull)
        }
        doorbells.insert(token.shard)
    }

    /// What another shard put into the data lane.
    fileprivate mutating func take(_ record: RawSpan, for token: ConnectionToken, _ kind: UInt32) {
        switch RecordKind(rawValue: kind) {
        case .push: deliver(record, to: token)
        // A reload that brought the relay is still on its way here.
        case .some where relay == nil: counters.count(DropReason.unknownPeer)
        case .relayed: deliverPosted(record, to: token, .relayed)
        case .relayedAgain: deliverPosted(record, to: token, .relayedAgain)
        case .sought: deliverSought(record)
        case nil: preconditionFailure("no shard posts such a record")
        }
    }

    /// Until when to sleep: not at all when there is mail, not for long while a lane that was full holds ours back.
    /// Nor while a draining shard waits for others to stop sharing out, which is a turn of theirs.
    func sleepLimit(_ earliest: Instant) -> Instant {
        if hasRelayWork { return now }
        let looksSoon = isRelayWaiting || (isDraining && slab.count == 0 && mayBeHandedConnections)
        let limit = looksSoon ? min(earliest, now + .millisecond) : earliest
        guard hasPeers else { return limit }
        guard shared.mail.prepareSleep(Int(index)) else { return now }
        return hasPendingMail ? min(limit, now + .millisecond) : limit
    }

    /// Connections that were accepted may still come here from another shard.
    var mayBeHandedConnections: Bool {
        guard hasPeers else { return false }
        if shared.sharingAcceptors.load(ordering: .acquiring) > 0 { return true }
        // Looked at behind the count: what was posted before the last acceptor closed is seen.
        return (0..<shardCount).contains { source in
            source != Int(index) && !shared.mail.inbox(from: source, to: Int(index)).isEmpty
        }
    }

    /// What another turn would do at once: what the end of this one has left over.
    private var hasRelayWork: Bool {
        guard let relay else { return false }
        return relay.pointee.isForgetting || relay.pointee.registry.hasNews(for: Int(index))
    }

    /// News, a home's word or peers wait for room in a lane, or peers for a buffer.
    private var isRelayWaiting: Bool {
        guard let relay else { return false }
        return relay.pointee.isAwaited || (0..<shardCount).contains { relay.pointee.registry.hasNews(for: $0) }
    }

    private var hasPendingMail: Bool {
        for target in 0..<shardCount where target != Int(index) {
            if shared.mail.outbox(from: Int(index), to: target).hasPending { return true }
        }
        return false
    }

    func wakeUp() {
        if hasPeers { shared.mail.wakeUp(Int(index)) }
    }
}

extension ControlMessage {
    /// Of a connection that was handed over.
    fileprivate var admission: Admission { Admission(bits: first) }
}

extension SharedState {
    /// Close descriptors that were handed to a shard which ended before it took them; only after all shards have ended.
    package func closeLeftovers() {
        for source in entries.indices {
            for target in entries.indices where target != source {
                let (outbox, inbox) = (mail.outbox(from: source, to: target), mail.inbox(from: source, to: target))
                repeat {
                    inbox.drain { kind, _, _ in
                        let isPush = RecordKind(rawValue: kind) == .push
                        entries[source].counters.count(isPush ? DropReason.pushForGoneConnection : .peerGone)
                    }
                    inbox.drainControl { message in
                        // What is said of peers nobody needs any more.
                        guard MailKind(rawValue: message.kind) == .connection else { return }
                        closeDescriptor(message.descriptor)
                        entries[source].counters.count(RefusalReason.draining)
                        release(message.admission)
                    }
                    outbox.flushPending()
                } while !inbox.isEmpty
            }
        }
    }
}

extension Shard where IO: ~Copyable {
    /// Take in what other shards left here.
    mutating func collectMail() {
        let index = Int(state.pointee.index)
        for source in 0..<state.pointee.shardCount where source != index {
            // Reached through the state each time: a reference held in a variable would be retained every turn.
            let inbox = state.pointee.shared.mail.inbox(from: source, to: index)
            if inbox.isEmpty { continue }
            inbox.drainControl { message in take(message) }
        }
        // Behind all of that: where the peers are that messages are for.
        for source in 0..<state.pointee.shardCount where source != index {
            let inbox = state.pointee.shared.mail.inbox(from: source, to: index)
            if inbox.isEmpty { continue }
            inbox.drain { [state] kind, destination, record in
                state.pointee.take(record, for: ConnectionToken(bits: destination), kind)
            }
        }
    }

    private mutating func take(_ message: ControlMessage) {
        switch MailKind(rawValue: message.kind) {
        case .connection:
            // The sender knows of the listener by a reload that waits in our inbox: it was in every inbox before anyone
            // accepted there.
            if message.second > state.pointee.epoch { takeEvents() }
            open(message.descriptor, message.admission)
        case .some(let kind):
            // A relay that a reload has brought is in every inbox before anybody spoke to it.
            if state.pointee.relay == nil { takeEvents() }
            guard let notice = RelayNotice(message, kind) else { preconditionFailure("no shard sends such mail") }
            state.pointee.take(notice)
        case nil: preconditionFailure("no shard sends such mail")
        }
    }

    /// Move what waited behind full lanes, then wake whoever sleeps on this turn's mail.
    mutating func ringDoorbells() {
        let index = Int(state.pointee.index)
        for target in 0..<state.pointee.shardCount where target != index {
            let outbox = state.pointee.shared.mail.outbox(from: index, to: target)
            guard outbox.hasPending else { continue }
            outbox.flushPending()
            state.pointee.doorbells.insert(UInt8(target))
        }
        while let target = state.pointee.doorbells.popFirst() {
            if state.pointee.shared.mail.needsDoorbell(Int(target)) { ringDoorbell(of: target) }
        }
    }

    private mutating func ringDoorbell(of target: UInt8) {
        let ring = state.pointee.shared.entries[Int(target)].ring.load(ordering: .acquiring)
        guard ring >= 0 else { return }  // It has ended; what is left for it is seen to when all have.
        state.pointee.counters.doorbells.add()
        io.ringDoorbell(
            of: Descriptor(ring), delivering: Token(.doorbell, slot: UInt32(state.pointee.index)),
            token: Token(.ring, slot: UInt32(target)))
    }

    /// A doorbell that could not be rung is rung again: whoever asked first whether the target sleeps was told that
    /// nobody else needs to.
    mutating func doorbellRung(_ completion: Completion) {
        if completion.result < 0 { ringDoorbell(of: UInt8(truncatingIfNeeded: completion.token.slot)) }
    }
}
