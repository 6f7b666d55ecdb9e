// Why a handshake was refused. The peer is told nothing: its connection is closed, and this is counted.

public enum HandshakeRefusal: Error, Equatable, BitwiseCopyable, Sendable, CaseIterable {
    /// The payload is longer than any handshake message of a known version.
    case oversizeMessage
    /// The payload is no message.
    case malformedMessage
    /// A message that does not belong here and now; also every message after the handshake's end.
    case unexpectedMessage
    /// The client's clock is more than 30 s behind, or its message is old.
    case staleTimestamp
    /// The client's clock is more than 2 s ahead.
    case futureTimestamp
    /// The client's nonce was seen before.
    case replayed
    /// No room to remember this handshake.
    case replayTableFull
    /// The peer's address has had its share of the handshakes.
    case addressShare
    /// The peer did not hash our nonce.
    case wrongVerification
    /// The peer's public key is of low order.
    case weakPublicKey
    /// The peer speaks plain version 1, and a pre-shared key or a pin is configured.
    case plainV1
    /// The peer sent an extension, and it did not arrive.
    case strippedExtension
    case malformedExtension
    /// The peer has no pre-shared key, and we have.
    case missingPresharedKey
    /// The peer has no identity, and we have pins.
    case missingIdentity
    /// The peer's identity is none of our pins.
    case unknownIdentity
    /// The peer's transcript or pre-shared key is not ours.
    case wrongProof
    /// The peer does not hold the private key of the identity it shows.
    case wrongSignature

    /// The name in metrics and logs.
    public var label: String {
        switch self {
        case .oversizeMessage: "oversize_message"
        case .malformedMessage: "malformed_message"
        case .unexpectedMessage: "unexpected_message"
        case .staleTimestamp: "stale_timestamp"
        case .futureTimestamp: "future_timestamp"
        case .replayed: "replayed"
        case .replayTableFull: "replay_table_full"
        case .addressShare: "address_share"
        case .wrongVerification: "wrong_verification"
        case .weakPublicKey: "weak_public_key"
        case .plainV1: "plain_v1"
        case .strippedExtension: "stripped_extension"
        case .malformedExtension: "malformed_extension"
        case .missingPresharedKey: "missing_preshared_key"
        case .missingIdentity: "missing_identity"
        case .unknownIdentity: "unknown_identity"
        case .wrongProof: "wrong_proof"
        case .wrongSignature: "wrong_signature"
        }
    }
}

extension HandshakeRefusal: CustomStringConvertible {
    public var description: String {
        switch self {
        case .oversizeMessage: "the message is longer than a handshake's can be: does the peer speak NPRO?"
        case .malformedMessage: "the payload is no handshake message: does the peer run without security?"
        case .unexpectedMessage: "a message came out of order: does the peer run without security?"
        case .staleTimestamp: "the client's clock is more than 30 s behind: set it"
        case .futureTimestamp: "the client's clock is more than 2 s ahead: set it"
        case .replayed: "the client's nonce was used before: somebody repeats its message, or its generator is broken"
        case .replayTableFull: "more handshakes than the limit allows for: raise the handshake rate"
        case .addressShare: "one address asks for more handshakes than its share: is it under attack, or a proxy?"
        case .wrongVerification: "the peer did not hash our nonce: it is broken, or somebody sits between"
        case .weakPublicKey: "the peer's public key is of low order: it is broken, or means to share its keys"
        case .plainV1: "the peer proves nothing: give it the pre-shared key or an identity, or set allow_v1"
        case .strippedExtension: "the peer's extension was taken away on the way: somebody sits between"
        case .malformedExtension: "the handshake's extension cannot be read: does the peer run a broken version?"
        case .missingPresharedKey: "the peer has no pre-shared key: give it ours"
        case .missingIdentity: "the peer shows no identity: give it one and pin it here"
        case .unknownIdentity: "the peer's identity is not pinned here: pin it, or find out who that is"
        case .wrongProof: "the peer's pre-shared key is another one, or somebody sits between"
        case .wrongSignature: "the peer does not hold the private key of its identity: refuse it"
        }
    }
}
