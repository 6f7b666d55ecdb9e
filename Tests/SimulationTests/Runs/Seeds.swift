// Which seeds the random runs start from. Everything that happens in a run follows from its seed.
//
//   APUS_SEED=N           the first seed; 1 unless set
//   APUS_SEED_COUNT=N     how many; 2000 unless set, and 200 of a relay
//   APUS_TRACE=1          print every turn

import Foundation

enum Seeds {
    static let first = environment("APUS_SEED") ?? 1
    static let count = environment("APUS_SEED_COUNT") ?? 2000
    private static let batch: UInt64 = 100

    static let relayCountUsual: UInt64 = 200
    static let relayCount = environment("APUS_SEED_COUNT") ?? relayCountUsual

    /// All of them, in ranges.
    static var ranges: [ClosedRange<UInt64>] { ranges(of: count) }
    static var relayRanges: [ClosedRange<UInt64>] { ranges(of: relayCount) }

    private static func ranges(of count: UInt64) -> [ClosedRange<UInt64>] {
        stride(from: first, to: first + count, by: Int(batch)).map { $0...min($0 + batch, first + count) - 1 }
    }

    /// The line that runs one of them again.
    static func replay(_ seed: UInt64, _ suite: String = "RandomRunTests") -> String {
        "APUS_SEED=\(seed) APUS_SEED_COUNT=1 APUS_TRACE=1 swift test --filter SimulationTests.\(suite)"
    }

    private static func environment(_ name: String) -> UInt64? {
        ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) }
    }
}
