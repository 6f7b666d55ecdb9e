// One io_uring: prepare operations, hand back completions, lend buffers. It knows nothing of connections, and only the
// thread that made it may touch it (SINGLE_ISSUER).

import CURing
import Glibc

/// How much a ring reserves.
public struct RingSizes: Sendable {
    /// Operations prepared between two waits; more are submitted early.
    public var submissions: UInt32 = 512
    /// Completions the kernel can post between two waits before it has to queue them elsewhere (it counts those).
    public var completions: UInt32 = 4096
    /// Buffers lent to the kernel; a power of two, at most 32768.
    public var buffers: UInt32 = 256
    /// The size of one. A packet that lies in one buffer is not copied.
    public var bufferByteCount: UInt32 = 32 * 1024

    public init() {}
}

/// Safe to use from the thread that made it: its memory lives as long as it does.
@safe
public struct Ring: RingIO, ~Copyable {
    @usableFromInline static var bufferGroup: UInt16 { 0 }

    /// Its address is known to liburing, so it never moves.
    @usableFromInline let uring: UnsafeMutablePointer<io_uring>
    @usableFromInline var buffers: ProvidedBuffers
    @usableFromInline var bundle = Bundle()
    public let capabilities: RingCapabilities
    public private(set) var now: Instant

    /// The eventfd's value lands here; nobody reads it.
    private let wakeCount: UnsafeMutablePointer<UInt64>

    /// A ring for the calling thread, created disabled and enabled here: no completion and no doorbell can arrive
    /// before.
    public init(sizes: RingSizes = RingSizes(), tier: RingTier) throws(RingUnavailable) {
        let mapping = try ProvidedBuffers.Mapping(sizes)
        do throws(RingUnavailable) {
            unsafe uring = try Ring.open(sizes, with: mapping)
        } catch {
            mapping.unmap()
            throw error
        }
        buffers = ProvidedBuffers(mapping)
        capabilities = unsafe tier == .floor
            ? .floor
            : RingCapabilities(features: uring.pointee.features, release: .current())
        unsafe wakeCount = .allocate(capacity: 1)
        unsafe wakeCount.initialize(to: 0)
        now = Ring.clock()
    }

    private static func open(
        _ sizes: RingSizes, with mapping: ProvidedBuffers.Mapping
    ) throws(RingUnavailable) -> UnsafeMutablePointer<io_uring> {
        let uring = UnsafeMutablePointer<io_uring>.allocate(capacity: 1)
        unsafe uring.initialize(to: io_uring())
        let opened = unsafe curing_open(uring, sizes.submissions, sizes.completions)
        guard opened == 0 else {
            unsafe uring.deallocate()
            throw .refused(errno: -opened)
        }
        do throws(RingUnavailable) {
            try unsafe requireOperations(of: uring)
            try unsafe mapping.register(with: uring, group: bufferGroup)
            let enabled = unsafe curing_enable(uring)
            guard enabled == 0 else { throw RingUnavailable.refused(errno: -enabled) }
        } catch {
            unsafe io_uring_queue_exit(uring)
            unsafe uring.deallocate()
            throw error
        }
        return unsafe uring
    }

    deinit {
        unsafe io_uring_queue_exit(uring)
        unsafe uring.deallocate()
        unsafe wakeCount.deallocate()
    }

    /// What other rings name to post a doorbell into this one.
    public var descriptor: Descriptor { unsafe Descriptor(uring.pointee.ring_fd) }

    /// Completions that did not fit the completion queue so far; the kernel kept them, at a cost.
    public var overflowCount: UInt32 { unsafe curing_overflow(uring) }

    /// Buffers that are on loan from the kernel to us.
    public var leasesOut: Int { buffers.lent }

    /// Read the clock again, for one who measures within a turn.
    public mutating func refreshNow() { now = Ring.clock() }

    private static func clock() -> Instant {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        // Since boot: neither part is negative, and 2^64 ns are 584 years.
        return Instant(nanoseconds: UInt64(time.tv_sec) &* .second &+ UInt64(time.tv_nsec))
    }

    private static func requireOperations(of uring: UnsafeMutablePointer<io_uring>) throws(RingUnavailable) {
        guard let probe = unsafe io_uring_get_probe_ring(uring) else { throw .refused(errno: EINVAL) }
        defer { unsafe io_uring_free_probe(probe) }
        for (operation, name) in RingInspection.needed {
            guard unsafe curing_supports(probe, Int32(operation.rawValue)) != 0 else { throw .missingOperation(name) }
        }
    }
}

// MARK: Operations

extension Ring {
    public mutating func accept(on listener: Descriptor, token: Token) {
        unsafe curing_prepare_accept(entry(), listener.number, token.bits)
    }

    @inlinable public mutating func receive(from socket: Descriptor, token: Token) {
        let extra: UInt16 = capabilities.receiveBundles ? curing_receive_bundle : 0
        unsafe curing_prepare_receive(entry(), socket.number, Ring.bufferGroup, extra, token.bits)
    }

