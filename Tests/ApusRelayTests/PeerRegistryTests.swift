// Who is there and who hears of it: claims, interests, news, limits, one rule after the other.

import ApusWire
import Testing

@testable import ApusRelay

struct PeerRegistryTests {
    private static let alice = peer(1)
    private static let bob = peer(2)

    private func makeRegistry(_ change: (inout PeerRegistryLimits) -> Void = { _ in }) -> PeerRegistry {
        var limits = PeerRegistryLimits(
            peersMax: 10, subscribersMax: 10, interestsMax: 20, interestsPerSubscriberMax: 5)
        change(&limits)
        return PeerRegistry(limits: limits, seed: 1)
    }

    /// A connection on a shard.
    private func token(_ number: UInt64, shard: UInt64 = 0) -> UInt64 { shard << 56 | number }

    /// All that is to be told on a shard, the oldest first.
    private func news(_ registry: inout PeerRegistry, shard: Int = 0) -> [PeerNews] {
        var news: [PeerNews] = []
        while let next = registry.popNews(for: shard) { news.append(next) }
        let isEmpty = !registry.hasNews(for: shard)
        #expect(isEmpty)
        return news
    }

    private func online(_ subscriber: UInt64, _ id: PeerID = alice) -> PeerNews {
        PeerNews(subscriber: subscriber, id: id, isOnline: true)
    }

    private func offline(_ subscriber: UInt64, _ id: PeerID = alice) -> PeerNews {
        PeerNews(subscriber: subscriber, id: id, isOnline: false)
    }

    // MARK: Claims

    @Test func theLastClaimWins() {
        var registry = makeRegistry()
        #expect(registry.claim(Self.alice, by: 1, at: 0) == PeerClaim(epoch: 1, replaced: nil, isFlapping: false))
        #expect(registry.claim(Self.alice, by: 2, at: 0) == PeerClaim(epoch: 2, replaced: 1, isFlapping: false))
        #expect(registry.claim(Self.bob, by: 3, at: 0) == PeerClaim(epoch: 3, replaced: nil, isFlapping: false))
        #expect(registry.holder(of: Self.alice) == PeerPlace(holder: 2, epoch: 2))
        #expect(registry.onlineCount == 2)
    }

    @Test func onlyTheHolderReleases() {
        var registry = makeRegistry()
        #expect(registry.release(Self.alice, by: 1) == nil)
        _ = registry.claim(Self.alice, by: 1, at: 0)
        _ = registry.claim(Self.alice, by: 2, at: 0)
        #expect(registry.release(Self.alice, by: 1) == nil)
        #expect(registry.release(Self.alice, by: 2) == 2)
        #expect(registry.release(Self.alice, by: 2) == nil)
        #expect(registry.holder(of: Self.alice) == nil)
        #expect(registry.onlineCount == 0)
    }

    @Test func claimingAgainReplacesNobody() {
        var registry = makeRegistry()
        _ = registry.claim(Self.alice, by: 1, at: 0)
        #expect(registry.claim(Self.alice, by: 1, at: 0) == PeerClaim(epoch: 2, replaced: nil, isFlapping: false))
        #expect(registry.release(Self.alice, by: 1) == 2)
    }

    /// A peer that comes back must not look older than it was.
    @Test func epochsGoOnAfterARelease() {
        var registry = makeRegistry()
        var last: UInt64 = 0
        for holder in 1...100 as ClosedRange<UInt64> {
            let epoch = registry.claim(Self.alice, by: holder, at: 0)?.epoch ?? 0
            #expect(epoch > last)
            last = epoch
            if holder.isMultiple(of: 3) { _ = registry.release(Self.alice, by: holder) }
        }
    }

