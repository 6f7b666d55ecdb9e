// Why a token is not believed (relay.md §2.2).

/// In the order in which a token is examined. Each is counted by itself.
public enum RelayTokenRefusal: Error, Equatable, BitwiseCopyable, Sendable, CaseIterable {
    case empty
    case unsupportedAlgorithm
    /// It ends within its signature, or its expiry has fewer than ten bytes.
    case tooShort
    /// Signed with another secret, or altered.
    case badSignature
    /// The signed bytes are no decimal number of 64 bits.
    case malformedExpiry
    case expired
    /// It expires later than the configuration lets a token.
    case lifetimeTooLong

    /// The name in metrics and logs.
    public var label: String {
        switch self {
        case .empty: "empty"
        case .unsupportedAlgorithm: "unsupported_algo"
        case .tooShort: "too_short"
        case .badSignature: "bad_signature"
        case .malformedExpiry: "malformed_expiry"
        case .expired: "expired"
        case .lifetimeTooLong: "lifetime_too_long"
        }
    }
}

extension RelayTokenRefusal: CustomStringConvertible {
    public var description: String {
        switch self {
        case .empty: "there is no token: has the client asked its management for one?"
        case .unsupportedAlgorithm: "the token's algorithm is not HMAC-SHA256: is it a token at all?"
        case .tooShort: "the token is cut"
        case .badSignature: "the token was signed with another secret: give relay and management the same"
        case .malformedExpiry: "the token's expiry is no number: who makes such tokens?"
        case .expired: "the token has expired: compare the clocks of relay and management"
        case .lifetimeTooLong: "the token is good for longer than is allowed here: shorten it or raise the limit"
        }
    }
}
