// Who is there, and who wants to hear of it: the truth about the ids whose home one shard is (relay.md §4.2, §4.5). It
// sends nothing: what it has to say is kept until somebody asks for it.

import ApusWire

/// How much a registry may hold.
public struct PeerRegistryLimits: BitwiseCopyable, Sendable {
    /// Ids that are held at once, for which there is always room. More find room as long as interests leave it: while
    /// many come and go, a home hears of some that come before those that went.
    public var peersMax: Int
    /// Connections that are interested in any id.
    public var subscribersMax: Int
    /// Pairs of a subscriber and an id.
    public var interestsMax: Int
    /// Of one subscriber, among the ids of this home.
    public var interestsPerSubscriberMax: Int
    public var flaps = FlapLimits()

    public init(peersMax: Int, subscribersMax: Int, interestsMax: Int, interestsPerSubscriberMax: Int) {
        self.peersMax = peersMax
        self.subscribersMax = subscribersMax
        self.interestsMax = interestsMax
        self.interestsPerSubscriberMax = interestsPerSubscriberMax
    }
}

/// What a claim has done.
public struct PeerClaim: Equatable, BitwiseCopyable, Sendable {
    /// Above that of every earlier claim at this home.
    public let epoch: UInt64
    /// Who held the id until now, and has to be closed.
    public let replaced: UInt64?
    /// Said once in each window in which it is.
    public let isFlapping: Bool
}

public enum SubscribeOutcome: Equatable, BitwiseCopyable, Sendable {
    case registered(isOnline: Bool)
    /// A limit is reached: the subscriber's own, or that of all. Nothing has changed.
    case full
}

/// Something that a subscriber is to be told.
public struct PeerNews: Equatable, BitwiseCopyable, Sendable {
    /// A connection token's bits.
    public let subscriber: UInt64
    public let id: PeerID
    public let isOnline: Bool

    public init(subscriber: UInt64, id: PeerID, isOnline: Bool) {
        self.subscriber = subscriber
        self.id = id
        self.isOnline = isOnline
    }
}

/// The last claim of an id wins. An interest is one record of a subscriber and an id; it is in the list of its id, in
/// that of its subscriber and, while there is news of it, in that of the subscriber's shard:
///
///     id ──► interest ⇄ interest ⇄ interest          what happens to an id costs its subscribers
///               ⇅          ⇅                         what happens to a subscriber costs its interests
///     shard ──► interest ⇄ interest                  news need no memory of their own
///
/// The rules of news: an interest hears "online" once, of the first claim after it was made or renewed, and "offline"
/// of every release until it ends. Whoever subscribes to an id that is held hears "online" at once, which does not use
/// that up. Of news not yet fetched the last counts: "offline" takes the place of an "online", which then was not heard
/// and is waited for again. An interest that waits for no "online" keeps an "offline" that was not fetched, even if the
/// id has come back: the peer was gone, and only its subscriber knows what that has ended.
///
/// Subscribers and holders are numbers of the caller's, a connection token's bits; the upper eight are the shard.
///
/// Memory, each touched when it is first used: 88 bytes an id, 52 an interest, 40 a subscriber.
public struct PeerRegistry: ~Copyable {
    static let shardCountMax = 256

    struct Peer: BitwiseCopyable {
        let id: PeerID
        var firstInterest = UInt32.nothing
        /// Meaningful while it is online.
        var holder: UInt64 = 0
        var epoch: UInt64 = 0
        var flaps = FlapDetector()
        var isOnline = false
    }

    struct Interest: BitwiseCopyable {
        let peer: UInt32
        let subscriber: UInt32
        var awaitsOnline = true
        var news = News.none
    }

    enum News: UInt8, BitwiseCopyable {
        case none, online, offline
    }

    struct Subscriber: BitwiseCopyable {
        let token: UInt64
        var firstInterest = UInt32.nothing
        var interestCount = 0
    }

    private let limits: PeerRegistryLimits
    /// Of the last claim: every claim that is over had it, or one below.
    public private(set) var lastEpoch: UInt64 = 0

    let hash: PeerHash
    let peers: Reserved<Peer>
    var peerNumbers: Numbers
    var peerIndex: HashIndex

    let subscribers: Reserved<Subscriber>
    var subscriberNumbers: Numbers
    var subscriberIndex: HashIndex

    let interests: Reserved<Interest>
    var interestNumbers: Numbers
    /// By id and subscriber, so that finding one costs the same however many either has.
    var interestIndex: HashIndex
    let interestsOfPeers: Chains
    let interestsOfSubscribers: Chains
    let interestsWithNews: Chains
    var firstNews = Heads(capacity: PeerRegistry.shardCountMax)

