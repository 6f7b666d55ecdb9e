// News that wait: one per id, those online first, in lists of at most 244, as many as there is room for.

import ApusWire
import TestSupport
import Testing

@testable import ApusRelay

struct PeerNewsQueueTests {
    /// The next list for a slot as a message; nil when nothing waits.
    private func take(
        _ queue: inout PeerNewsQueue, _ slot: UInt32, isOnline: Bool, atMost limit: Int = 244
    ) -> [PeerID]? {
        let count = min(limit, queue.listCount(for: slot, isOnline: isOnline))
        guard count > 0 else { return nil }
        let message = written { queue.take(count, for: slot, isOnline: isOnline, into: &$0) }
        #expect(message.count == RelayEncoder.listByteCount(count))
        #expect(message.prefix(2) == [1, isOnline ? 10 : 11])
        return (0..<count).map { PeerID(message.span.bytes, at: 2 + 36 * $0) }
    }

    @Test func theOldestGoFirst() {
        var queue = PeerNewsQueue(slotCount: 4, capacity: 100, seed: 1)
        for number in 0..<6 { #expect(queue.append(peer(number), isOnline: number < 4, for: 2) == true) }
        #expect(take(&queue, 2, isOnline: true, atMost: 3) == [peer(0), peer(1), peer(2)])
        #expect(take(&queue, 2, isOnline: true) == [peer(3)])
        #expect(take(&queue, 2, isOnline: true) == nil)
        #expect(take(&queue, 2, isOnline: false) == [peer(4), peer(5)])
        #expect(queue.isEmpty(for: 2) == true)
        #expect(queue.count == 0)
    }

    @Test func theLastStateCounts() {
        var queue = PeerNewsQueue(slotCount: 1, capacity: 100, seed: 1)
        for isOnline in [true, false, true, true, false] { _ = queue.append(peer(1), isOnline: isOnline, for: 0) }
        for isOnline in [false, true] { _ = queue.append(peer(2), isOnline: isOnline, for: 0) }
        #expect(queue.count == 2)
        #expect(take(&queue, 0, isOnline: true) == [peer(2)])
        #expect(take(&queue, 0, isOnline: false) == [peer(1)])
    }

    @Test func slotsAreApart() {
        var queue = PeerNewsQueue(slotCount: 8, capacity: 100, seed: 1)
        for slot in 0..<8 as Range<UInt32> { _ = queue.append(peer(1), isOnline: slot % 2 == 0, for: slot) }
        _ = queue.append(peer(2), isOnline: true, for: 4)
        queue.discard(4)
        #expect(queue.count == 7)
        #expect(queue.isEmpty(for: 4) == true)
        for slot in 0..<8 as Range<UInt32> where slot != 4 {
            #expect(take(&queue, slot, isOnline: slot % 2 == 0) == [peer(1)])
        }
    }

    @Test func aListHasAtMost244() {
        var queue = PeerNewsQueue(slotCount: 1, capacity: 1000, seed: 1)
        for number in 0..<600 { _ = queue.append(peer(number), isOnline: false, for: 0) }
        #expect(take(&queue, 0, isOnline: false) == (0..<244).map(peer))
        #expect(take(&queue, 0, isOnline: false) == (244..<488).map(peer))
        #expect(take(&queue, 0, isOnline: false) == (488..<600).map(peer))
        #expect(take(&queue, 0, isOnline: false) == nil)
    }

    @Test func aFullQueueSaysSo() {
        var queue = PeerNewsQueue(slotCount: 2, capacity: 3, seed: 1)
        for number in 0..<3 { #expect(queue.append(peer(number), isOnline: true, for: 0) == true) }
        #expect(queue.append(peer(0), isOnline: true, for: 1) == false)
        // What waits already may still change.
        #expect(queue.append(peer(0), isOnline: false, for: 0) == true)
        queue.discard(0)
        #expect(queue.append(peer(0), isOnline: true, for: 1) == true)
    }

    @Test func itKnowsForWhomMostWaits() {
        var queue = PeerNewsQueue(slotCount: 8, capacity: 100, seed: 1)
        for (slot, count) in [(1, 3), (5, 6), (7, 4)] as [(UInt32, Int)] {
            for number in 0..<count { _ = queue.append(peer(number), isOnline: true, for: slot) }
        }
        #expect(queue.slotWithMost == 5)
        // Another state of the same is not one more.
        for number in 0..<4 { _ = queue.append(peer(number), isOnline: false, for: 7) }
        _ = take(&queue, 5, isOnline: true, atMost: 3)
        #expect(queue.slotWithMost == 7)
        queue.discard(7)
        #expect([1, 5].contains(queue.slotWithMost))
    }

    @Test func itKnowsWhatAModelKnows() {
        var generator = SeededGenerator.announced()
        let (slotCount, capacity) = (4, 30)
        var queue = PeerNewsQueue(slotCount: slotCount, capacity: capacity, seed: generator.next())
        /// Per slot the ids with their state, the oldest state first.
        var model = [[(id: PeerID, isOnline: Bool)]](repeating: [], count: slotCount)
        for step in 0..<20_000 {
            let (slot, id, isOnline) = (generator.below(slotCount), peer(generator.below(15)), generator.once(in: 2))
            switch generator.below(10) {
            case 0 where generator.once(in: 5):
                queue.discard(UInt32(slot))
                model[slot] = []
            case 0...2:
                let limit = 1 + generator.below(5)
                let expected = model[slot].filter { $0.isOnline == isOnline }.prefix(limit).map(\.id)
                let taken = take(&queue, UInt32(slot), isOnline: isOnline, atMost: limit) ?? []
                #expect(taken == expected, "step \(step)")
                model[slot].removeAll { expected.contains($0.id) }
            default:
                let known = model[slot].firstIndex { $0.id == id }
                let hasRoom = known != nil || model.reduce(0) { $0 + $1.count } < capacity
                #expect(queue.append(id, isOnline: isOnline, for: UInt32(slot)) == hasRoom, "step \(step)")
                if let known, model[slot][known].isOnline != isOnline { model[slot].remove(at: known) }
                if hasRoom, !model[slot].contains(where: { $0.id == id }) { model[slot].append((id, isOnline)) }
            }
            #expect(queue.count == model.reduce(0) { $0 + $1.count }, "step \(step)")
        }
    }
}
