// The name of one operation in flight. It must never hold a pointer: a stale token is a failed comparison, not a
// use-after-free.

/// What was asked of the kernel; the top eight bits of a token.
public enum Operation: UInt8, CaseIterable, Sendable {
    case accept = 1
    case receive
    case send
    case connect
    case shutdown
    case close
    case cancel
    /// The eventfd that threads without a ring write to.
    case wake
    /// A completion that another ring posted into this one (IORING_OP_MSG_RING).
    case doorbell
    /// The sender's side of a doorbell.
    case ring
}

/// The kernel's `user_data`, a value:
///
///      63      56 55                 32 31                              0
///     +----------+---------------------+--------------------------------+
///     | operation|     generation      |              slot              |
///     +----------+---------------------+--------------------------------+
///
/// A slot's generation changes when it is freed, so a completion for an earlier tenant does not match.
public struct Token: Equatable, BitwiseCopyable, Sendable {
    @inlinable public static var generationMask: UInt32 { 0x00FF_FFFF }

    public let bits: UInt64

    @inlinable
    public init(bits: UInt64) { self.bits = bits }

    @inlinable
    public init(_ operation: Operation, slot: UInt32, generation: UInt32 = 0) {
        bits = UInt64(operation.rawValue) << 56 | UInt64(generation & Token.generationMask) << 32 | UInt64(slot)
    }

    /// Nil for bits that no `Token.init(_:slot:generation:)` of ours made.
    @inlinable
    public var operation: Operation? { Operation(rawValue: UInt8(truncatingIfNeeded: bits >> 56)) }

    @inlinable
    public var generation: UInt32 { UInt32(truncatingIfNeeded: bits >> 32) & Token.generationMask }

    @inlinable
    public var slot: UInt32 { UInt32(truncatingIfNeeded: bits) }
}
