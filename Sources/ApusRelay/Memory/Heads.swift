// The first members of lists, one for each slot. Slots are used from zero on, and so is the memory.

/// A list is empty until something is put into it.
struct Heads: ~Copyable {
    private let firsts: Reserved<UInt32>
    /// Those below were written.
    private var writtenCount = 0

    init(capacity: Int) { firsts = Reserved(capacity: capacity) }

    static func byteCount(capacity: Int) -> Int { Reserved<UInt32>.byteCount(capacity: capacity) }

    subscript(slot: UInt32) -> UInt32 {
        get { Int(slot) < writtenCount ? firsts[slot] : .nothing }
        _modify {
            while writtenCount <= Int(slot) {
                firsts[writtenCount] = .nothing
                writtenCount += 1
            }
            yield &firsts[slot]
        }
    }
}