    /// - Parameter seed: nobody outside may know it.
    public init(limits: PeerRegistryLimits, seed: UInt64) {
        self.limits = limits
        hash = PeerHash(seed: seed)
        // An id is known while it is held or somebody is interested in it.
        let peersMax = limits.peersMax + limits.interestsMax
        peers = Reserved(capacity: peersMax)
        peerNumbers = Numbers(capacity: peersMax)
        peerIndex = HashIndex(capacity: peersMax)
        subscribers = Reserved(capacity: limits.subscribersMax)
        subscriberNumbers = Numbers(capacity: limits.subscribersMax)
        subscriberIndex = HashIndex(capacity: limits.subscribersMax)
        interests = Reserved(capacity: limits.interestsMax)
        interestNumbers = Numbers(capacity: limits.interestsMax)
        interestIndex = HashIndex(capacity: limits.interestsMax)
        interestsOfPeers = Chains(capacity: limits.interestsMax)
        interestsOfSubscribers = Chains(capacity: limits.interestsMax)
        interestsWithNews = Chains(capacity: limits.interestsMax)
    }

    /// What a registry with these limits reserves; it is touched as peers and interests come.
    public static func memoryByteCount(_ limits: PeerRegistryLimits) -> Int {
        let (peers, interests) = (limits.peersMax + limits.interestsMax, limits.interestsMax)
        let records =
            Reserved<Peer>.byteCount(capacity: peers) + Reserved<Interest>.byteCount(capacity: interests)
            + Reserved<Subscriber>.byteCount(capacity: limits.subscribersMax)
        let tables = [peers, interests, limits.subscribersMax].reduce(0) {
            $0 + Numbers.byteCount(capacity: $1) + HashIndex.byteCount(capacity: $1)
        }
        return records + tables + 3 * Chains.byteCount(capacity: interests) + Heads.byteCount(capacity: shardCountMax)
    }

    public var interestCount: Int { interestNumbers.takenCount }
    public private(set) var onlineCount = 0
}

// MARK: Peers

extension PeerRegistry {
    /// A connection holds an id from now on, whoever held it before.
    ///
    /// - Parameters:
    ///   - holder: a connection token's bits.
    ///   - now: nanoseconds of a clock that does not go back.
    /// - Returns: nil when as many ids are held as there may be and no room is left, so that this one is not.
    public mutating func claim(_ id: PeerID, by holder: UInt64, at now: UInt64) -> PeerClaim? {
        guard let number = knownPeer(id) ?? addPeer(id) else { return nil }
        let before = peers[number]
        let replaced = before.isOnline && before.holder != holder ? before.holder : nil
        let isFlapping = replaced != nil && peers[number].flaps.noteTakeover(at: now, limits.flaps)
        if !before.isOnline { onlineCount += 1 }
        lastEpoch += 1
        peers[number].isOnline = true
        (peers[number].holder, peers[number].epoch) = (holder, lastEpoch)
        tellOnline(number)
        return PeerClaim(epoch: lastEpoch, replaced: replaced, isFlapping: isFlapping)
    }

    /// A connection has ended.
    ///
    /// - Returns: the epoch of the claim that has ended with it; nil when the id is held by another by now, or nobody.
    public mutating func release(_ id: PeerID, by holder: UInt64) -> UInt64? {
        guard let number = knownPeer(id), peers[number].isOnline, peers[number].holder == holder else { return nil }
        peers[number].isOnline = false
        onlineCount -= 1
        let epoch = peers[number].epoch
        tellOffline(number)
        forgetPeer(number)
        return epoch
    }

    /// Who holds an id, as its home knows; nil: nobody.
    public func holder(of id: PeerID) -> PeerPlace? {
        guard let number = knownPeer(id), peers[number].isOnline else { return nil }
        return PeerPlace(holder: peers[number].holder, epoch: peers[number].epoch)
    }

    func knownPeer(_ id: PeerID) -> UInt32? {
        var number = peerIndex.first(tag(of: id))
        while number != .nothing, peers[number].id != id { number = peerIndex.next(after: number) }
        return number == .nothing ? nil : number
    }

    mutating func addPeer(_ id: PeerID) -> UInt32? {
        guard let number = peerNumbers.take() else { return nil }
        peers[number] = Peer(id: id)
        peerIndex.insert(number, tag(of: id))
        return number
    }

    /// If it is neither held nor anybody's interest.
    mutating func forgetPeer(_ number: UInt32) {
        guard !peers[number].isOnline, peers[number].firstInterest == .nothing else { return }
        peerIndex.remove(number)
        peerNumbers.give(number)
    }

