// What a shard could not be told waits once, in order, and within its limit.

import ApusWire
import TestSupport
import Testing

@testable import ApusRelay

struct UntoldPlacesTests {
    @Test func eachShardHearsInOrder() {
        var places = UntoldPlaces(capacity: 10, seed: 1)
        for number in [3, 1, 2] { #expect(places.add(peer(number), for: 5) == true) }
        #expect(places.add(peer(7), for: 0) == true)
        #expect((0..<4).map { _ in places.pop(for: 5) } == [peer(3), peer(1), peer(2), nil])
        #expect(places.isEmpty == false)
        #expect(places.pop(for: 0) == peer(7))
        #expect(places.isEmpty == true)
    }

    @Test func anIdWaitsOnceForAShard() {
        var places = UntoldPlaces(capacity: 3, seed: 1)
        for _ in 0..<100 {
            #expect(places.add(peer(1), for: 255) == true)
            #expect(places.add(peer(1), for: 1) == true)
        }
        #expect(places.pop(for: 255) == peer(1))
        #expect(places.pop(for: 255) == nil)
        #expect(places.add(peer(1), for: 255) == true)
        #expect(places.pop(for: 255) == peer(1))
    }

    @Test func withoutRoomItSaysSo() {
        var places = UntoldPlaces(capacity: 2, seed: 1)
        #expect(places.add(peer(1), for: 1) == true)
        #expect(places.add(peer(2), for: 1) == true)
        #expect(places.add(peer(3), for: 1) == false)
        #expect(places.add(peer(1), for: 2) == false)
        #expect(places.add(peer(2), for: 1) == true, "it waits already")
        _ = places.pop(for: 1)
        #expect(places.add(peer(3), for: 1) == true)
        #expect((0..<3).map { _ in places.pop(for: 1) } == [peer(2), peer(3), nil])
    }

    @Test func itKnowsWhatAModelKnows() {
        var generator = SeededGenerator.announced()
        var places = UntoldPlaces(capacity: 20, seed: generator.next())
        var model = [[PeerID]](repeating: [], count: 3)
        for _ in 0..<20_000 {
            let (shard, id) = (generator.below(3), peer(generator.below(12)))
            if generator.once(in: 2) {
                #expect(places.pop(for: shard) == model[shard].first)
                model[shard] = Array(model[shard].dropFirst())
            } else {
                let hasRoom = model.map(\.count).reduce(0, +) < 20
                let waits = model[shard].contains(id)
                #expect(places.add(id, for: shard) == (hasRoom || waits))
                if hasRoom, !waits { model[shard].append(id) }
            }
            #expect(places.isEmpty == model.allSatisfy(\.isEmpty))
        }
    }
}