    @inlinable public mutating func send(_ bytes: UnsafeRawBufferPointer, to socket: Descriptor, token: Token) {
        unsafe curing_prepare_send(entry(), socket.number, bytes.baseAddress, bytes.count, token.bits)
    }

    /// Connect `socket` to `address`, whose bytes must stay until the completion arrives.
    public mutating func connect(_ socket: Descriptor, to address: UnsafeRawBufferPointer, token: Token) {
        unsafe curing_prepare_connect(entry(), socket.number, address.baseAddress, UInt32(address.count), token.bits)
    }

    public mutating func shutdownWrite(_ socket: Descriptor, token: Token) {
        unsafe curing_prepare_shutdown(entry(), socket.number, Int32(SHUT_WR), token.bits)
    }

    public mutating func close(_ descriptor: Descriptor, token: Token) {
        unsafe curing_prepare_close(entry(), descriptor.number, token.bits)
    }

    public mutating func cancel(_ target: Token, token: Token) {
        unsafe curing_prepare_cancel(entry(), target.bits, token.bits)
    }

    public mutating func awaitWake(_ eventDescriptor: Descriptor, token: Token) {
        unsafe curing_prepare_read(entry(), eventDescriptor.number, wakeCount, 8, token.bits)
    }

    public mutating func ringDoorbell(of target: Descriptor, delivering delivered: Token, token: Token) {
        unsafe curing_prepare_doorbell(entry(), target.number, delivered.bits, token.bits)
    }

    public func closeNow(_ descriptor: Descriptor) {
        // Its result says nothing we could act on: Linux frees the number whatever it returns.
        _ = Glibc.close(descriptor.number)
    }

    /// A free submission entry; when the queue is full, what is prepared goes to the kernel first.
    @inlinable
    mutating func entry() -> UnsafeMutablePointer<io_uring_sqe> {
        while true {
            if let entry = unsafe curing_entry(uring) { return unsafe entry }
            submitEarly()
        }
    }

    @usableFromInline
    func submitEarly() {
        let submitted = unsafe io_uring_submit(uring)
        precondition(submitted >= 0 || Ring.passes(-submitted), "io_uring_submit: \(errorText(-submitted))")
    }

    /// Answers of a submission or a wait that ask only for another turn.
    private static func passes(_ errno: Int32) -> Bool {
        switch errno {
        case ETIME, EINTR, EAGAIN, EBUSY: true
        default: false
        }
    }
}

// MARK: Completions

extension Ring {
    public mutating func submitAndWait(until deadline: Instant) {
        buffers.publish()
        // `now` is as old as this turn is long, so a deadline may be missed by that much: never by more than a turn.
        let wait = deadline == .never ? -1 : Int64(clamping: deadline - now)
        let result = unsafe curing_submit_and_wait(uring, wait)
        precondition(result >= 0 || Ring.passes(-result), "io_uring wait: \(errorText(-result))")
        now = Ring.clock()
    }

    @inlinable
    public mutating func next() -> Completion? {
        if bundle.bytesLeft > 0 { return nextOfBundle() }
        guard let entry = unsafe curing_peek(uring) else { return nil }
        let token = unsafe Token(bits: entry.pointee.user_data)
        let (result, flags) = unsafe (entry.pointee.res, entry.pointee.flags)
        unsafe curing_consume(uring)
        let hasMore = flags & curing_cqe_more != 0
        guard flags & curing_cqe_buffer != 0, result > 0 else {
            return Completion(token: token, result: result, hasMore: hasMore, lease: nil)
        }
        let first = UInt16(truncatingIfNeeded: flags >> curing_cqe_buffer_shift)
        if result <= buffers.bufferByteCount {
            return Completion(
                token: token, result: result, hasMore: hasMore, lease: buffers.lease(first, byteCount: result))
        }
        bundle = Bundle(token: token, bytesLeft: result, hasMore: hasMore, bufferID: first)
        return nextOfBundle()
    }

    @inlinable
    public mutating func recycle(_ lease: Lease) { buffers.recycle(lease) }

    /// A bundle's buffers become completions of their own, so that nobody above knows of bundles.
    @usableFromInline
    mutating func nextOfBundle() -> Completion {
        let byteCount = min(bundle.bytesLeft, buffers.bufferByteCount)
        let lease = buffers.lease(bundle.bufferID, byteCount: byteCount)
        bundle.bytesLeft -= byteCount
        bundle.bufferID = buffers.successor(of: bundle.bufferID)
        let hasMore = bundle.bytesLeft > 0 || bundle.hasMore
        return Completion(token: bundle.token, result: byteCount, hasMore: hasMore, lease: lease)
    }

    /// The rest of a completion that covered several buffers.
    @usableFromInline
    struct Bundle {
        var token = Token(bits: 0)
        @usableFromInline var bytesLeft: Int32 = 0
        var hasMore = false
        var bufferID: UInt16 = 0

        @usableFromInline init() {}

        @usableFromInline
        init(token: Token, bytesLeft: Int32, hasMore: Bool, bufferID: UInt16) {
            self.token = token
            self.bytesLeft = bytesLeft
            self.hasMore = hasMore
            self.bufferID = bufferID
        }
    }
}
