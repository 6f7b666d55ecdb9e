// What a peer did wrong inside a payload. The packet around it was sound, so the stream could go on; policy closes it.

/// A field that carries its own length.
public enum MessageField: String, BitwiseCopyable, Sendable {
    /// Echo.
    case text
    /// Custom.
    case command
    /// Custom's payload.
    case content
}

/// A payload that is not a message (NPRO §1.2).
public enum MessageViolation: Error, Equatable, BitwiseCopyable, Sendable {
    /// The payload ends within a part of fixed size: it holds `found` bytes where at least `needed` belong. The kind is
    /// nil when even the discriminant is cut.
    case truncated(kind: MessageKind?, needed: Int, found: Int)
    /// The field announces `byteCount` bytes and only `remaining` follow. Nothing was allocated for it.
    case lengthOverflow(MessageField, byteCount: UInt64, remaining: Int)
    /// The field is not UTF-8; the first ill-formed sequence starts at this byte of the field.
    case invalidUTF8(MessageField, offset: Int)
}

extension MessageViolation: CustomStringConvertible {
    public var description: String {
        switch self {
        case .truncated(let kind, let needed, let found):
            "\(kind?.description ?? "the message") takes at least \(needed) bytes and the payload has \(found): "
                + "send the whole message in one packet"
        case .lengthOverflow(let field, let byteCount, let remaining):
            "the \(field.rawValue) announces \(byteCount) bytes and \(remaining) follow in the packet: "
                + "lengths are u64, little-endian"
        case .invalidUTF8(let field, let offset):
            "the \(field.rawValue) is not UTF-8 at its byte \(offset): send other bytes as a Custom message's payload"
        }
    }
}
