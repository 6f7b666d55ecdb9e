// Thousands of short runs, each from its seed.
//
//   APUS_SEED=N           the first seed (1)
//   APUS_SEED_COUNT=N     how many (2000)

import Foundation
import Testing

enum Seeds {
    static let first = environment("APUS_SEED") ?? 1
    static let count = environment("APUS_SEED_COUNT") ?? 2000
    static let batch: UInt64 = 1000

    /// The first seed of each batch.
    static var batches: [UInt64] { Array(stride(from: first, to: first + count, by: Int(batch))) }

    static func range(from start: UInt64) -> Range<UInt64> { start..<min(start + batch, first + count) }

    static func replay(_ seed: UInt64) -> String {
        "APUS_SEED=\(seed) APUS_SEED_COUNT=1 swift test --filter SimulationTests.RandomRunTests"
    }

    private static func environment(_ name: String) -> UInt64? {
        ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) }
    }
}

@Suite struct RandomRunTests {
    @Test(arguments: Seeds.batches)
    func everyInvariantHolds(from start: UInt64) throws {
        var sightings = Sightings()
        var (turns, connections, bytes) = (0, 0, UInt64(0))
        for seed in Seeds.range(from: start) {
            let outcome = try Simulation(Plan(seed: seed)).run()
            if let violation = outcome.violation {
                Issue.record("seed \(seed): \(violation)\n    replay: \(Seeds.replay(seed))")
            }
            sightings.add(outcome.sightings)
            turns += outcome.turns
            connections += outcome.connections
            bytes += outcome.bytes
        }
        print(sightings.text, sightings.missing(of: Sightings.wanted))
        let seeds = Seeds.range(from: start)
        print("seeds \(seeds.lowerBound)...\(seeds.upperBound - 1): \(turns) turns, \(connections) connections, \(bytes) bytes")
    }
}