    /// Those that come are heard of before those that went; only without any room somebody is not held.
    @Test func morePeersFindTheRoomOfInterests() {
        var registry = makeRegistry { ($0.peersMax, $0.interestsMax) = (2, 2) }
        for number in 1...4 { #expect(registry.claim(peer(number), by: UInt64(number), at: 0) != nil) }
        #expect(registry.claim(peer(5), by: 5, at: 0) == nil)
        #expect(registry.subscribe(peer(5), by: 9) == .full)
        #expect((registry.onlineCount, registry.interestCount) == (4, 0))
        // Those that are known may be taken over, and heard of.
        #expect(registry.claim(peer(2), by: 6, at: 0)?.replaced == 2)
        #expect(registry.subscribe(peer(2), by: 9) == .registered(isOnline: true))
        #expect(registry.release(peer(1), by: 1) == 1)
        #expect(registry.claim(peer(5), by: 5, at: 0)?.replaced == nil)
        #expect(registry.holder(of: peer(5))?.holder == 5)
        #expect(news(&registry) == [online(9, peer(2))])
    }

    // MARK: Interests

    @Test func onlineIsToldOnceAndOfflineAlways() {
        var registry = makeRegistry()
        #expect(registry.subscribe(Self.alice, by: 7) == .registered(isOnline: false))
        #expect(news(&registry).isEmpty)
        for round in 0..<3 as Range<UInt64> {
            _ = registry.claim(Self.alice, by: round, at: 0)
            #expect(news(&registry) == (round == 0 ? [online(7)] : []))
            _ = registry.release(Self.alice, by: round)
            #expect(news(&registry) == [offline(7)])
        }
        // Asking again is what makes the next one heard.
        _ = registry.subscribe(Self.alice, by: 7)
        _ = registry.claim(Self.alice, by: 9, at: 0)
        #expect(news(&registry) == [online(7)])
    }

    @Test func whoIsThereIsToldAtOnceAndOnceMore() {
        var registry = makeRegistry()
        _ = registry.claim(Self.alice, by: 1, at: 0)
        #expect(registry.subscribe(Self.alice, by: 7) == .registered(isOnline: true))
        #expect(news(&registry) == [online(7)])
        // The answer has not used up the interest, and a takeover is a coming.
        _ = registry.claim(Self.alice, by: 2, at: 0)
        #expect(news(&registry) == [online(7)])
        _ = registry.claim(Self.alice, by: 3, at: 0)
        #expect(news(&registry).isEmpty)
    }

    @Test func aTakeoverIsNoGoing() {
        var registry = makeRegistry()
        _ = registry.claim(Self.alice, by: 1, at: 0)
        _ = registry.subscribe(Self.alice, by: 7)
        _ = news(&registry)
        _ = registry.claim(Self.alice, by: 2, at: 0)
        _ = registry.release(Self.alice, by: 1)
        #expect(news(&registry) == [online(7)])
        _ = registry.release(Self.alice, by: 2)
        #expect(news(&registry) == [offline(7)])
    }

    @Test func subscribingTwiceIsOneInterest() {
        var registry = makeRegistry()
        for _ in 0..<10 { #expect(registry.subscribe(Self.alice, by: 7) == .registered(isOnline: false)) }
        #expect(registry.interestCount == 1)
        _ = registry.claim(Self.alice, by: 1, at: 0)
        #expect(news(&registry) == [online(7)])
        registry.unsubscribe(Self.alice, by: 7)
        #expect(registry.interestCount == 0)
    }

    @Test func peersMaySubscribeToThemselves() {
        var registry = makeRegistry()
        _ = registry.claim(Self.alice, by: 1, at: 0)
        #expect(registry.subscribe(Self.alice, by: 1) == .registered(isOnline: true))
        #expect(news(&registry) == [online(1)])
        registry.removeSubscriber(1)
        #expect(registry.release(Self.alice, by: 1) == 1)
        #expect(news(&registry).isEmpty)
    }

    @Test func unsubscribingEndsBothAndWhatWasNotFetched() {
        var registry = makeRegistry()
        _ = registry.claim(Self.alice, by: 1, at: 0)
        _ = registry.subscribe(Self.alice, by: 7)
        registry.unsubscribe(Self.alice, by: 7)
        registry.unsubscribe(Self.bob, by: 7)
        _ = registry.release(Self.alice, by: 1)
        _ = registry.claim(Self.alice, by: 2, at: 0)
        #expect(news(&registry).isEmpty)
    }

    @Test func aSubscriberThatEndsTakesAllWithIt() {
        var registry = makeRegistry()
        for number in 0..<5 { _ = registry.subscribe(peer(number), by: 7) }
        _ = registry.subscribe(peer(0), by: 8)
        for number in 0..<5 { _ = registry.claim(peer(number), by: UInt64(number), at: 0) }
        registry.removeSubscriber(7)
        registry.removeSubscriber(7)
        registry.removeSubscriber(99)
        #expect(registry.interestCount == 1)
        #expect(news(&registry) == [online(8, peer(0))])
    }

    @Test func aSubscriberMayEndBitByBit() {
        var registry = makeRegistry()
        for number in 0..<5 { _ = registry.subscribe(peer(number), by: 7) }
        #expect(registry.removeSubscriber(7, interestsAtMost: 2) == false)
        #expect(registry.interestCount == 3)
        #expect(registry.removeSubscriber(7, interestsAtMost: 3) == true)
        #expect(registry.removeSubscriber(7, interestsAtMost: 3) == true)
        #expect(registry.interestCount == 0)
    }

    @Test func newsGoToTheSubscribersShard() {
        var registry = makeRegistry()
        let subscribers = [token(1), token(1, shard: 3), token(2, shard: 3), token(1, shard: 255)]
        for subscriber in subscribers { _ = registry.subscribe(Self.alice, by: subscriber) }
        _ = registry.claim(Self.alice, by: 1, at: 0)
        #expect(registry.hasNews(for: 1) == false)
        #expect(news(&registry, shard: 0) == [online(subscribers[0])])
        #expect(news(&registry, shard: 3) == [online(subscribers[1]), online(subscribers[2])])
        #expect(news(&registry, shard: 255) == [online(subscribers[3])])
    }

    // MARK: The last state counts

    @Test func aPeerThatGoesBeforeItWasToldIsAwaitedStill() {
        var registry = makeRegistry()
        _ = registry.subscribe(Self.alice, by: 7)
        _ = registry.claim(Self.alice, by: 1, at: 0)
        _ = registry.release(Self.alice, by: 1)
        #expect(news(&registry) == [offline(7)])
        _ = registry.claim(Self.alice, by: 2, at: 0)
        #expect(news(&registry) == [online(7)])
    }

    @Test func aPeerThatIsBackBeforeItsGoingWasToldIsThere() {
        var registry = makeRegistry()
        _ = registry.claim(Self.alice, by: 1, at: 0)
        _ = registry.subscribe(Self.alice, by: 7)
        _ = news(&registry)
        _ = registry.release(Self.alice, by: 1)
        _ = registry.claim(Self.alice, by: 2, at: 0)
        #expect(news(&registry) == [online(7)])
    }

    /// Nothing else would tell it that what it had with the peer is over.
    @Test func whoWaitsForNoComingHearsOfTheGoing() {
        var registry = makeRegistry()
        _ = registry.subscribe(Self.alice, by: 7)
        _ = registry.claim(Self.alice, by: 1, at: 0)
        #expect(news(&registry) == [online(7)])
        _ = registry.release(Self.alice, by: 1)
        _ = registry.claim(Self.alice, by: 2, at: 0)
        #expect(news(&registry) == [offline(7)])
    }

    @Test func newsOfOneIDAreOnePiece() {
        var registry = makeRegistry()
        _ = registry.subscribe(Self.alice, by: 7)
        _ = registry.subscribe(Self.alice, by: 8)
        for holder in 0..<50 as Range<UInt64> {
            _ = registry.claim(Self.alice, by: holder, at: 0)
            _ = registry.subscribe(Self.alice, by: 7)
            _ = registry.release(Self.alice, by: holder)
        }
        #expect(news(&registry) == [offline(7), offline(8)])
    }

    // MARK: Limits

    @Test func aSubscriberHasItsLimit() {
        var registry = makeRegistry()
        for number in 0..<5 { #expect(registry.subscribe(peer(number), by: 7) == .registered(isOnline: false)) }
        #expect(registry.subscribe(peer(5), by: 7) == .full)
        #expect(registry.subscribe(peer(4), by: 7) == .registered(isOnline: false))
        #expect(registry.subscribe(peer(5), by: 8) == .registered(isOnline: false))
        registry.unsubscribe(peer(0), by: 7)
        #expect(registry.subscribe(peer(5), by: 7) == .registered(isOnline: false))
    }

    @Test func allTogetherHaveTheirs() {
        var registry = makeRegistry { $0.interestsMax = 3 }
        for subscriber in 1...3 as ClosedRange<UInt64> {
            #expect(registry.subscribe(peer(1), by: subscriber) == .registered(isOnline: false))
        }
        #expect(registry.subscribe(peer(1), by: 4) == .full)
        #expect(registry.subscribe(peer(2), by: 1) == .full)
        registry.removeSubscriber(2)
        #expect(registry.subscribe(peer(2), by: 4) == .registered(isOnline: false))
        #expect(registry.interestCount == 3)
    }

    @Test func soHaveSubscribers() {
        var registry = makeRegistry { $0.subscribersMax = 2 }
        #expect(registry.subscribe(peer(1), by: 1) == .registered(isOnline: false))
        #expect(registry.subscribe(peer(1), by: 2) == .registered(isOnline: false))
        #expect(registry.subscribe(peer(1), by: 3) == .full)
        registry.unsubscribe(peer(1), by: 1)
        #expect(registry.subscribe(peer(1), by: 3) == .registered(isOnline: false))
    }

    /// However many never-seen ids strangers ask for, peers can still come.
    @Test func interestsLeaveRoomForPeers() {
        var registry = makeRegistry { ($0.peersMax, $0.interestsPerSubscriberMax) = (3, 100) }
        for number in 0..<20 { #expect(registry.subscribe(peer(number), by: 7) == .registered(isOnline: false)) }
        for number in 100..<103 { #expect(registry.claim(peer(number), by: 1, at: 0) != nil) }
        #expect(registry.claim(peer(103), by: 1, at: 0) == nil)
        #expect(registry.claim(peer(19), by: 1, at: 0) != nil)
    }

    // MARK: Flapping

    @Test func takeoversInAWindowAreFlapping() {
        var registry = makeRegistry()
        let second: UInt64 = 1_000_000_000
        let claims = (0..<12).compactMap { registry.claim(Self.alice, by: $0, at: $0 * second)?.isFlapping }
        // The first claim replaces nobody; the fifth takeover is the sixth claim, and it is told once.
        #expect(claims == (0..<12).map { $0 == 5 })
    }

    @Test func slowTakeoversAreNot() {
        var registry = makeRegistry()
        for holder in 0..<50 as Range<UInt64> {
            #expect(registry.claim(Self.alice, by: holder, at: holder * 15_100_000_000)?.isFlapping == false)
        }
    }

    @Test func everyWindowTellsAgain() {
        var registry = makeRegistry()
        let claims = (0..<241).compactMap {
            registry.claim(Self.alice, by: $0, at: $0 * 1_000_000_000)?.isFlapping
        }
        #expect(claims.count { $0 } == 4)
    }

    @Test func comingAndGoingIsNotFlapping() {
        var registry = makeRegistry()
        for holder in 0..<50 as Range<UInt64> {
            #expect(registry.claim(Self.alice, by: holder, at: 0)?.isFlapping == false)
            _ = registry.release(Self.alice, by: holder)
        }
    }
}
