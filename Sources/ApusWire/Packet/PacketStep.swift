// What one look at the stream tells. Offsets only: the bytes stay with the caller.

/// The answer of `PacketDecoder.step`.
public enum PacketStep: Equatable, Sendable {
    /// A whole packet; its payload lies here in the bytes that were passed. The next one starts at the upper bound.
    case packet(payload: Range<Int>)
    /// Nothing wrong so far. Counted from the packet's first byte, the next attempt needs at least this many bytes:
    /// 9 while the header is cut, then 9 + length. Below that, asking again gives the same answer or a violation.
    case incomplete(byteCountNeeded: Int)
    /// The peer broke the format; the stream cannot be read any further.
    case violation(PacketViolation)
}
