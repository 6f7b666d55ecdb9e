// What a client says once it is a peer, as the relay reads it (relay.md §1.3). It holds offsets and ids, no bytes, and
// must never know of connections.

/// One message of a client, or what is wrong with it.
public enum RelayClientMessage: Equatable, Sendable {
    /// A datagram for another peer. The payload is where it lies in the message, and may be empty.
    case transport(destination: PeerID, payload: Range<Int>)
    case close
    /// The answer to ours.
    case healthCheck
    case subscribe(PeerIDList)
    case unsubscribe(PeerIDList)
    /// Without effect, to be counted.
    case ignored(RelayFault)
    /// The connection is to be closed.
    case violation(RelayViolation)

    /// Read a whole message, of any length.
    @inlinable
    public init(decoding message: RawSpan) {
        guard message.byteCount >= RelayFormat.transportHeaderByteCount, message.byte(at: 0) == RelayFormat.version,
            message.byte(at: 1) == RelayMessageType.transport.rawValue
        else {
            self = RelayClientMessage.other(message)
            return
        }
        // In order, since the message is at least as long as the header.
        let payload = unsafe Range(uncheckedBounds: (RelayFormat.transportHeaderByteCount, message.byteCount))
        self = .transport(destination: PeerID(message, at: RelayFormat.headerByteCount), payload: payload)
    }

    /// All but a datagram.
    @inline(never)
    @usableFromInline
    static func other(_ message: RawSpan) -> RelayClientMessage {
        let type: RelayMessageType
        do throws(RelayViolation) {
            type = try RelayHeader(message) { $0.isFromClient }.type
        } catch {
            return .violation(error)
        }
        switch type {
        case .transport: return .ignored(.transportTooShort(byteCount: message.byteCount))
        case .close: return .close
        case .healthCheck: return .healthCheck
        case .subscribePeerState: return list(type, message) { .subscribe($0) }
        case .unsubscribePeerState: return list(type, message) { .unsubscribe($0) }
        case .hello, .helloResponse, .auth, .authResponse, .peersOnline, .peersWentOffline:
            return .ignored(.outOfPlace(type))
        }
    }

    private static func list(
        _ type: RelayMessageType, _ message: RawSpan, _ made: (PeerIDList) -> RelayClientMessage
    ) -> RelayClientMessage {
        guard let list = PeerIDList(in: message) else {
            return .ignored(.listLength(type, byteCount: message.byteCount))
        }
        return made(list)
    }
}

extension PeerIDList {
    /// Nil when the bytes behind the header are no whole number of ids.
    init?(in message: RawSpan) {
        let (count, rest) = (message.byteCount - RelayFormat.headerByteCount)
            .quotientAndRemainder(dividingBy: PeerID.byteCount)
        guard rest == 0 else { return nil }
        self.init(count: count)
    }
}
