// Where peers are: epochs, limits, and many random changes against a dictionary.

import ApusWire
import TestSupport
import Testing

@testable import ApusRelay

struct PeerDirectoryTests {
    @Test func laterClaimsWinAndEarlierOnesDoNot() {
        var directory = PeerDirectory(capacity: 4, seed: 1)
        #expect(directory.find(peer(1)) == nil)
        #expect(directory.place(peer(1), holder: 10, epoch: 5) == .new)
        #expect(directory.place(peer(1), holder: 11, epoch: 5) == .stale)
        #expect(directory.place(peer(1), holder: 11, epoch: 4) == .stale)
        #expect(directory.find(peer(1)) == PeerPlace(holder: 10, epoch: 5))
        #expect(directory.place(peer(1), holder: 11, epoch: 6) == .replaced(PeerPlace(holder: 10, epoch: 5)))
        #expect(directory.find(peer(1)) == PeerPlace(holder: 11, epoch: 6))
        #expect(directory.count == 1)
    }

    @Test func onlyTheClaimThatEndedIsRemoved() {
        var directory = PeerDirectory(capacity: 4, seed: 1)
        #expect(directory.remove(peer(1), epoch: 9) == false)
        _ = directory.place(peer(1), holder: 10, epoch: 5)
        #expect(directory.remove(peer(1), epoch: 4) == false)
        #expect(directory.find(peer(1)) != nil)
        #expect(directory.remove(peer(1), epoch: 5) == true)
        #expect(directory.find(peer(1)) == nil)
        // A later end is of a later claim, of which this shard was told while it had no room.
        _ = directory.place(peer(1), holder: 10, epoch: 6)
        #expect(directory.remove(peer(1), epoch: 7) == true)
        #expect(directory.count == 0)
    }

    @Test func aFullDirectorySaysSo() {
        var directory = PeerDirectory(capacity: 3, seed: 1)
        for number in 0..<3 { #expect(directory.place(peer(number), holder: 1, epoch: 1) == .new) }
        #expect(directory.place(peer(3), holder: 1, epoch: 1) == .full)
        #expect(directory.find(peer(3)) == nil)
        // Those that are there may still move.
        #expect(directory.place(peer(0), holder: 2, epoch: 2) == .replaced(PeerPlace(holder: 1, epoch: 1)))
        #expect(directory.remove(peer(1), epoch: 1) == true)
        #expect(directory.place(peer(3), holder: 1, epoch: 1) == .new)
    }

    @Test(arguments: [1, 2, 7, 100])
    func itKnowsWhatADictionaryKnows(capacity: Int) {
        var generator = SeededGenerator.announced()
        var directory = PeerDirectory(capacity: capacity, seed: generator.next())
        var model: [Int: PeerPlace] = [:]
        for step in 0..<20_000 {
            let (number, epoch) = (generator.below(2 * capacity), UInt64(generator.below(1000)))
            let known = model[number]
            if generator.once(in: 2) {
                let holder = generator.next()
                let outcome = directory.place(peer(number), holder: holder, epoch: epoch)
                let isStale = known.map { $0.epoch >= epoch } ?? false
                let expected: PlaceOutcome =
                    isStale ? .stale : known.map { .replaced($0) } ?? (model.count < capacity ? .new : .full)
                #expect(outcome == expected, "step \(step)")
                if outcome == expected, outcome != .stale, outcome != .full {
                    model[number] = PeerPlace(holder: holder, epoch: epoch)
                }
            } else {
                let isRemoved = directory.remove(peer(number), epoch: epoch)
                #expect(isRemoved == (known.map { $0.epoch <= epoch } ?? false), "step \(step)")
                if isRemoved { model[number] = nil }
            }
            #expect(directory.count == model.count)
            for probe in 0..<2 * capacity where step % 100 == 0 || probe == number {
                #expect(directory.find(peer(probe)) == model[probe], "step \(step)")
            }
        }
    }

    /// Half full and always changing: what was removed must not make searches longer.
    @Test func changesLeaveNoTrace() {
        let capacity = 1000
        var directory = PeerDirectory(capacity: capacity, seed: 5)
        for number in 0..<capacity { _ = directory.place(peer(number), holder: 1, epoch: 1) }
        for number in capacity..<20_000 {
            #expect(directory.remove(peer(number - capacity), epoch: 1) == true)
            #expect(directory.place(peer(number), holder: 1, epoch: 1) == .new)
        }
        let occupied = (0...directory.mask).count { directory.cells[$0] != 0 }
        #expect(occupied == capacity)
        for number in 19_000..<20_000 { #expect(directory.find(peer(number)) != nil) }
    }
}
