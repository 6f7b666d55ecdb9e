// Many random events against a registry that is a dictionary and walks all of it: who holds what, who hears what.

import ApusWire
import TestSupport
import Testing

@testable import ApusRelay

/// The rules, written down again without a thought of speed.
private struct Model {
    struct Interest {
        let subscriber: UInt64
        let id: PeerID
        var awaitsOnline = true
        var news: Bool?
    }

    let limits: PeerRegistryLimits
    var epoch: UInt64 = 0
    var holders: [PeerID: PeerPlace] = [:]
    var interests: [Interest] = []

    private func isKnown(_ id: PeerID) -> Bool { holders[id] != nil || interests.contains { $0.id == id } }

    private var hasRoomForID: Bool {
        Set(interests.map(\.id)).union(holders.keys).count < limits.peersMax + limits.interestsMax
    }

    private func interest(_ id: PeerID, _ subscriber: UInt64) -> Int? {
        interests.firstIndex { $0.id == id && $0.subscriber == subscriber }
    }

    mutating func claim(_ id: PeerID, _ holder: UInt64) -> (epoch: UInt64, replaced: UInt64?)? {
        let before = holders[id]
        guard before != nil || isKnown(id) || hasRoomForID else { return nil }
        epoch += 1
        holders[id] = PeerPlace(holder: holder, epoch: epoch)
        for index in interests.indices where interests[index].id == id && interests[index].awaitsOnline {
            (interests[index].awaitsOnline, interests[index].news) = (false, true)
        }
        return (epoch, before.flatMap { $0.holder == holder ? nil : $0.holder })
    }

    mutating func release(_ id: PeerID, _ holder: UInt64) -> UInt64? {
        guard let place = holders[id], place.holder == holder else { return nil }
        holders[id] = nil
        for index in interests.indices where interests[index].id == id {
            if interests[index].news == true { interests[index].awaitsOnline = true }
            interests[index].news = false
        }
        return place.epoch
    }

    mutating func subscribe(_ id: PeerID, _ subscriber: UInt64) -> SubscribeOutcome {
        if interest(id, subscriber) == nil {
            let own = interests.count { $0.subscriber == subscriber }
            guard own < limits.interestsPerSubscriberMax, interests.count < limits.interestsMax,
                own > 0 || Set(interests.map(\.subscriber)).count < limits.subscribersMax, isKnown(id) || hasRoomForID
            else { return .full }
            interests.append(Interest(subscriber: subscriber, id: id))
        }
        guard let index = interest(id, subscriber) else { return .full }
        interests[index].awaitsOnline = true
        if holders[id] != nil { interests[index].news = true }
        return .registered(isOnline: holders[id] != nil)
    }

    mutating func unsubscribe(_ id: PeerID, _ subscriber: UInt64) {
        interests.removeAll { $0.id == id && $0.subscriber == subscriber }
    }

    mutating func removeSubscriber(_ subscriber: UInt64) { interests.removeAll { $0.subscriber == subscriber } }

    /// It was told; false: nobody waited for it.
    mutating func take(_ news: PeerNews) -> Bool {
        guard let index = interest(news.id, news.subscriber), interests[index].news == news.isOnline else {
            return false
        }
        interests[index].news = nil
        return true
    }

    func newsCount(shard: UInt64) -> Int { interests.count { $0.news != nil && $0.subscriber >> 56 == shard } }
}

struct PeerRegistryModelTests {
    private static let limits = PeerRegistryLimits(
        peersMax: 12, subscribersMax: 8, interestsMax: 40, interestsPerSubscriberMax: 9)
    /// So few that all of them are reached.
    private static let tight = PeerRegistryLimits(
        peersMax: 2, subscribersMax: 8, interestsMax: 9, interestsPerSubscriberMax: 3)