    private func tag(of id: PeerID) -> UInt32 { UInt32(truncatingIfNeeded: hash.hash(id)) }
}

// MARK: Interests

extension PeerRegistry {
    /// A connection wants to hear when a peer comes, once, and whenever it goes.
    public mutating func subscribe(_ id: PeerID, by token: UInt64) -> SubscribeOutcome {
        guard let number = interest(in: id, of: token) ?? addInterest(in: id, of: token) else { return .full }
        interests[number].awaitsOnline = true
        let isOnline = peers[interests[number].peer].isOnline
        if isOnline { post(.online, to: number) }
        return .registered(isOnline: isOnline)
    }

    /// It wants to hear no more of that peer, nor what was not fetched yet.
    public mutating func unsubscribe(_ id: PeerID, by token: UInt64) {
        if let number = interest(in: id, of: token) { removeInterest(number) }
    }

    /// It wants to hear no more at all: it has ended.
    ///
    /// - Parameter limit: end no more interests than that now, so that a turn stays short however many there are.
    /// - Returns: whether it is gone; otherwise ask again.
    @discardableResult
    public mutating func removeSubscriber(_ token: UInt64, interestsAtMost limit: Int = .max) -> Bool {
        guard let number = knownSubscriber(token) else { return true }
        let count = subscribers[number].interestCount
        // The last interest takes the subscriber with it.
        for _ in 0..<min(count, limit) { removeInterest(subscribers[number].firstInterest) }
        return count <= limit
    }

    private func interest(in id: PeerID, of token: UInt64) -> UInt32? {
        guard let peer = knownPeer(id), let subscriber = knownSubscriber(token) else { return nil }
        var number = interestIndex.first(tag(peer, subscriber))
        while number != .nothing, interests[number].peer != peer || interests[number].subscriber != subscriber {
            number = interestIndex.next(after: number)
        }
        return number == .nothing ? nil : number
    }

    /// Nil when a limit is reached; then nothing was added.
    private mutating func addInterest(in id: PeerID, of token: UInt64) -> UInt32? {
        let known = knownSubscriber(token)
        let count = known.map { subscribers[$0].interestCount } ?? 0
        guard count < limits.interestsPerSubscriberMax, interestNumbers.freeCount > 0 else { return nil }
        guard known != nil || subscriberNumbers.freeCount > 0 else { return nil }
        guard let peer = knownPeer(id) ?? addPeer(id) else { return nil }
        guard let subscriber = known ?? addSubscriber(token), let number = interestNumbers.take() else {
            preconditionFailure("there is room for both, as was just seen")
        }
        interests[number] = Interest(peer: peer, subscriber: subscriber)
        interestIndex.insert(number, tag(peer, subscriber))
        interestsOfPeers.append(number, to: &peers[peer].firstInterest)
        interestsOfSubscribers.append(number, to: &subscribers[subscriber].firstInterest)
        subscribers[subscriber].interestCount += 1
        return number
    }

    private mutating func removeInterest(_ number: UInt32) {
        let (peer, subscriber) = (interests[number].peer, interests[number].subscriber)
        withdrawNews(of: number)
        interestIndex.remove(number)
        interestsOfPeers.remove(number, from: &peers[peer].firstInterest)
        interestsOfSubscribers.remove(number, from: &subscribers[subscriber].firstInterest)
        interestNumbers.give(number)
        forgetPeer(peer)
        subscribers[subscriber].interestCount -= 1
        if subscribers[subscriber].interestCount == 0 { forgetSubscriber(subscriber) }
    }

    private func tag(_ peer: UInt32, _ subscriber: UInt32) -> UInt32 {
        UInt32(truncatingIfNeeded: hash.hash(UInt64(peer) << 32 | UInt64(subscriber)))
    }
}

// MARK: Subscribers

extension PeerRegistry {
    private func knownSubscriber(_ token: UInt64) -> UInt32? {
        var number = subscriberIndex.first(tag(of: token))
        while number != .nothing, subscribers[number].token != token { number = subscriberIndex.next(after: number) }
        return number == .nothing ? nil : number
    }

    private mutating func addSubscriber(_ token: UInt64) -> UInt32? {
        guard let number = subscriberNumbers.take() else { return nil }
        subscribers[number] = Subscriber(token: token)
        subscriberIndex.insert(number, tag(of: token))
        return number
    }

    private mutating func forgetSubscriber(_ number: UInt32) {
        subscriberIndex.remove(number)
        subscriberNumbers.give(number)
    }

    private func tag(of token: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: hash.hash(token)) }
}
