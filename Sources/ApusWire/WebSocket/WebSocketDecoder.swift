// Finds frames in bytes that have arrived (RFC 6455 §5.2). It holds a limit and no bytes; it must never know in which
// order frames may come, nor of the handshake before them.

/// Strict and early: what is wrong with a header is told as soon as the byte is there that shows it, and before any of
/// the payload is buffered.
public struct WebSocketDecoder: BitwiseCopyable, Sendable {
    public let role: WebSocketRole
    /// The largest payload of one frame that is accepted, inclusive; control frames count too, so below 125 it refuses
    /// some that RFC 6455 allows.
    public let payloadByteCountMax: Int

    /// - Parameters:
    ///   - role: who reads: a server refuses frames that are not masked, a client those that are.
    ///   - payloadByteCountMax: bytes of one frame, inclusive.
    @inlinable
    public init(role: WebSocketRole, payloadByteCountMax: Int) {
        precondition(payloadByteCountMax >= 0, "a limit is not negative")
        self.role = role
        self.payloadByteCountMax = payloadByteCountMax
    }

    /// Examine the frame that starts at `offset` (0 … `bytes.byteCount`).
    @inlinable
    public func step(_ bytes: RawSpan, at offset: Int) -> WebSocketStep {
        precondition(0...bytes.byteCount ~= offset, "a frame starts within the bytes")
        let available = bytes.byteCount &- offset  // not negative, as checked
        guard available >= 2 else { return stepCut(bytes, at: offset) }
        let (first, second) = (bytes.byte(at: offset), bytes.byte(at: offset &+ 1))
        guard first & WebSocketFormat.reservedBits == 0, let opcode = WebSocketOpcode(rawValue: first & 0x0F),
            second & WebSocketFormat.maskBit == expectedMaskBit
        else { return .violation(violation(first, second)) }
        if opcode.isControl, first & WebSocketFormat.finalBit == 0 || second & 0x7F > 125 {
            return .violation(violation(first, second))
        }
        return stepLength(bytes, at: offset, isFinal: first & WebSocketFormat.finalBit != 0, opcode)
    }

    /// The mask bit that this side's frames carry.
    @inlinable var expectedMaskBit: UInt8 { role == .server ? WebSocketFormat.maskBit : 0 }

    /// The first two bytes are right; `bytes` has them.
    @inlinable
    @inline(__always)
    func stepLength(_ bytes: RawSpan, at offset: Int, isFinal: Bool, _ opcode: WebSocketOpcode) -> WebSocketStep {
        let available = bytes.byteCount &- offset
        let announced = Int(bytes.byte(at: offset &+ 1) & 0x7F)
        let lengthEnd = announced < 126 ? 2 : announced == WebSocketFormat.lengthIsTwoBytes ? 4 : 10
        let headerByteCount = role == .server ? lengthEnd + WebSocketFormat.maskingKeyByteCount : lengthEnd
        guard available >= lengthEnd else { return .incomplete(byteCountNeeded: headerByteCount) }

        var length = announced
        if announced == WebSocketFormat.lengthIsTwoBytes {
            length = Int(bytes.bigEndian16(at: offset &+ 2))
            guard length > 125 else { return .violation(.lengthNotShortest) }
        } else if announced == WebSocketFormat.lengthIsEightBytes {
            let wide = bytes.bigEndian64(at: offset &+ 2)
            guard wide > 0xFFFF else { return .violation(.lengthNotShortest) }
            guard wide >> 63 == 0 else { return .violation(.lengthTopBit) }
            length = Int(wide)
        }
        guard length <= payloadByteCountMax else {
            return .violation(.frameTooLarge(byteCount: length, limit: payloadByteCountMax))
        }
        // The limit is an Int, so the sum may pass its top: then it is more than any buffer has.
        let (byteCount, isOver) = headerByteCount.addingReportingOverflow(length)
        guard !isOver, available >= byteCount else {
            return .incomplete(byteCountNeeded: isOver ? Int.max : byteCount)
        }
        let key = role == .server ? bytes.littleEndian32(at: offset &+ lengthEnd) : 0
        // All of it is there, so neither sum passes `bytes.byteCount`, and they are in order.
        let payload = unsafe Range(uncheckedBounds: (offset &+ headerByteCount, offset &+ byteCount))
        return .frame(WebSocketFrame(isFinal: isFinal, opcode: opcode, maskingKey: key, payload: payload))
    }

    /// One byte, or none.
    @inline(never)
    @usableFromInline
    func stepCut(_ bytes: RawSpan, at offset: Int) -> WebSocketStep {
        guard offset < bytes.byteCount, let violation = violation(bytes.byte(at: offset)) else {
            return .incomplete(byteCountNeeded: role == .server ? 6 : 2)
        }
        return .violation(violation)
    }

    /// What is wrong with a first byte by itself.
    func violation(_ first: UInt8) -> WebSocketViolation? {
        let reserved = first & WebSocketFormat.reservedBits
        if reserved != 0 { return .reservedBits(reserved >> 4) }
        guard let opcode = WebSocketOpcode(rawValue: first & 0x0F) else { return .opcode(first & 0x0F) }
        return opcode.isControl && first & WebSocketFormat.finalBit == 0 ? .controlFragmented(opcode) : nil
    }

    /// What is wrong with two bytes of which something is.
    @inline(never)
    @usableFromInline
    func violation(_ first: UInt8, _ second: UInt8) -> WebSocketViolation {
        if let violation = violation(first) { return violation }
        guard second & WebSocketFormat.maskBit == expectedMaskBit else {
            return role == .server ? .notMasked : .masked
        }
        return .controlTooLong
    }
}

/// The answer of `WebSocketDecoder.step`.
public enum WebSocketStep: Equatable, Sendable {
    /// Nothing wrong so far. Counted from the offset, the next attempt needs at least so many bytes; below that, asking
    /// again gives the same answer, a larger number or a violation.
    case incomplete(byteCountNeeded: Int)
    /// The peer broke the format; the stream cannot be read any further.
    case violation(WebSocketViolation)
    /// A whole frame. The next one starts at its `end`.
    case frame(WebSocketFrame)
}