    @Test(arguments: 0..<4)
    func itDoesWhatTheModelDoes(run: Int) {
        var generator = SeededGenerator.announced()
        let limits = run.isMultiple(of: 2) ? Self.limits : Self.tight
        var registry = PeerRegistry(limits: limits, seed: generator.next())
        var model = Model(limits: limits)
        for step in 0..<6000 {
            let id = peer(generator.below(20))
            let token = UInt64(generator.below(3)) << 56 | UInt64(generator.below(4))
            switch generator.below(12) {
            case 0...2:
                let (claim, expected) = (registry.claim(id, by: token, at: 0), model.claim(id, token))
                #expect(claim?.epoch == expected?.epoch && claim?.replaced == expected?.replaced, "step \(step)")
            case 3...4: #expect(registry.release(id, by: token) == model.release(id, token), "step \(step)")
            case 5...8: #expect(registry.subscribe(id, by: token) == model.subscribe(id, token), "step \(step)")
            case 9:
                registry.unsubscribe(id, by: token)
                model.unsubscribe(id, token)
            case 10 where generator.once(in: 4):
                registry.removeSubscriber(token)
                model.removeSubscriber(token)
            default: fetch(&registry, &model, shard: generator.below(3), count: generator.below(6), step)
            }
            #expect(registry.interestCount == model.interests.count, "step \(step)")
            #expect(registry.onlineCount == model.holders.count, "step \(step)")
            #expect(registry.holder(of: id) == model.holders[id], "step \(step)")
        }
        for shard in 0..<3 { fetch(&registry, &model, shard: shard, count: .max, 0) }
        #expect(model.interests.allSatisfy { $0.news == nil })
    }

    private func fetch(
        _ registry: inout PeerRegistry, _ model: inout Model, shard: Int, count: Int, _ step: Int
    ) {
        #expect(registry.hasNews(for: shard) == (model.newsCount(shard: UInt64(shard)) > 0), "step \(step)")
        var taken = 0
        while taken < count, let news = registry.popNews(for: shard) {
            let isAwaited = model.take(news)
            #expect(isAwaited, "step \(step): \(news)")
            #expect(news.subscriber >> 56 == UInt64(shard))
            taken += 1
        }
        if taken < count { #expect(model.newsCount(shard: UInt64(shard)) == 0, "step \(step)") }
    }

    /// When all is over nothing is left, so that the next ones find the same room.
    @Test func nothingIsLeftBehind() {
        var generator = SeededGenerator.announced()
        var registry = PeerRegistry(limits: Self.limits, seed: generator.next())
        for _ in 0..<200 {
            for number in 0..<12 { _ = registry.claim(peer(number), by: UInt64(number), at: 0) }
            for _ in 0..<60 { _ = registry.subscribe(peer(generator.below(40)), by: UInt64(generator.below(8))) }
            for subscriber in 0..<8 as Range<UInt64> { registry.removeSubscriber(subscriber) }
            for number in 0..<12 { _ = registry.release(peer(number), by: UInt64(number)) }
            #expect(registry.peerNumbers.takenCount == 0)
            #expect(registry.subscriberNumbers.takenCount == 0)
            #expect(registry.interestNumbers.takenCount == 0)
            #expect(registry.popNews(for: 0) == nil)
        }
    }

    /// A directory that is told in order knows what the home knows, also when it hears of takeovers before their ends.
    @Test func aDirectoryThatIsToldAgrees() {
        var generator = SeededGenerator.announced()
        var registry = PeerRegistry(limits: Self.limits, seed: 1)
        var directory = PeerDirectory(capacity: 14, seed: 2)
        for _ in 0..<20_000 {
            let (id, holder) = (peer(generator.below(14)), UInt64(generator.below(5)))
            if generator.once(in: 2), let claim = registry.claim(id, by: holder, at: 0) {
                let outcome = directory.place(id, holder: holder, epoch: claim.epoch)
                #expect(outcome != .stale && outcome != .full)
            } else if let epoch = registry.release(id, by: holder) {
                #expect(directory.remove(id, epoch: epoch) == true)
            }
            #expect(directory.find(id) == registry.holder(of: id))
            #expect(directory.count == registry.onlineCount)
        }
    }
}
