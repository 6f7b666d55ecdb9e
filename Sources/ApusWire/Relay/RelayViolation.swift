// What is so wrong with a message that a relay ends the connection (relay.md §1.3.8).

/// A relay closes the connection; a client ignores the message, unless it is empty.
public enum RelayViolation: Error, Equatable, BitwiseCopyable, Sendable {
    case empty
    /// One byte.
    case tooShort
    /// The first byte.
    case version(UInt8)
    /// The second byte: of no type, or of one that this side never receives.
    case type(UInt8)

    /// The name in metrics and logs.
    public var label: String {
        switch self {
        case .empty: "empty"
        case .tooShort: "too_short"
        case .version: "bad_version"
        case .type: "bad_type"
        }
    }
}

extension RelayViolation: CustomStringConvertible {
    public var description: String {
        switch self {
        case .empty: "the message is empty"
        case .tooShort: "the message is one byte: does the peer speak the relay protocol?"
        case .version(let version): "version \(version) is not spoken here: does the peer speak the relay protocol?"
        case .type(let type): "a message of type \(type) is not for this side"
        }
    }
}
