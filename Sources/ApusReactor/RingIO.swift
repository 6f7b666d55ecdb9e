// The one seam of the house: what a shard asks of a ring. `Ring` is the kernel's; tests name a simulated one.

/// A kernel-filled buffer on loan. It is returned exactly once, with `recycle`, before the turn ends. Safe to hold and
/// hand on; reading through `start` is not, once the lease has been recycled.
@safe
public struct Lease: BitwiseCopyable {
    /// The first filled byte; valid until the lease is recycled.
    public let start: UnsafeMutableRawPointer
    public let byteCount: Int32
    public let bufferID: UInt16

    @inlinable
    public init(start: UnsafeMutableRawPointer, byteCount: Int32, bufferID: UInt16) {
        unsafe self.start = start
        self.byteCount = byteCount
        self.bufferID = bufferID
    }
}

/// What the kernel says of one operation.
public struct Completion: BitwiseCopyable {
    public let token: Token
    /// A count or a descriptor, or a negated errno.
    public let result: Int32
    /// A multishot operation goes on: more completions with this token follow.
    public let hasMore: Bool
    /// Present when bytes were received; the receiver recycles it.
    public let lease: Lease?

    @inlinable
    public init(token: Token, result: Int32, hasMore: Bool, lease: Lease?) {
        self.token = token
        self.result = result
        self.hasMore = hasMore
        self.lease = lease
    }
}

/// The faults that the simulation plants to show that its invariants catch them. A real ring plants none, and since its
/// answer is a constant the compiler removes the question.
public enum PlantedFault: String, CaseIterable, Sendable {
    case lostReceiveRearm, lostAcceptRearm, doubleRecycle, leakedLease, skippedGenerationCheck, secondSendInFlight
    case shortSendForgotten, closeBeforeBitsClear, leakedConnectionCount, leakedChunk, lostResume, lostStarvedRearm
    case repliesAfterDisconnectLost, reorderedAsyncReplies, ignoredReadPause, leakedHostPlace
}

public protocol RingIO: ~Copyable {
    /// The time at which the last wait ended.
    var now: Instant { get }

    /// Accept until told otherwise (multishot); each completion's result is a descriptor.
    mutating func accept(on listener: Descriptor, token: Token)
    /// Receive into leased buffers until told otherwise (multishot).
    mutating func receive(from socket: Descriptor, token: Token)
    /// `bytes` stay where they are until the completion arrives.
    mutating func send(_ bytes: UnsafeRawBufferPointer, to socket: Descriptor, token: Token)
    mutating func shutdownWrite(_ socket: Descriptor, token: Token)
    mutating func close(_ descriptor: Descriptor, token: Token)
    /// Ask the kernel to end `target`; its own last completion says how it ended.
    mutating func cancel(_ target: Token, token: Token)
    /// Complete when another thread has written to `eventDescriptor`.
    mutating func awaitWake(_ eventDescriptor: Descriptor, token: Token)
    /// Post a completion named `delivered` into the ring whose descriptor is `target`.
    mutating func ringDoorbell(of target: Descriptor, delivering delivered: Token, token: Token)

    /// The only system call of a turn: submit what was prepared, wait for one completion or the deadline.
    mutating func submitAndWait(until deadline: Instant)
    /// The next completion, oldest first; nil when all have been taken.
    mutating func next() -> Completion?
    /// Lend the buffer to the kernel again.
    mutating func recycle(_ lease: Lease)

    /// Close a descriptor at once, outside the ring (one that never became a connection).
    func closeNow(_ descriptor: Descriptor)
    /// The host at the other end of a socket, at once; nil over UNIX, and when the peer is gone.
    func host(of socket: Descriptor) -> HostAddress?
    func plants(_ fault: PlantedFault) -> Bool
}

extension RingIO where Self: ~Copyable {
    @inlinable
    public func plants(_ fault: PlantedFault) -> Bool { false }
}
