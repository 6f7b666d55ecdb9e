// Diffie-Hellman on Curve25519 (RFC 7748).

import COpenSSL

public enum X25519 {
    public static let keyByteCount = 32

    /// The public key of a private one, 32 bytes.
    public static func publicKey(of privateKey: borrowing SecretKey32) -> [UInt8] {
        PrivateKey(privateKey).publicKey
    }

    /// What both sides know when each has the other's public key. Not uniform: hash it before use.
    ///
    /// - Parameter peer: 32 bytes.
    /// - Throws: `weakPublicKey` if the secret is zero, whatever the private key (RFC 7748 §6.1).
    public static func sharedSecret(
        _ privateKey: borrowing SecretKey32, with peer: RawSpan
    ) throws(SecurityError) -> SecretKey32 {
        try PrivateKey(privateKey).sharedSecret(with: peer)
    }

    /// A private key whose public key is computed once. OpenSSL wipes it at the end.
    @safe
    public struct PrivateKey: ~Copyable {
        private let key: OpaquePointer

        /// A fresh one.
        public init() { self.init(SecretKey32.random()) }

        public init(_ bytes: borrowing SecretKey32) {
            // A raw private key of 32 bytes is always one: it is clamped when it is used (RFC 7748 §5).
            unsafe key = Algorithms.made(
                EVP_PKEY_new_raw_private_key_ex(
                    nil, "X25519", nil, bytes.start.assumingMemoryBound(to: UInt8.self), keyByteCount))
        }

        deinit { unsafe EVP_PKEY_free(key) }

        /// 32 bytes.
        public var publicKey: [UInt8] {
            var byteCount = keyByteCount
            return unsafe [UInt8](count: keyByteCount) {
                unsafe Algorithms.require(EVP_PKEY_get_raw_public_key(key, $0, &byteCount))
            }
        }

        /// See `X25519.sharedSecret`.
        public func sharedSecret(with peer: RawSpan) throws(SecurityError) -> SecretKey32 {
            precondition(peer.byteCount == keyByteCount, "a public key has exactly 32 bytes")
            let peerKey = unsafe Algorithms.made(
                peer.withUnsafeBytes { bytes in
                    unsafe EVP_PKEY_new_raw_public_key_ex(
                        nil, "X25519", nil, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), keyByteCount)
                })
            defer { unsafe EVP_PKEY_free(peerKey) }
            let derivation = unsafe Algorithms.made(EVP_PKEY_CTX_new_from_pkey(nil, key, nil))
            defer { unsafe EVP_PKEY_CTX_free(derivation) }
            unsafe Algorithms.require(EVP_PKEY_derive_init(derivation))
            // Any 32 bytes are a public key; what is wrong with one shows in the secret. So nothing is validated here.
            unsafe Algorithms.require(EVP_PKEY_derive_set_peer_ex(derivation, peerKey, 0))
            return try unsafe derive(derivation)
        }

        /// OpenSSL refuses a secret of zeros; it is looked at here too, since everything depends on it.
        private func derive(_ derivation: OpaquePointer) throws(SecurityError) -> SecretKey32 {
            let secret = SecretKey32()
            var byteCount = keyByteCount
            let result = unsafe EVP_PKEY_derive(
                derivation, secret.start.assumingMemoryBound(to: UInt8.self), &byteCount)
            guard result == 1, byteCount == keyByteCount, !secret.isZero else {
                // The refusal also lies in this thread's error queue, where a later TLS call would find it.
                ERR_clear_error()
                throw .weakPublicKey
            }
            return secret
        }
    }
}
