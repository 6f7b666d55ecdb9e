// Which message it is, and how the wire numbers it.

/// The nine variants; the raw value is the discriminant, a u32 in little-endian order (NPRO §1.3).
public enum MessageKind: UInt32, CaseIterable, BitwiseCopyable, Sendable {
    case ping = 0
    case pong
    case handshakeInit
    case handshakeResponse
    case handshakeConfirm
    case echo
    case disconnect
    case custom
    case unknown

    /// Every discriminant has a kind: those that nobody has defined (9 and above) are `unknown`, as 8 is (NPRO §1.3).
    @inlinable
    public init(discriminant: UInt32) {
        self = MessageKind(rawValue: discriminant) ?? .unknown
    }
}

extension MessageKind: CustomStringConvertible {
    public var description: String {
        switch self {
        case .ping: "Ping"
        case .pong: "Pong"
        case .handshakeInit: "SecureHandshakeInit"
        case .handshakeResponse: "SecureHandshakeResponse"
        case .handshakeConfirm: "SecureHandshakeConfirm"
        case .echo: "Echo"
        case .disconnect: "Disconnect"
        case .custom: "Custom"
        case .unknown: "Unknown"
        }
    }
}
