// What shards tell one another about peers where lanes are short, and what becomes of messages on the way: two shards'
// states without their loops, the mail between them taken out by hand.

import ApusReactor
import ApusRelay
import ApusWire
import TestSupport
import Testing

@testable import ApusServer

@Suite struct RelayMailTests {
    private func peer(_ number: Int) -> PeerID {
        let bytes = (0..<36).map { UInt8(truncatingIfNeeded: number >> (8 * ($0 % 4))) ^ UInt8($0) }
        return PeerID(bytes.span.bytes, at: 0)
    }

    /// Far more than the lane and what waits behind it hold: what is not said at once is said later, as it is by then.
    @Test func aHomesWordIsNotLostWhereItsLaneIsFull() throws {
        let shards = try TwoShards(control: 64, pending: 64)
        let holder = ConnectionToken(shard: 0, generation: 1, slot: 0).bits
        for number in 0..<1000 { shards.home.pointee.take(.claim(peer(number), holder: holder)) }
        // Of some the peer leaves, or another comes, before the other shard has heard of the first.
        for number in stride(from: 0, to: 1000, by: 3) {
            shards.home.pointee.take(.release(peer(number), holder: holder))
        }
        let later = ConnectionToken(shard: 1, generation: 2, slot: 0).bits
        for number in stride(from: 0, to: 1000, by: 5) {
            shards.home.pointee.take(.claim(peer(number), holder: later))
        }
        shards.exchange()
        for number in 0..<1000 {
            let expected = number % 5 == 0 ? later : number % 3 == 0 ? nil : holder
            #expect(shards.other.pointee.relayShard.pointee.directory.find(peer(number))?.holder == expected)
            #expect(shards.home.pointee.relayShard.pointee.directory.find(peer(number))?.holder == expected)
        }
        #expect(shards.home.pointee.counters.relay.noticesLost.count == 0)
        #expect(shards.home.pointee.relayShard.pointee.untold.isEmpty == true)
    }

    @Test func whatALaneHasNoRoomForIsCounted() throws {
        let shards = try TwoShards(records: 64 << 10)
        let (source, destination) = (peer(1), peer(2))
        shards.place(destination, at: ConnectionToken(shard: 1, generation: 7, slot: 3))
        let sender = shards.home.pointee.relayShard.pointee.peer(0)
        sender.initialize(to: RelayPeer())
        sender.pointee.become(source, at: shards.home.pointee.now)
        let message = RelayClient.transport(to: destination, [UInt8](repeating: 5, count: 1200))
        for _ in 0..<200 { shards.home.pointee.forward(message.span.bytes, maskedWith: 0, from: sender) }
        var arrived = 0
        shards.grid.inbox(from: 0, to: 1).drain { kind, _, record in
            #expect(kind == RecordKind.relayed.rawValue)
            #expect(record.byteCount == PeerID.byteCount + message.count)
            arrived += 1
        }
        let dropped = Int(shards.home.pointee.counters.dropped(.peerLaneFull))
        #expect(arrived > 10 && dropped > 10)
        #expect(arrived + dropped == 200)
        #expect(shards.home.pointee.counters.relay.messagesPosted.count == UInt64(arrived))
    }

    /// A message follows its peer once; then it is a drop, so that two shards that each believe the other has the peer
    /// do not play with it for ever.
    @Test func aMessageFollowsItsPeerOnce() throws {
        let shards = try TwoShards()
        let destination = peer(2)
        let gone = ConnectionToken(shard: 1, generation: 7, slot: 3)
        let record = shards.record(to: destination)
        // The other shard does not know where it went.
        shards.other.pointee.deliverPosted(record.span.bytes, to: gone, .relayed)
        #expect(shards.other.pointee.counters.dropped(.peerMoved) == 1)
        // It knows: back to this shard, where it is gone by then too.
        shards.place(destination, at: ConnectionToken(shard: 0, generation: 9, slot: 1))
        shards.other.pointee.deliverPosted(record.span.bytes, to: gone, .relayed)
        var kinds: [UInt32] = []
        shards.grid.inbox(from: 1, to: 0).drain { kind, destination, record in
            kinds.append(kind)
            shards.home.pointee.deliverPosted(record, to: ConnectionToken(bits: destination), .relayedAgain)
        }
        #expect(kinds == [RecordKind.relayedAgain.rawValue])
        #expect(shards.home.pointee.counters.dropped(.peerMoved) == 1)
        #expect(shards.other.pointee.counters.dropped(.peerMoved) == 1)
    }

    /// Its home knows a peer that the sender's shard has not heard of yet.
    @Test func aPeerThatIsNotKnownIsSoughtAtItsHome() throws {
        let shards = try TwoShards()
        let destination = peer(2)
        let record = shards.record(to: destination)
        shards.home.pointee.deliverSought(record.span.bytes)
        #expect(shards.home.pointee.counters.dropped(.unknownPeer) == 1)
        shards.place(destination, at: ConnectionToken(shard: 1, generation: 9, slot: 1))
        shards.home.pointee.deliverSought(record.span.bytes)
        var kinds: [UInt32] = []
        shards.grid.inbox(from: 0, to: 1).drain { kind, _, _ in kinds.append(kind) }
        #expect(kinds == [RecordKind.relayedAgain.rawValue])
    }

