// Which destinations hold most, roughly: those that hold at most twice as much as another are as good as it.

/// Destinations by the powers of two of the blocks they hold, so that finding one of the largest, and keeping order
/// when one changes, cost the same however many there are.
struct SizeClasses: ~Copyable {
    private static let classCount = 32

    private let chains: Chains
    private let classes: Reserved<UInt8>
    private var firsts = InlineArray<32, UInt32>(repeating: .nothing)
    /// A bit for each class that is not empty.
    private var occupied: UInt32 = 0

    init(capacity: Int) {
        chains = Chains(capacity: capacity)
        classes = Reserved(capacity: capacity)
    }

    static func byteCount(capacity: Int) -> Int {
        Chains.byteCount(capacity: capacity) + Reserved<UInt8>.byteCount(capacity: capacity)
    }

    /// A member of the highest class; there must be one.
    var largest: UInt32 {
        precondition(occupied != 0, "memory is used up, but nobody holds any")
        return firsts[SizeClasses.classCount - 1 - occupied.leadingZeroBitCount]
    }

    /// A destination that holds nothing yet.
    mutating func insert(_ number: UInt32) { put(number, into: 0) }

    mutating func update(_ number: UInt32, blockCount: Int) {
        let sizeClass = SizeClasses.sizeClass(of: blockCount)
        guard classes[number] != sizeClass else { return }
        remove(number)
        put(number, into: sizeClass)
    }

    mutating func remove(_ number: UInt32) {
        let sizeClass = Int(classes[number])
        chains.remove(number, from: &firsts[sizeClass])
        if firsts[sizeClass] == .nothing { occupied &= ~(1 << UInt32(sizeClass)) }
    }

    private mutating func put(_ number: UInt32, into sizeClass: UInt8) {
        classes[number] = sizeClass
        chains.append(number, to: &firsts[Int(sizeClass)])
        occupied |= 1 << UInt32(sizeClass)
    }

    /// The exponent of the power of two that it does not reach; 0 for nothing.
    private static func sizeClass(of blockCount: Int) -> UInt8 {
        UInt8(min(Int.bitWidth - blockCount.leadingZeroBitCount, classCount - 1))
    }
}
