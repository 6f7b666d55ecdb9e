// What a sealed payload can be refused for. Each one ends the connection: what follows cannot be trusted.

public enum SealedViolation: Error, Equatable, BitwiseCopyable, Sendable, CaseIterable {
    /// Too short to hold a nonce and a tag.
    case truncated
    /// Our own nonce came back.
    case reflected
    /// The nonce, or a later one of the same prefix, was received before.
    case replayed
    /// A session with one sequence of nonces has another one: a packet is missing, or is not the session's.
    case outOfSequence
    /// Not sealed with this session's key, or altered since.
    case authenticationFailed

    /// The name in metrics and logs.
    public var label: String {
        switch self {
        case .truncated: "sealed_truncated"
        case .reflected: "sealed_reflected"
        case .replayed: "sealed_replayed"
        case .outOfSequence: "sealed_out_of_sequence"
        case .authenticationFailed: "sealed_authentication_failed"
        }
    }
}

extension SealedViolation: CustomStringConvertible {
    public var description: String {
        switch self {
        case .truncated: "a sealed payload has at least 40 bytes, nonce and tag: after the handshake seal every packet"
        case .reflected: "a sealed packet of ours came back: somebody between the peers sends packets of his own"
        case .replayed: "a sealed packet came twice: somebody between the peers repeats packets"
        case .outOfSequence: "a sealed packet is missing, or another session's: somebody between the peers drops some"
        case .authenticationFailed: "a sealed packet was altered, or sealed with another key: end the connection"
        }
    }
}
