// News that wait for room on a subscriber's connection, at the shard that has the connection. It knows slots and ids;
// who said so and whether it still holds is the home's to know.

import ApusWire

/// A pool of news that all slots share. Of the news of one id for one slot the last counts: there is never an "online"
/// and an "offline" of the same id.
///
/// Memory, each touched when it is first used: 12 bytes a slot, 72 bytes a piece of news.
public struct PeerNewsQueue: ~Copyable {
    struct Piece: BitwiseCopyable {
        let id: PeerID
        let slot: UInt32
        var isOnline: Bool
    }

    private let hash: PeerHash
    private let pieces: Reserved<Piece>
    private var numbers: Numbers
    private var index: HashIndex
    private let chains: Chains
    /// By slot: its pieces.
    private let counts: Reserved<UInt32>
    private var firstOnline: Heads
    private var firstOffline: Heads

    /// - Parameters:
    ///   - slotCount: slots are below it.
    ///   - capacity: pieces of news at once, for all slots.
    ///   - seed: nobody outside may know it.
    public init(slotCount: Int, capacity: Int, seed: UInt64) {
        hash = PeerHash(seed: seed)
        pieces = Reserved(capacity: capacity)
        numbers = Numbers(capacity: capacity)
        index = HashIndex(capacity: capacity)
        chains = Chains(capacity: capacity)
        counts = Reserved(repeating: 0, count: slotCount)
        firstOnline = Heads(capacity: slotCount)
        firstOffline = Heads(capacity: slotCount)
    }

    /// What a queue of this size reserves; it is touched as news wait.
    public static func memoryByteCount(slotCount: Int, capacity: Int) -> Int {
        2 * Heads.byteCount(capacity: slotCount) + Reserved<UInt32>.byteCount(capacity: slotCount)
            + Reserved<Piece>.byteCount(capacity: capacity)
            + Numbers.byteCount(capacity: capacity) + HashIndex.byteCount(capacity: capacity)
            + Chains.byteCount(capacity: capacity)
    }

    public var count: Int { numbers.takenCount }

    public func isEmpty(for slot: UInt32) -> Bool {
        firstOnline[slot] == .nothing && firstOffline[slot] == .nothing
    }

    /// The slot for which most waits: what is wrong with a full queue is most likely there. It looks at every slot.
    public var slotWithMost: UInt32 {
        var most: UInt32 = 0
        for slot in 1..<UInt32(counts.capacity) where counts[slot] > counts[most] { most = slot }
        return most
    }

    /// Something to tell the connection in a slot.
    ///
    /// - Returns: false when there is no room: close a connection that would miss this, and it will ask again.
    public mutating func append(_ id: PeerID, isOnline: Bool, for slot: UInt32) -> Bool {
        if let number = find(id, slot) {
            guard pieces[number].isOnline != isOnline else { return true }
            unchain(number)
            pieces[number].isOnline = isOnline
            chain(number)
            return true
        }
        guard let number = numbers.take() else { return false }
        pieces[number] = Piece(id: id, slot: slot, isOnline: isOnline)
        counts[slot] += 1
        index.insert(number, tag(id, slot))
        chain(number)
        return true
    }

    /// How many ids the next list message for a slot holds: 0 … 244. The lists of those online go first.
    public func listCount(for slot: UInt32, isOnline: Bool) -> Int {
        let first = isOnline ? firstOnline[slot] : firstOffline[slot]
        guard first != .nothing else { return 0 }
        var (count, number) = (1, chains.next(after: first))
        while number != first, count < RelayFormat.listCountMax {
            count += 1
            number = chains.next(after: number)
        }
        return count
    }

    /// Write a whole list message, PeersOnline or PeersWentOffline, of the oldest news and forget these.
    ///
    /// - Parameters:
    ///   - count: at least 1, at most what `listCount` said.
    ///   - output: has room for `RelayEncoder.listByteCount(count)` bytes.
    @_lifetime(output: copy output)
    public mutating func take(
        _ count: Int, for slot: UInt32, isOnline: Bool, into output: inout OutputRawSpan
    ) {
        RelayEncoder.writeListHeader(isOnline ? .peersOnline : .peersWentOffline, count: count, into: &output)
        for _ in 0..<count {
            let number = isOnline ? firstOnline[slot] : firstOffline[slot]
            precondition(number != .nothing, "fewer news than were asked for")
            pieces[number].id.write(into: &output)
            remove(number)
        }
    }

    /// The connection in a slot has ended.
    public mutating func discard(_ slot: UInt32) {
        while firstOnline[slot] != .nothing { remove(firstOnline[slot]) }
        while firstOffline[slot] != .nothing { remove(firstOffline[slot]) }
    }
}

// MARK: Pieces

extension PeerNewsQueue {
    private func find(_ id: PeerID, _ slot: UInt32) -> UInt32? {
        var number = index.first(tag(id, slot))
        while number != .nothing, pieces[number].slot != slot || pieces[number].id != id {
            number = index.next(after: number)
        }
        return number == .nothing ? nil : number
    }

    private func tag(_ id: PeerID, _ slot: UInt32) -> UInt32 {
        UInt32(truncatingIfNeeded: hash.hash(id) ^ hash.hash(UInt64(slot)))
    }

    private mutating func chain(_ number: UInt32) {
        let slot = pieces[number].slot
        if pieces[number].isOnline {
            chains.append(number, to: &firstOnline[slot])
        } else {
            chains.append(number, to: &firstOffline[slot])
        }
    }

    private mutating func unchain(_ number: UInt32) {
        let slot = pieces[number].slot
        if pieces[number].isOnline {
            chains.remove(number, from: &firstOnline[slot])
        } else {
            chains.remove(number, from: &firstOffline[slot])
        }
    }

    private mutating func remove(_ number: UInt32) {
        unchain(number)
        counts[pieces[number].slot] -= 1
        index.remove(number)
        numbers.give(number)
    }
}
