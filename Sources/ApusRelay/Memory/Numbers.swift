// Which records of a kind are taken. It knows their numbers only.

/// The number given back last is taken next: it is the likeliest to be in the processor's caches.
struct Numbers: ~Copyable {
    let capacity: Int
    private(set) var takenCount = 0
    /// Numbers below were taken at least once.
    private var usedCount = 0
    private var firstFree = UInt32.nothing
    private let nextFree: Reserved<UInt32>

    init(capacity: Int) {
        self.capacity = capacity
        nextFree = Reserved(capacity: capacity)
    }

    static func byteCount(capacity: Int) -> Int { Reserved<UInt32>.byteCount(capacity: capacity) }

    var freeCount: Int { capacity - takenCount }

    /// Nil: all are taken.
    mutating func take() -> UInt32? {
        guard takenCount < capacity else { return nil }
        takenCount += 1
        if firstFree != .nothing {
            let number = firstFree
            firstFree = nextFree[number]
            return number
        }
        usedCount += 1
        return UInt32(usedCount - 1)
    }

    mutating func give(_ number: UInt32) {
        nextFree[number] = firstFree
        firstFree = number
        takenCount -= 1
    }
}
