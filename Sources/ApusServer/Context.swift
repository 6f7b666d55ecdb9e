// What a handler may know of the connection a request came on. It holds no bytes of the request.

import ApusReactor

/// Who is at the other end of a UNIX socket, as the kernel vouches for.
public struct PeerIdentity: Equatable, Sendable {
    public let processID: Int32
    public let userID: UInt32
    public let groupID: UInt32
}

/// The connection of a request, for a synchronous handler; valid while it runs.
public struct Context: BitwiseCopyable {
    private let descriptor: Descriptor
    private let listenerIndex: UInt8
    private let state: UnsafeMutablePointer<ShardState>
    /// Names this connection for a later push, also from other threads.
    public let token: ConnectionToken

    @inline(__always)
    init(
        _ connection: UnsafeMutablePointer<Connection>, slot: UInt32, in state: UnsafeMutablePointer<ShardState>
    ) {
        descriptor = connection.pointee.descriptor
        listenerIndex = connection.pointee.listener
        self.state = state
        token = ConnectionToken(shard: state.pointee.index, generation: connection.pointee.generation, slot: slot)
    }

    /// The shard this runs on; counts from 0.
    public var shard: Int { Int(token.shard) }

    /// The name of the listener that accepted the connection.
    public var listener: String { state.pointee.listenerNames[Int(listenerIndex)] }

    /// `HOST:PORT` of the peer, or `unix:` for a UNIX socket; nil when the peer is gone. One system call.
    public var peerAddress: String? { peerAddressText(of: descriptor) }

    /// The peer's process and user on a UNIX socket; nil on others. One system call.
    public var peerIdentity: PeerIdentity? { ApusServer.peerIdentity(of: descriptor) }

    /// Who the peer proved to be in the listener's handshake.
    public var peerProof: PeerProof {
        guard let connection = state.pointee.slab.connection(token.slot, generation: token.generation) else {
            return .none
        }
        return switch connection.pointee.protection {
        case .none, .handshake: .none
        case .sealed(let sealed): sealed.pointee.proof
        case .tls(let tls): tls.pointee.proof
        }
    }

    /// An owned copy for an asynchronous handler.
    func copyForAsync() -> AsyncContext {
        AsyncContext(
            token: token, listener: listener, peerAddress: peerAddress, peerIdentity: peerIdentity,
            peerProof: peerProof)
    }
}

/// The connection of a request, for an asynchronous handler: a copy, since the connection may end meanwhile.
public struct AsyncContext: Sendable {
    public let token: ConnectionToken
    public let listener: String
    public let peerAddress: String?
    public let peerIdentity: PeerIdentity?
    public let peerProof: PeerProof
}

private func peerAddressText(of descriptor: Descriptor) -> String? {
    ApusReactor.peerAddress(of: descriptor).map(\.description)
}

private func peerIdentity(of descriptor: Descriptor) -> PeerIdentity? {
    ApusReactor.peerCredentials(of: descriptor).map {
        PeerIdentity(processID: $0.pid, userID: $0.uid, groupID: $0.gid)
    }
}
