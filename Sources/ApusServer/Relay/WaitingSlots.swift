// Slots whose connections wait for something that is scarce for all: room in a lane, or a buffer. Who waits longest is
// looked at first.

/// A slot waits once. It may have another tenant by the time it is looked at, who then finds nothing to do.
struct WaitingSlots: ~Copyable {
    // Both are allocated in `init` with `capacity` places, all of which are written, and freed in `deinit`.
    /// A ring: `count` slots from `first` on.
    private let slots: UnsafeMutablePointer<UInt32>
    /// By slot.
    private let isWaiting: UnsafeMutablePointer<Bool>
    private let capacity: Int
    private var first = 0
    private(set) var count = 0

    /// - Parameter slotCount: slots are below it.
    init(slotCount: Int) {
        capacity = slotCount
        slots = .allocate(capacity: slotCount)
        slots.initialize(repeating: 0, count: slotCount)
        isWaiting = .allocate(capacity: slotCount)
        isWaiting.initialize(repeating: false, count: slotCount)
    }

    deinit {
        slots.deallocate()
        isWaiting.deallocate()
    }

    static func memoryByteCount(slotCount: Int) -> Int {
        slotCount * (MemoryLayout<UInt32>.stride + MemoryLayout<Bool>.stride)
    }

    var isEmpty: Bool { count == 0 }

    mutating func append(_ slot: UInt32) {
        guard !isWaiting[Int(slot)] else { return }
        isWaiting[Int(slot)] = true
        let place = first + count
        // There is room: a slot is in it once.
        slots[place < capacity ? place : place - capacity] = slot
        count += 1
    }

    mutating func popFirst() -> UInt32? {
        guard count > 0 else { return nil }
        let slot = slots[first]
        isWaiting[Int(slot)] = false
        first = first + 1 < capacity ? first + 1 : 0
        count -= 1
        return slot
    }
}
