// Does the suite notice? Each fault that a shard can be made to have is planted, and some invariant must not hold
// within a number of seeds. A fault that nothing notices is a hole in the invariants, or in what the runs do.

import ApusReactor
import Testing

@Suite struct PlantedFaultTests {
    private static let seedCountMax: UInt64 = 300

    @Test(arguments: PlantedFault.allCases)
    func isCaught(_ fault: PlantedFault) throws {
        for seed in Seeds.first..<Seeds.first + Self.seedCountMax {
            let outcome = try Simulation(Plan(seed: seed), planted: fault).run()
            guard let violation = outcome.violation else { continue }
            print("\(fault.rawValue): caught in run \(seed - Seeds.first + 1), seed \(seed), by \(violation)")
            return
        }
        Issue.record("\(fault.rawValue): not caught in \(Self.seedCountMax) seeds from \(Seeds.first)")
    }
}
