// The buffers a ring lends to the kernel for receiving, and which of them are on loan to us. It never looks inside one.

import CURing
import Glibc

@safe
public struct ProvidedBuffers: ~Copyable {
    public let bufferByteCount: Int32
    @usableFromInline let count: Int
    @usableFromInline let memory: UnsafeMutableRawPointer
    /// Shared with the kernel: it takes at the head, we add at the tail.
    @usableFromInline let entries: UnsafeMutablePointer<io_uring_buf_ring>
    /// Which buffer stands at which place of the ring, and where each buffer stands: a bundle names only its first.
    @usableFromInline let order: UnsafeMutablePointer<UInt16>
    @usableFromInline let places: UnsafeMutablePointer<UInt16>
    @usableFromInline var tail: UInt16 = 0
    @usableFromInline var unpublished: UInt32 = 0
    @usableFromInline var lent = 0

    /// Takes over mapped memory that was registered with a ring; all buffers are lent at once.
    init(_ mapping: Mapping) {
        bufferByteCount = mapping.bufferByteCount
        count = mapping.count
        unsafe memory = mapping.memory
        unsafe entries = mapping.entries
        unsafe order = .allocate(capacity: count)
        unsafe places = .allocate(capacity: count)
        for id in 0..<count { add(UInt16(id)) }
        publish()
    }

    deinit {
        unsafe munmap(memory, count * Int(bufferByteCount))
        unsafe munmap(entries, count * MemoryLayout<io_uring_buf>.stride)
        unsafe order.deallocate()
        unsafe places.deallocate()
    }

    /// Buffers that the kernel did not fill since the last `publish`.
    var unusedCount: Int { count - Int(unpublished) - lent }

    /// The buffer the kernel filled, now ours until recycled.
    @inlinable
    mutating func lease(_ id: UInt16, byteCount: Int32) -> Lease {
        lent += 1
        return unsafe Lease(start: memory + Int(id) * Int(bufferByteCount), byteCount: byteCount, bufferID: id)
    }

    @inlinable
    mutating func recycle(_ lease: Lease) {
        lent -= 1
        assert(lent >= 0, "a lease was recycled twice")
        add(lease.bufferID)
    }

    /// The buffer that stands behind `id` in the ring.
    func successor(of id: UInt16) -> UInt16 {
        // The mask keeps the place inside the ring.
        unsafe order[(Int(places[Int(id)]) + 1) & (count - 1)]
    }

    /// What was recycled since the last call becomes the kernel's, with one store.
    @inlinable
    mutating func publish() {
        guard unpublished > 0 else { return }
        unsafe curing_publish(entries, unpublished)
        unpublished = 0
    }

    @inlinable
    mutating func add(_ id: UInt16) {
        let mask = UInt32(count - 1)
        let start = unsafe memory + Int(id) * Int(bufferByteCount)
        unsafe curing_provide(entries, start, UInt32(bufferByteCount), id, mask, unpublished)
        let place = Int(tail) & Int(mask)
        unsafe order[place] = id
        unsafe places[Int(id)] = UInt16(place)
        // Ring arithmetic: the kernel's tail wraps at 16 bits too.
        tail &+= 1
        unpublished += 1
    }
}

// MARK: Memory

extension ProvidedBuffers {
    /// The raw memory of the buffers and of the ring of entries that the kernel shares.
    @safe
    struct Mapping {
        let count: Int
        let bufferByteCount: Int32
        let memory: UnsafeMutableRawPointer
        let entries: UnsafeMutablePointer<io_uring_buf_ring>

        init(_ sizes: RingSizes) throws(RingUnavailable) {
            precondition(
                sizes.buffers.nonzeroBitCount == 1 && sizes.buffers <= 32768, "buffers: a power of two up to 32768")
            count = Int(sizes.buffers)
            bufferByteCount = Int32(sizes.bufferByteCount)
            unsafe memory = try Mapping.map(count * Int(bufferByteCount))
            unsafe entries = try Mapping.map(count * MemoryLayout<io_uring_buf>.stride)
                .assumingMemoryBound(to: io_uring_buf_ring.self)
        }

        func register(with uring: UnsafeMutablePointer<io_uring>, group: UInt16) throws(RingUnavailable) {
            let registered = unsafe curing_register_buffers(uring, entries, UInt32(count), group)
            guard registered == 0 else { throw .refused(errno: -registered) }
        }

        func unmap() {
            unsafe munmap(memory, count * Int(bufferByteCount))
            unsafe munmap(entries, count * MemoryLayout<io_uring_buf>.stride)
        }

        /// Zeroed pages, resident only once touched.
        private static func map(_ byteCount: Int) throws(RingUnavailable) -> UnsafeMutableRawPointer {
            let pages = unsafe mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
            guard let pages = unsafe pages, unsafe pages != MAP_FAILED else {
                throw .noMemory("\(byteCount) bytes of receive buffers")
            }
            return unsafe pages
        }
    }
}
