// Signatures on edwards25519 (RFC 8032 §5.1), without context and without pre-hashing.

import COpenSSL

public enum Ed25519 {
    public static let keyByteCount = 32
    public static let signatureByteCount = 64

    /// Whether `signature` is that of `message` by the owner of `publicKey`. Keys and signatures of any other length or
    /// form are not.
    public static func isValid(signature: RawSpan, of message: RawSpan, by publicKey: RawSpan) -> Bool {
        guard signature.byteCount == signatureByteCount, publicKey.byteCount == keyByteCount else { return false }
        let key = unsafe publicKey.withUnsafeBytes { bytes in
            unsafe EVP_PKEY_new_raw_public_key_ex(
                nil, "ED25519", nil, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), keyByteCount)
        }
        defer {
            unsafe EVP_PKEY_free(key)
            // What was refused also lies in this thread's error queue, where a later TLS call would find it.
            ERR_clear_error()
        }
        guard let key = unsafe key else { return false }
        return unsafe verify(signature, of: message, with: key)
    }

    private static func verify(_ signature: RawSpan, of message: RawSpan, with key: OpaquePointer) -> Bool {
        let context = unsafe Algorithms.made(EVP_MD_CTX_new())
        defer { unsafe EVP_MD_CTX_free(context) }
        unsafe Algorithms.require(EVP_DigestVerifyInit_ex(context, nil, nil, nil, nil, key, nil))
        let result = unsafe signature.withUnsafeBytes { signature in
            unsafe message.withUnsafeBytes { message in
                unsafe EVP_DigestVerify(
                    context, signature.baseAddress?.assumingMemoryBound(to: UInt8.self), signature.count,
                    message.baseAddress?.assumingMemoryBound(to: UInt8.self), message.count)
            }
        }
        return result == 1
    }
}

/// An Ed25519 private key that several threads may sign with. OpenSSL wipes it at the end.
///
/// `@unchecked`: the key never changes after `init`, and OpenSSL guards what it caches in it.
@safe
public final class IdentityKey: @unchecked Sendable {
    private let key: OpaquePointer
    /// 32 bytes: what peers pin.
    public let publicKey: [UInt8]

    /// - Parameter seed: the private key of RFC 8032 §5.1.5.
    public init(seed: borrowing SecretKey32) {
        let key = unsafe Algorithms.made(
            EVP_PKEY_new_raw_private_key_ex(
                nil, "ED25519", nil, seed.start.assumingMemoryBound(to: UInt8.self), SecretKey32.byteCount))
        unsafe self.key = key
        var byteCount = Ed25519.keyByteCount
        publicKey = unsafe [UInt8](count: byteCount) {
            unsafe Algorithms.require(EVP_PKEY_get_raw_public_key(key, $0, &byteCount))
        }
    }

    /// A fresh one.
    public convenience init() { self.init(seed: .random()) }

    deinit { unsafe EVP_PKEY_free(key) }

    /// The seed it was made of, to be kept in a file of mode 0600.
    public func copySeed() -> SecretKey32 {
        let seed = SecretKey32()
        var byteCount = SecretKey32.byteCount
        let start = unsafe seed.start.assumingMemoryBound(to: UInt8.self)
        unsafe Algorithms.require(EVP_PKEY_get_raw_private_key(key, start, &byteCount))
        return seed
    }

    /// The signature of `message`, 64 bytes.
    public func sign(_ message: RawSpan) -> [UInt8] {
        let context = unsafe Algorithms.made(EVP_MD_CTX_new())
        defer { unsafe EVP_MD_CTX_free(context) }
        unsafe Algorithms.require(EVP_DigestSignInit_ex(context, nil, nil, nil, nil, key, nil))
        var byteCount = Ed25519.signatureByteCount
        return unsafe [UInt8](count: byteCount) { signature in
            let result = unsafe message.withUnsafeBytes { message in
                unsafe EVP_DigestSign(
                    context, signature, &byteCount, message.baseAddress?.assumingMemoryBound(to: UInt8.self),
                    message.count)
            }
            Algorithms.require(result)
        }
    }
}
