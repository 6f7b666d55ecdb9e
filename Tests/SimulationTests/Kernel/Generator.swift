// Randomness that can be had again: everything random in a simulation comes from generators made from the run's seed.

import ApusReactor

/// SplitMix64 (Steele, Lea, Flood 2014). Not generic: a debug build calls it millions of times.
struct Generator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        // Wraps by design, as all arithmetic of this generator.
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }

    /// From 0 to one less than `bound`.
    mutating func below(_ bound: Int) -> Int {
        Int(truncatingIfNeeded: next().multipliedFullWidth(by: UInt64(bound)).high)
    }

    mutating func within(_ lowest: Int, _ highest: Int) -> Int { lowest + below(highest - lowest + 1) }

    /// From `lowest` to `highest`, the small ones more often.
    mutating func small(_ lowest: Int, _ highest: Int) -> Int { lowest + below(below(highest - lowest + 1) + 1) }

    mutating func chance(perMille: Int) -> Bool { perMille > 0 && below(1000) < perMille }

    mutating func choice<Choice>(_ choices: [Choice]) -> Choice { choices[below(choices.count)] }

    mutating func nanoseconds(upTo most: Nanoseconds) -> Nanoseconds { UInt64(below(Int(most) + 1)) }
}
