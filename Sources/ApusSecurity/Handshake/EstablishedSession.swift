// What a handshake ends with.

@frozen
public struct EstablishedSession: ~Copyable {
    public var channel: SealedChannel
    /// The Ed25519 public key whose private key the peer has, 32 bytes; nil if it showed none.
    public let peerIdentity: [UInt8]?
    /// Whether the peer holds our pre-shared key or the private key of a pinned identity: all that was configured. An
    /// identity that nobody pinned is no authentication: anyone can make one.
    public let isAuthenticated: Bool
    /// The algorithm that both sides chose; nil: payloads go as they are, without the byte that tells.
    public let compression: UInt8?
    /// Plain version 1: one key for both directions, nobody authenticated.
    public let isV1: Bool
    /// The client: the payload to send before anything sealed. The server: empty.
    public let confirm: [UInt8]

    package init(
        channel: consuming SealedChannel, peerIdentity: [UInt8]?, isAuthenticated: Bool, compression: UInt8?,
        isV1: Bool, confirm: [UInt8] = []
    ) {
        self.channel = channel
        self.peerIdentity = peerIdentity
        self.isAuthenticated = isAuthenticated
        self.compression = compression
        self.isV1 = isV1
        self.confirm = confirm
    }
}

/// What the server does after a message.
@frozen
public enum HandshakeStep: ~Copyable {
    /// Send this payload in a packet.
    case reply([UInt8])
    case established(EstablishedSession)
}
