// Ids whose place some shard has not been told, because the way to it was full; kept at the ids' home. It knows ids and
// shards; where a peer is by now, the registry says when the shard can be told.

import ApusWire

/// An id waits once for each shard, however often its peer came and went meanwhile: the last place counts. Those of a
/// shard wait in the order in which they began to.
///
/// Memory, touched when it is first used: 64 bytes for an id and a shard.
public struct UntoldPlaces: ~Copyable {
    struct Piece: BitwiseCopyable {
        let id: PeerID
        let shard: UInt32
    }

    private let hash: PeerHash
    private let pieces: Reserved<Piece>
    private var numbers: Numbers
    private var index: HashIndex
    private let chains: Chains
    private var firsts = Heads(capacity: PeerRegistry.shardCountMax)

    /// - Parameters:
    ///   - capacity: pairs of an id and a shard.
    ///   - seed: nobody outside may know it.
    public init(capacity: Int, seed: UInt64) {
        hash = PeerHash(seed: seed)
        pieces = Reserved(capacity: capacity)
        numbers = Numbers(capacity: capacity)
        index = HashIndex(capacity: capacity)
        chains = Chains(capacity: capacity)
    }

    /// What room for so many reserves.
    public static func memoryByteCount(capacity: Int) -> Int {
        Reserved<Piece>.byteCount(capacity: capacity) + Numbers.byteCount(capacity: capacity)
            + HashIndex.byteCount(capacity: capacity) + Chains.byteCount(capacity: capacity)
            + Heads.byteCount(capacity: PeerRegistry.shardCountMax)
    }

    public var isEmpty: Bool { numbers.takenCount == 0 }

    /// A shard is to be told where this peer is, when it can be.
    ///
    /// - Returns: false when there is no room, so that it never will be.
    public mutating func add(_ id: PeerID, for shard: Int) -> Bool {
        let shard = UInt32(shard)
        guard !contains(id, shard) else { return true }
        guard let number = numbers.take() else { return false }
        pieces[number] = Piece(id: id, shard: shard)
        index.insert(number, tag(id, shard))
        chains.append(number, to: &firsts[shard])
        return true
    }

    /// Whose place a shard has waited longest to hear of; nil: it knows all.
    public mutating func pop(for shard: Int) -> PeerID? {
        let shard = UInt32(shard)
        let number = firsts[shard]
        guard number != .nothing else { return nil }
        chains.remove(number, from: &firsts[shard])
        index.remove(number)
        numbers.give(number)
        return pieces[number].id
    }

    private func contains(_ id: PeerID, _ shard: UInt32) -> Bool {
        var number = index.first(tag(id, shard))
        while number != .nothing, pieces[number].shard != shard || pieces[number].id != id {
            number = index.next(after: number)
        }
        return number != .nothing
    }

    private func tag(_ id: PeerID, _ shard: UInt32) -> UInt32 {
        UInt32(truncatingIfNeeded: hash.hash(id) ^ hash.hash(UInt64(shard)))
    }
}
