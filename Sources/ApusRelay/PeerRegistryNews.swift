// What the registry has to tell: which news an event makes, and their fetching.

import ApusWire

extension PeerRegistry {
    /// Whether somebody on that shard is to be told something.
    public func hasNews(for shard: Int) -> Bool { firstNews[UInt32(shard)] != .nothing }

    /// What somebody on that shard is to be told, the oldest first; nil when there is nothing.
    ///
    /// - Parameter shard: 0 … 255.
    public mutating func popNews(for shard: Int) -> PeerNews? {
        precondition(0..<PeerRegistry.shardCountMax ~= shard, "a shard is known by eight bits")
        let number = firstNews[UInt32(shard)]
        guard number != .nothing else { return nil }
        let interest = interests[number]
        withdrawNews(of: number)
        return PeerNews(
            subscriber: subscribers[interest.subscriber].token, id: peers[interest.peer].id,
            isOnline: interest.news == .online)
    }

    mutating func tellOnline(_ peer: UInt32) {
        var number = peers[peer].firstInterest
        guard number != .nothing else { return }
        repeat {
            if interests[number].awaitsOnline {
                interests[number].awaitsOnline = false
                post(.online, to: number)
            }
            number = interestsOfPeers.next(after: number)
        } while number != peers[peer].firstInterest
    }

    mutating func tellOffline(_ peer: UInt32) {
        var number = peers[peer].firstInterest
        guard number != .nothing else { return }
        repeat {
            // It has not heard that the peer was there.
            if interests[number].news == .online { interests[number].awaitsOnline = true }
            post(.offline, to: number)
            number = interestsOfPeers.next(after: number)
        } while number != peers[peer].firstInterest
    }

    mutating func post(_ news: News, to number: UInt32) {
        if interests[number].news == .none { interestsWithNews.append(number, to: &firstNews[shard(of: number)]) }
        interests[number].news = news
    }

    /// No effect on an interest without news.
    mutating func withdrawNews(of number: UInt32) {
        guard interests[number].news != .none else { return }
        interests[number].news = .none
        interestsWithNews.remove(number, from: &firstNews[shard(of: number)])
    }

    private func shard(of number: UInt32) -> UInt32 { UInt32(subscribers[interests[number].subscriber].token >> 56) }
}
