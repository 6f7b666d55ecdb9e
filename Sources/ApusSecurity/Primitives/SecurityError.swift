// What can go wrong in a primitive because of the bytes it was given. Everything else is a programmer's error, or a
// system that is out of memory or randomness, and stops the program.

public enum SecurityError: Error, Equatable, BitwiseCopyable, Sendable {
    /// A public key with which every private key agrees on zero (RFC 7748 §6.1).
    case weakPublicKey
    /// Not sealed with this key, nonce and additional bytes, or altered since.
    case authenticationFailed
}

extension SecurityError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .weakPublicKey: "the public key is of low order, so the secret would be known to everyone: refuse the peer"
        case .authenticationFailed: "the bytes were not sealed with this key and nonce, or were altered: discard them"
        }
    }
}
