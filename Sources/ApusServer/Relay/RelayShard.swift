// One shard's part of the relay: which peer is where, the truth about the ids whose home it is, and what waits for
// peers that are slow. State only: it neither sends nor closes.

import ApusReactor
import ApusRelay
import ApusWire

package struct RelayShard: ~Copyable {
    private(set) var settings: RelaySettings
    /// Which shard is an id's home.
    package let hash: PeerHash
    /// Where every peer of the server is.
    package var directory: PeerDirectory
    /// Of the ids whose home is this shard: who has them, and who is interested.
    package var registry: PeerRegistry
    /// Of those ids: what other shards could not be told yet.
    var untold: UntoldPlaces
    /// For peers of this shard: who came and went.
    package var news: PeerNewsQueue
    /// For peers of this shard whose connections have enough to send.
    package var backlog: RelayBacklog
    /// Peers that wait for room in a lane to another shard, and those that wait for a buffer.
    var awaitingLanes: WaitingSlots
    var awaitingBuffers: WaitingSlots
    /// A message that is looked at whole, and one on its way into the backlog or out of it.
    var message = Scratch(byteCount: RelayFormat.messageByteCountMax)
    var outgoing = Scratch(byteCount: RelayFormat.messageByteCountMax)
    /// By slot; an entry is meaningful while its connection speaks `relay`.
    private let peers: UnsafeMutablePointer<RelayPeer>
    /// Subscribers that have ended and had so many interests that these end over several turns.
    /// Room for `forgottenCountMax`, of which `forgottenCount` are initialised.
    private let forgotten: UnsafeMutablePointer<UInt64>
    private var forgottenCount = 0
    private let forgottenCountMax: Int

    /// What one turn takes: some hundreds of microseconds.
    private static let interestsPerTurn = 2048

    /// - Parameters:
    ///   - slotCount: connections of this shard.
    ///   - peersMax: of the whole server.
    ///   - seed: the same in all shards of a server, known to nobody outside.
    init(_ settings: RelaySettings, slotCount: Int, peersMax: Int, seed: UInt64) {
        let sizes = settings.sizes
        self.settings = settings
        hash = PeerHash(seed: seed)
        directory = PeerDirectory(capacity: peersMax, seed: seed)
        registry = PeerRegistry(limits: PeerRegistryLimits(sizes, peersMax: peersMax), seed: seed)
        untold = UntoldPlaces(capacity: peersMax, seed: seed)
        news = PeerNewsQueue(slotCount: slotCount, capacity: sizes.interestsMax, seed: seed)
        backlog = RelayBacklog(slotCount: slotCount, limits: BacklogLimits(settings), seed: seed)
        awaitingLanes = WaitingSlots(slotCount: slotCount)
        awaitingBuffers = WaitingSlots(slotCount: slotCount)
        peers = .allocate(capacity: slotCount)
        forgotten = .allocate(capacity: peersMax)
        forgottenCountMax = peersMax
    }

    deinit {
        peers.deallocate()
        forgotten.deallocate()
    }

    /// Peers wait for what is scarce, or a home's word does.
    var isAwaited: Bool { !awaitingLanes.isEmpty || !awaitingBuffers.isEmpty || !untold.isEmpty }

    // MARK: Subscribers that end

    package var isForgetting: Bool { forgottenCount > 0 }

    /// This subscriber wants to hear of nobody any more.
    mutating func forget(_ subscriber: UInt64) {
        if registry.removeSubscriber(subscriber, interestsAtMost: RelayShard.interestsPerTurn) { return }
        guard forgottenCount < forgottenCountMax else {
            registry.removeSubscriber(subscriber)
            return
        }
        forgotten[forgottenCount] = subscriber
        forgottenCount += 1
    }

    /// Go on with those of earlier turns.
    mutating func forgetMore() {
        guard forgottenCount > 0 else { return }
        let subscriber = forgotten[forgottenCount - 1]
        if registry.removeSubscriber(subscriber, interestsAtMost: RelayShard.interestsPerTurn) { forgottenCount -= 1 }
    }

    /// Sizes stay what they are.
    mutating func take(_ settings: RelaySettings) {
        self.settings = settings
        backlog.limitAge(toNanoseconds: settings.messageAgeMax)
    }

    /// The peer in a slot. Its memory stands as long as the shard.
    @inline(__always)
    package func peer(_ slot: UInt32) -> UnsafeMutablePointer<RelayPeer> { peers + Int(slot) }

    /// A frame's payload, unmasked, in scratch memory that stands as long as the shard; valid until the next one.
    mutating func unmask(_ payload: RawSpan, _ key: UInt32) -> UnsafeRawBufferPointer {
        let room = message.buffer()
        var output = OutputRawSpan(buffer: room, initializedCount: 0)
        WebSocketMask.append(payload, unmaskedWith: key, to: &output)
        return UnsafeRawBufferPointer(rebasing: room[..<output.finalize(for: room)])
    }

    /// A connection begins in a slot.
    func begin(_ slot: UInt32) { (peers + Int(slot)).initialize(to: RelayPeer()) }
}

extension BacklogLimits {
    init(_ settings: RelaySettings) {
        self.init()
        bytesPerDestinationMax = settings.sizes.backlogByteCountMax
        byteBudget = settings.sizes.backlogBudget
        ageNanosecondsMax = settings.messageAgeMax
    }
}

extension PeerRegistryLimits {
    init(_ sizes: RelaySizes, peersMax: Int) {
        self.init(
            peersMax: peersMax, subscribersMax: peersMax, interestsMax: sizes.interestsMax,
            interestsPerSubscriberMax: sizes.interestsPerPeerMax)
        flaps.countMax = UInt32(sizes.flapCount)
        flaps.windowNanoseconds = sizes.flapWindow
    }
}
