// Which message it is, and who may send it (relay.md §1.2).

/// The raw value is the message's second byte.
public enum RelayMessageType: UInt8, CaseIterable, BitwiseCopyable, Sendable {
    /// The handshake of NetBird 0.29.0, which nobody accepts any more.
    case hello = 1
    case helloResponse
    case transport
    case close
    case healthCheck
    case auth
    case authResponse
    case subscribePeerState
    case unsubscribePeerState
    case peersOnline
    case peersWentOffline

    /// A relay closes the connection of a client that sends anything else. Hello is among them although no handshake
    /// begins with it: sent later it is ignored, as a second Auth is.
    public var isFromClient: Bool {
        switch self {
        case .hello, .transport, .close, .healthCheck, .auth, .subscribePeerState, .unsubscribePeerState: true
        case .helloResponse, .authResponse, .peersOnline, .peersWentOffline: false
        }
    }

    /// A client ignores everything else.
    public var isFromServer: Bool {
        switch self {
        case .helloResponse, .transport, .close, .healthCheck, .authResponse, .peersOnline, .peersWentOffline: true
        case .hello, .auth, .subscribePeerState, .unsubscribePeerState: false
        }
    }
}

extension RelayMessageType: CustomStringConvertible {
    public var description: String {
        switch self {
        case .hello: "Hello"
        case .helloResponse: "HelloResponse"
        case .transport: "Transport"
        case .close: "Close"
        case .healthCheck: "HealthCheck"
        case .auth: "Auth"
        case .authResponse: "AuthResponse"
        case .subscribePeerState: "SubscribePeerState"
        case .unsubscribePeerState: "UnsubscribePeerState"
        case .peersOnline: "PeersOnline"
        case .peersWentOffline: "PeersWentOffline"
        }
    }
}
