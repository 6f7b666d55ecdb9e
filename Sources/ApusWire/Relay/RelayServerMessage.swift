// What a relay says, as a client reads it: for our own clients (relay.md §1.3).

/// One message of a relay to a client that is a peer already, or what is wrong with it.
public enum RelayServerMessage: Equatable, Sendable {
    /// A datagram from another peer. The payload is where it lies in the message, and may be empty.
    case transport(source: PeerID, payload: Range<Int>)
    case close
    /// To be answered at once with the same.
    case healthCheck
    case peersOnline(PeerIDList)
    case peersWentOffline(PeerIDList)
    /// Without effect.
    case ignored(RelayFault)
    /// Without effect, unless it is empty: then the connection has ended.
    case violation(RelayViolation)

    /// Read a whole message, of any length.
    @inlinable
    public init(decoding message: RawSpan) {
        guard message.byteCount >= RelayFormat.transportHeaderByteCount, message.byte(at: 0) == RelayFormat.version,
            message.byte(at: 1) == RelayMessageType.transport.rawValue
        else {
            self = RelayServerMessage.other(message)
            return
        }
        // In order, since the message is at least as long as the header.
        let payload = unsafe Range(uncheckedBounds: (RelayFormat.transportHeaderByteCount, message.byteCount))
        self = .transport(source: PeerID(message, at: RelayFormat.headerByteCount), payload: payload)
    }

    /// All but a datagram.
    @inline(never)
    @usableFromInline
    static func other(_ message: RawSpan) -> RelayServerMessage {
        let type: RelayMessageType
        do throws(RelayViolation) {
            type = try RelayHeader(message) { $0.isFromServer }.type
        } catch {
            return .violation(error)
        }
        switch type {
        case .transport: return .ignored(.transportTooShort(byteCount: message.byteCount))
        case .close: return .close
        case .healthCheck: return .healthCheck
        case .peersOnline: return list(type, message) { .peersOnline($0) }
        case .peersWentOffline: return list(type, message) { .peersWentOffline($0) }
        case .hello, .helloResponse, .auth, .authResponse, .subscribePeerState, .unsubscribePeerState:
            return .ignored(.outOfPlace(type))
        }
    }

    private static func list(
        _ type: RelayMessageType, _ message: RawSpan, _ made: (PeerIDList) -> RelayServerMessage
    ) -> RelayServerMessage {
        guard let list = PeerIDList(in: message) else {
            return .ignored(.listLength(type, byteCount: message.byteCount))
        }
        return made(list)
    }
}

/// The first message of a relay (relay.md §1.3.2): where in it the URL lies by which the relay is known.
public struct RelayAuthResponse: Equatable, Sendable {
    /// Bytes that ought to be UTF-8; at least one.
    public let url: Range<Int>

    public enum Violation: Error, Equatable, Sendable {
        case header(RelayViolation)
        /// No URL follows.
        case empty
        /// The message is longer than clients read.
        case oversize(byteCount: Int)
    }

    /// Read a whole message.
    public init(decoding message: RawSpan) throws(Violation) {
        do throws(RelayViolation) {
            _ = try RelayHeader(message) { $0 == .authResponse }
        } catch {
            throw .header(error)
        }
        guard message.byteCount > RelayFormat.headerByteCount else { throw .empty }
        guard message.byteCount <= RelayFormat.authResponseByteCountMax else {
            throw .oversize(byteCount: message.byteCount)
        }
        url = RelayFormat.headerByteCount..<message.byteCount
    }
}
