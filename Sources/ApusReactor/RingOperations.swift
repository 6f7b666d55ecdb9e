// What a ring may be asked for once it is enabled. The kernel refuses the rest (IORING_REGISTER_RESTRICTIONS): whoever
// gets bytes into a submission queue can then ask for no more than the loop itself asks for. It prepares no operation.

import CURing

/// Operations, each of which is one opcode of io_uring. Among the flags of a submission only the choice of a provided
/// buffer is ever allowed, and no call of `io_uring_register`: buffers are registered before, and nothing after.
public struct RingOperations: OptionSet, Sendable {
    public let rawValue: UInt16

    public init(rawValue: UInt16) { self.rawValue = rawValue }

    public static let accept = RingOperations(rawValue: 1 << 0)
    public static let receive = RingOperations(rawValue: 1 << 1)
    public static let send = RingOperations(rawValue: 1 << 2)
    public static let connect = RingOperations(rawValue: 1 << 3)
    public static let shutdown = RingOperations(rawValue: 1 << 4)
    public static let close = RingOperations(rawValue: 1 << 5)
    public static let cancel = RingOperations(rawValue: 1 << 6)
    /// Reading the eventfd that other threads write to.
    public static let wake = RingOperations(rawValue: 1 << 7)
    /// Ringing the doorbell of another ring.
    public static let doorbell = RingOperations(rawValue: 1 << 8)

    private static let established: RingOperations = [.receive, .send, .shutdown, .close, .cancel, .wake]

    /// A server's shard. A listener that a reload adds is accepted on with the same operation as the others; it never
    /// connects to anybody.
    public static let serving: RingOperations = established.union([.accept, .doorbell])
    /// A client's loop, and a load generator's: they accept nobody, and wake no ring.
    public static let connecting: RingOperations = established.union(.connect)
    /// Everything that `Ring` can prepare.
    public static let all: RingOperations = serving.union(connecting)

    /// The opcode of each operation, with its name.
    private static let opcodes: [(operation: RingOperations, opcode: UInt8, name: String)] = [
        (.accept, UInt8(IORING_OP_ACCEPT.rawValue), "accept"), (.receive, UInt8(IORING_OP_RECV.rawValue), "receive"),
        (.send, UInt8(IORING_OP_SEND.rawValue), "send"), (.connect, UInt8(IORING_OP_CONNECT.rawValue), "connect"),
        (.shutdown, UInt8(IORING_OP_SHUTDOWN.rawValue), "shutdown"),
        (.close, UInt8(IORING_OP_CLOSE.rawValue), "close"),
        (.cancel, UInt8(IORING_OP_ASYNC_CANCEL.rawValue), "cancel"), (.wake, UInt8(IORING_OP_READ.rawValue), "read"),
        (.doorbell, UInt8(IORING_OP_MSG_RING.rawValue), "msg_ring"),
    ]

    /// The opcodes in it, with their names.
    var named: [(opcode: UInt8, name: String)] {
        RingOperations.opcodes.filter { contains($0.operation) }.map { ($0.opcode, $0.name) }
    }

    /// Confine a ring that is not enabled yet. Linux has this since 5.10, so on a kernel that Apus runs on only a
    /// filter of system calls can refuse it; a server that believes itself confined and is not is worse than none.
    func restrict(_ uring: UnsafeMutablePointer<io_uring>) throws(RingUnavailable) {
        let opcodes = named.map(\.opcode)
        let restricted = unsafe curing_restrict(uring, opcodes, UInt32(opcodes.count), curing_buffer_select)
        guard restricted == 0 else { throw .unrestricted(errno: -restricted) }
    }
}
