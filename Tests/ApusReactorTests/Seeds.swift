// Randomness that can be repeated: every seed is an argument of its test, which a failure prints.

/// SplitMix64 (Steele, Lea, Flood 2014).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

enum Seeds {
    /// The same every time, and one that nobody has tried.
    static let all: [UInt64] = {
        let fresh = UInt64.random(in: .min ... .max)
        print("fresh seed: \(fresh)")
        return Array(1...16) + [fresh]
    }()
}
