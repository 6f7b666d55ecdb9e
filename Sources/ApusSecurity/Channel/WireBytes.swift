// Bytes that wait to be sent, and those that are being sent, which stay in place until they are done with.

@safe
struct WireBytes: ~Copyable {
    private var gathering = unsafe UnsafeMutableRawBufferPointer(start: nil, count: 0)
    private var flying = unsafe UnsafeMutableRawBufferPointer(start: nil, count: 0)
    private(set) var byteCount = 0

    deinit {
        unsafe gathering.deallocate()
        unsafe flying.deallocate()
    }

    /// Room for `byteCount` bytes behind what is gathered; `commit` says how many were written.
    mutating func room(_ byteCount: Int) -> UnsafeMutableRawBufferPointer {
        let needed = self.byteCount + byteCount
        if unsafe gathering.count < needed { grow(to: needed) }
        return unsafe UnsafeMutableRawBufferPointer(rebasing: gathering[self.byteCount..<needed])
    }

    mutating func commit(_ byteCount: Int) { self.byteCount += byteCount }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        unsafe room(bytes.count).copyMemory(from: bytes)
        commit(bytes.count)
    }

    /// All that is gathered, in place until the next call.
    mutating func take() -> UnsafeRawBufferPointer {
        unsafe swap(&gathering, &flying)
        defer { byteCount = 0 }
        return unsafe UnsafeRawBufferPointer(rebasing: flying[..<byteCount])
    }

    /// Nothing is gathered and nothing is in flight: an idle connection keeps no memory.
    mutating func release() {
        guard byteCount == 0 else { return }
        unsafe gathering.deallocate()
        unsafe flying.deallocate()
        unsafe gathering = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        unsafe flying = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    }

    private mutating func grow(to needed: Int) {
        let larger = unsafe UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(needed, 2 * gathering.count), alignment: 16)
        // The larger one holds what is gathered.
        unsafe larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: gathering[..<byteCount]))
        unsafe gathering.deallocate()
        unsafe gathering = larger
    }
}