    /// A peer that has hoarded news goes, not the one that hears a single piece.
    @Test func whoHasMostNewsWaitingMakesRoom() throws {
        let shards = try TwoShards(interests: 100)
        let (hoarder, modest) = (shards.open(), shards.open())
        for number in 0..<100 {
            shards.home.pointee.take(.news(PeerNews(subscriber: hoarder.bits, id: peer(number), isOnline: true)))
        }
        shards.home.pointee.take(.news(PeerNews(subscriber: modest.bits, id: peer(1), isOnline: true)))
        #expect(shards.home.pointee.slab[hoarder.slot].pointee.phase == .closing)
        #expect(shards.home.pointee.slab[hoarder.slot].pointee.reason == .newsOverflow)
        #expect(shards.home.pointee.slab[modest.slot].pointee.phase == .open)
        #expect(shards.home.pointee.relayShard.pointee.news.count == 1)
    }

    /// Before the login there is room for answers to a few pings only.
    @Test func aStrangerIsToldLittle() throws {
        let shards = try TwoShards()
        let connection = shards.home.pointee.slab[shards.open().slot]
        for isEstablished in [false, true] {
            connection.pointee.isEstablished = isEstablished
            while shards.home.pointee.mayAddControl(connection) {
                let isAdded = shards.home.pointee.append(byteCount: 127, to: connection) { output in
                    output.append(repeating: 0, count: 127, as: UInt8.self)
                }
                #expect(isAdded == true)
            }
            let limit = isEstablished ? 80 << 10 : 1 << 10
            #expect(limit..<limit + 127 ~= connection.pointee.gatheredByteCount)
        }
    }

    /// Beyond its limit an interest is not kept, but who asks hears whether the peer is there.
    @Test func anInterestThatIsRefusedIsAnsweredAllTheSame() throws {
        let shards = try TwoShards(interests: 1)
        let subscriber = shards.open()
        for number in [1, 3] { shards.home.pointee.take(.claim(peer(number), holder: subscriber.bits)) }
        for number in 1...3 { shards.home.pointee.take(.subscribe(peer(number), subscriber: subscriber.bits)) }
        #expect(shards.home.pointee.counters.relay.subscriptionsRefused.count == 2)
        // The first is kept and tells its news when the turn ends; of the others one is there.
        #expect(shards.home.pointee.relayShard.pointee.news.listCount(for: subscriber.slot, isOnline: true) == 1)
    }
}

/// The states of two shards of one server.
private final class TwoShards {
    let grid: MailboxGrid
    private let shared: SharedState
    private let states: [UnsafeMutablePointer<ShardState>]

    init(control: Int = 1024, pending: Int = 4096, records: Int = 256 << 10, interests: Int = 1000) throws {
        var sizes = MailboxSizes()
        (sizes.controlCount, sizes.pendingCount, sizes.dataByteCount) = (control, pending, records)
        var configuration = ServerConfiguration(address: "127.0.0.1:0")
        configuration.maxConnections = 1024
        configuration.listeners[0].session = .relay
        var relay = RelayConfiguration(instanceURL: "rel://relay.example.com:80", secrets: [RelayClient.secret])
        relay.subscriptionsPerShardMax = interests
        configuration.relay = relay
        shared = try SharedState(shardCount: 2, connectionsMax: 1024, mailSizes: sizes)
        grid = shared.mail
        let shared = shared
        states = try (0..<2).map { index in
            let settings = ShardSettings(
                configuration, Dispatcher(), index: UInt8(index), shared: shared, inbox: try Inbox(countMax: 16))
            return try ShardState.allocate(settings, at: Instant(nanoseconds: 10 * .second))
        }
    }

    deinit {
        for state in states {
            state.deinitialize(count: 1)
            state.deallocate()
        }
    }

    var home: UnsafeMutablePointer<ShardState> { states[0] }
    var other: UnsafeMutablePointer<ShardState> { states[1] }

    /// Both directories say so.
    func place(_ id: PeerID, at token: ConnectionToken) {
        for state in states { _ = state.pointee.relayShard.pointee.directory.place(id, holder: token.bits, epoch: 1) }
    }

    /// A connection of the first shard that is open.
    func open() -> ConnectionToken {
        guard let (slot, generation) = home.pointee.slab.allocate() else { preconditionFailure("there is room") }
        let connection = Connection(
            Descriptor(-1), generation: generation, listener: 0, session: .relay, at: home.pointee.now)
        home.pointee.slab.occupy(slot, with: connection)
        home.pointee.relayShard.pointee.begin(slot)
        return ConnectionToken(shard: 0, generation: generation, slot: slot)
    }

    /// A message to a peer as it goes from shard to shard.
    func record(to id: PeerID) -> [UInt8] {
        let message = RelayClient.transport(to: id, [1, 2, 3])
        return message[RelayFormat.headerByteCount..<RelayFormat.transportHeaderByteCount] + message
    }

    /// Turns of both: the home says what it could not say, the other takes it in.
    func exchange() {
        for _ in 0..<1000 {
            home.pointee.tellPlaces()
            grid.outbox(from: 0, to: 1).flushPending()
            grid.inbox(from: 0, to: 1).drainControl { message in
                guard let kind = MailKind(rawValue: message.kind), let notice = RelayNotice(message, kind) else {
                    preconditionFailure("no shard sends such mail")
                }
                other.pointee.take(notice)
            }
        }
    }
}
