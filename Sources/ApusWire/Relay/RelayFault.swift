// What is wrong with a message that is ignored (relay.md §1.3.8).

/// Counted; the connection goes on.
public enum RelayFault: Equatable, BitwiseCopyable, Sendable {
    /// It belongs to the handshake, which is over.
    case outOfPlace(RelayMessageType)
    /// A Transport that ends before its datagram begins; the whole message has so many bytes.
    case transportTooShort(byteCount: Int)
    /// A list whose bytes are no whole number of ids; the whole message has so many bytes.
    case listLength(RelayMessageType, byteCount: Int)
}

extension RelayFault: CustomStringConvertible {
    public var description: String {
        switch self {
        case .outOfPlace(let type): "\(type) belongs to the handshake, which is over"
        case .transportTooShort(let byteCount):
            "a Transport of \(byteCount) bytes ends before its datagram: it has at least "
                + "\(RelayFormat.transportHeaderByteCount)"
        case .listLength(let type, let byteCount):
            "\(type) of \(byteCount) bytes holds no whole number of ids: each has \(PeerID.byteCount) bytes"
        }
    }
}
