// Reads a payload as a message and says where the fields are. It copies nothing and allocates nothing, whatever lengths
// the payload announces.

/// bincode's layout, fixed width, trailing bytes allowed (NPRO §1.2).
public enum MessageDecoder {
    /// Check the whole message, its UTF-8 too, so that whoever holds the layout can trust it.
    ///
    /// Echo's way is seen through by the caller; the other kinds are calls.
    @inlinable
    @inline(__always)
    public static func step(_ payload: RawSpan) -> MessageStep {
        guard payload.byteCount >= MessageFormat.discriminantByteCount else {
            return .violation(truncated(nil, needed: MessageFormat.discriminantByteCount, in: payload))
        }
        let discriminant = payload.littleEndian32(at: 0)
        guard discriminant == MessageKind.echo.rawValue else { return stepOther(payload, discriminant: discriminant) }
        return stepEcho(payload)
    }

    @inlinable
    @inline(__always)
    static func stepEcho(_ payload: RawSpan) -> MessageStep {
        switch string(.text, of: .echo, at: MessageFormat.discriminantByteCount, in: payload) {
        case .violation(let violation):
            return .violation(violation)
        case .field(let text):
            let end = text.upperBound
            return layout(.echo, first: text, second: end..<end, byteCount: end)
        }
    }

    @inline(never)
    @usableFromInline
    static func stepOther(_ payload: RawSpan, discriminant: UInt32) -> MessageStep {
        let kind = MessageKind(discriminant: discriminant)
        switch kind {
        case .ping, .pong, .disconnect, .unknown: return stepBare(kind, discriminant: discriminant)
        case .handshakeInit: return stepHandshakeInit(payload)
        case .handshakeResponse: return stepHandshakeResponse(payload)
        case .handshakeConfirm: return stepHandshakeConfirm(payload)
        case .echo: return stepEcho(payload)
        case .custom: return stepCustom(payload)
        }
    }

    static func stepBare(_ kind: MessageKind, discriminant: UInt32) -> MessageStep {
        let end = MessageFormat.discriminantByteCount
        return .message(
            MessageLayout(kind, discriminant: discriminant, first: end..<end, second: end..<end, byteCount: end))
    }

    static func stepCustom(_ payload: RawSpan) -> MessageStep {
        switch string(.command, of: .custom, at: MessageFormat.discriminantByteCount, in: payload) {
        case .violation(let violation):
            return .violation(violation)
        case .field(let command):
            return stepCustomContent(payload, after: command)
        }
    }

    static func stepCustomContent(_ payload: RawSpan, after command: Range<Int>) -> MessageStep {
        switch run(.content, of: .custom, at: command.upperBound, in: payload) {
        case .violation(let violation):
            return .violation(violation)
        case .field(let content):
            return layout(.custom, first: command, second: content, byteCount: content.upperBound)
        }
    }

    /// The timestamp lies between the two (NPRO §1.3).
    static func stepHandshakeInit(_ payload: RawSpan) -> MessageStep {
        let key = field(MessageFormat.publicKeyByteCount, at: MessageFormat.discriminantByteCount)
        let timestamp = field(MessageFormat.timestampByteCount, at: key.upperBound)
        let nonce = field(MessageFormat.nonceByteCount, at: timestamp.upperBound)
        return stepFixed(.handshakeInit, payload, first: key, second: nonce, byteCount: nonce.upperBound)
    }

    static func stepHandshakeResponse(_ payload: RawSpan) -> MessageStep {
        let key = field(MessageFormat.publicKeyByteCount, at: MessageFormat.discriminantByteCount)
        let nonce = field(MessageFormat.nonceByteCount, at: key.upperBound)
        let verification = field(MessageFormat.verificationByteCount, at: nonce.upperBound)
        return stepFixed(.handshakeResponse, payload, first: key, second: nonce, byteCount: verification.upperBound)
    }

    static func stepHandshakeConfirm(_ payload: RawSpan) -> MessageStep {
        let verification = field(MessageFormat.verificationByteCount, at: MessageFormat.discriminantByteCount)
        let end = verification.upperBound
        return stepFixed(.handshakeConfirm, payload, first: verification, second: end..<end, byteCount: end)
    }

    static func stepFixed(
        _ kind: MessageKind, _ payload: RawSpan, first: Range<Int>, second: Range<Int>, byteCount: Int
    ) -> MessageStep {
        guard payload.byteCount >= byteCount else {
            return .violation(truncated(kind, needed: byteCount, in: payload))
        }
        return layout(kind, first: first, second: second, byteCount: byteCount)
    }

    // MARK: Fields

    /// Where a field lies, or what is wrong with it.
    @usableFromInline
    enum FieldStep {
        case field(Range<Int>)
        case violation(MessageViolation)
    }

    /// A length-prefixed run that must be UTF-8.
    @inlinable
    @inline(__always)
    static func string(_ name: MessageField, of kind: MessageKind, at offset: Int, in payload: RawSpan) -> FieldStep {
        let step = run(name, of: kind, at: offset, in: payload)
        guard case .field(let range) = step else { return step }
        guard let invalid = UTF8Validation.firstInvalidOffset(in: payload.extracting(range)) else { return step }
        return .violation(.invalidUTF8(name, offset: invalid))
    }

    /// A length, u64, and that many bytes. It is compared before it becomes an Int: 2^64-1 is an answer, not a trap.
    @inlinable
    @inline(__always)
    static func run(_ name: MessageField, of kind: MessageKind, at offset: Int, in payload: RawSpan) -> FieldStep {
        let start = offset + MessageFormat.lengthByteCount
        guard payload.byteCount >= start else { return .violation(truncated(kind, needed: start, in: payload)) }
        let byteCount = payload.littleEndian64(at: offset)
        let remaining = payload.byteCount - start
        guard byteCount <= UInt64(remaining) else {
            return .violation(.lengthOverflow(name, byteCount: byteCount, remaining: remaining))
        }
        return .field(start..<start + Int(byteCount))
    }

    static func field(_ byteCount: Int, at offset: Int) -> Range<Int> {
        offset..<offset + byteCount
    }

    @inlinable
    static func layout(_ kind: MessageKind, first: Range<Int>, second: Range<Int>, byteCount: Int) -> MessageStep {
        .message(
            MessageLayout(kind, discriminant: kind.rawValue, first: first, second: second, byteCount: byteCount))
    }

    @inlinable
    static func truncated(_ kind: MessageKind?, needed: Int, in payload: RawSpan) -> MessageViolation {
        .truncated(kind: kind, needed: needed, found: payload.byteCount)
    }
}
