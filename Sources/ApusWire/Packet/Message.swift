// A message that owns its fields, for clients, asynchronous handlers and tests. Shards use `MessageView`.

/// The nine messages of NPRO §1.3.
///
/// A fixed-size field of the wrong size is a programmer's error; the encoder stops on it.
public enum Message: Equatable, Sendable {
    case ping
    case pong
    /// 32 bytes, milliseconds since 1970, 16 bytes.
    case handshakeInit(publicKey: [UInt8], timestampMilliseconds: UInt64, nonce: [UInt8])
    /// 32, 16 and 32 bytes.
    case handshakeResponse(publicKey: [UInt8], nonce: [UInt8], verification: [UInt8])
    /// 32 bytes.
    case handshakeConfirm(verification: [UInt8])
    case echo(String)
    case disconnect
    case custom(command: String, payload: [UInt8])
    /// A message that this side does not know. Its number is kept for logs; what is sent is always 8 (NPRO §1.3).
    case unknown(discriminant: UInt32)

    public var kind: MessageKind {
        switch self {
        case .ping: .ping
        case .pong: .pong
        case .handshakeInit: .handshakeInit
        case .handshakeResponse: .handshakeResponse
        case .handshakeConfirm: .handshakeConfirm
        case .echo: .echo
        case .disconnect: .disconnect
        case .custom: .custom
        case .unknown: .unknown
        }
    }

    /// Decode an owned message; bytes after it are ignored (NPRO §1.2).
    public init(decoding payload: RawSpan) throws(MessageViolation) {
        switch MessageDecoder.step(payload) {
        case .violation(let violation): throw violation
        case .message(let layout): self = MessageView(payload: payload, layout: layout).copyMessage()
        }
    }
}
