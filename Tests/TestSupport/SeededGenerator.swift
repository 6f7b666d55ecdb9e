// Randomness that can be had again: every randomised test prints its seed, and APUS_TEST_SEED sets it.

import Foundation

/// SplitMix64 (Steele, Lea, Flood 2014).
package struct SeededGenerator: RandomNumberGenerator {
    package let seed: UInt64
    private var state: UInt64

    package init(seed: UInt64) {
        self.seed = seed
        state = seed
    }

    /// A fresh seed, printed, or the one of the environment.
    package static func announced(_ test: String = #function) -> SeededGenerator {
        let fixed = ProcessInfo.processInfo.environment["APUS_TEST_SEED"].flatMap(UInt64.init)
        let seed = fixed ?? UInt64.random(in: 0...UInt64.max)
        print("\(test): APUS_TEST_SEED=\(seed)")
        return SeededGenerator(seed: seed)
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15  // wraps by design, as all arithmetic of this generator
        var bits = state
        bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
        return bits ^ (bits >> 31)
    }

    package mutating func bytes(_ count: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            for index in 0..<count { buffer[index] = UInt8(truncatingIfNeeded: next()) }
            filled = count
        }
    }

    package mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }

    /// True once in so many times.
    package mutating func once(in count: Int) -> Bool { below(count) == 0 }
}
