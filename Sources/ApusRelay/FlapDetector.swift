// Whether an id is taken over again and again, as it is when two machines have the same key.

/// When to call it flapping.
public struct FlapLimits: BitwiseCopyable, Sendable {
    /// Takeovers in one window, at least 1.
    public var countMax: UInt32 = 5
    public var windowNanoseconds: UInt64 = 60_000_000_000

    public init() {}
}

/// Of one id. A window begins with the first takeover after the one before has ended.
struct FlapDetector: BitwiseCopyable {
    private var windowStart: UInt64 = 0
    private var count: UInt32 = 0

    /// One more takeover; true once per window, when there are as many as the limit says.
    mutating func noteTakeover(at now: UInt64, _ limits: FlapLimits) -> Bool {
        if count == 0 || now - windowStart > limits.windowNanoseconds { (windowStart, count) = (now, 0) }
        count = min(count, .max - 1) + 1
        return count == limits.countMax
    }
}
