// Memory a shard works in between two steps of a turn; nobody keeps anything there.

struct Scratch: ~Copyable {
    let byteCount: Int
    private var memory: UnsafeMutableRawBufferPointer?

    init(byteCount: Int) { self.byteCount = byteCount }

    deinit { memory?.deallocate() }

    /// All of it; taken when first asked for. Large memory is fresh pages: only those that are written become resident.
    mutating func buffer() -> UnsafeMutableRawBufferPointer {
        if let memory { return memory }
        let fresh = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 64)
        memory = fresh
        return fresh
    }
}
