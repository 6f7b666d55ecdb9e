// Randomness that can be repeated: every seed is an argument of its test, which a failure prints.

enum Seeds {
    /// The same every time, and one that nobody has tried.
    static let all: [UInt64] = {
        let fresh = UInt64.random(in: .min ... .max)
        print("fresh seed: \(fresh)")
        return Array(1...16) + [fresh]
    }()
}
