// Hundreds of short runs of a relay, each from its seed; every invariant holds in each, and together they meet all
// there is to meet.

import Testing

@Suite struct RelayRunTests {
    @Test func everyInvariantHolds() async throws {
        var sightings = Sightings()
        try await withThrowingTaskGroup(of: Sightings.self) { group in
            for range in Seeds.relayRanges { group.addTask { try Self.run(range) } }
            for try await seen in group { sightings.add(seen) }
        }
        print("relay, all \(Seeds.relayCount) seeds from \(Seeds.first): \(sightings.text)")
        // Fewer than the usual number may miss what is rare.
        if Seeds.relayCount >= Seeds.relayCountUsual { #expect(sightings.missing(of: Sightings.wantedOfRelays) == []) }
    }

    private static func run(_ seeds: ClosedRange<UInt64>) throws -> Sightings {
        var sightings = Sightings()
        var (turns, connections) = (0, 0)
        for seed in seeds {
            let outcome = try RelaySimulation(RelayPlan(seed: seed)).run()
            if let violation = outcome.violation {
                Issue.record("relay seed \(seed): \(violation)\n    replay: \(Seeds.replay(seed, "RelayRunTests"))")
            }
            sightings.add(outcome.sightings)
            turns += outcome.turns
            connections += outcome.connections
        }
        print("relay seeds \(seeds.lowerBound)...\(seeds.upperBound): \(turns) turns, \(connections) connections")
        return sightings
    }

    /// A seed says everything, with several shards too.
    @Test func aSeedDecidesEverything() throws {
        for seed in Seeds.first..<Seeds.first + 10 {
            let first = try RelaySimulation(RelayPlan(seed: seed)).run()
            let second = try RelaySimulation(RelayPlan(seed: seed)).run()
            let other = try RelaySimulation(RelayPlan(seed: seed + 1)).run()
            #expect(first.digest == second.digest && first.turns == second.turns)
            #expect(first.digest != other.digest)
        }
    }
}
