// OpenSSL's algorithms, fetched once for the process: each fetch takes locks and compares names. They are never freed.

import COpenSSL

/// `nonisolated(unsafe)`: OpenSSL counts references to a fetched algorithm atomically and changes nothing else in it.
enum Algorithms {
    /// For WebSocket's upgrade, where it secures nothing.
    nonisolated(unsafe) static let sha1 = unsafe fetched(EVP_MD_fetch(nil, "SHA1", nil), "SHA-1")
    nonisolated(unsafe) static let sha256 = unsafe fetched(EVP_MD_fetch(nil, "SHA256", nil), "SHA-256")
    nonisolated(unsafe) static let hmac = unsafe fetched(EVP_MAC_fetch(nil, "HMAC", nil), "HMAC")
    nonisolated(unsafe) static let hkdf = unsafe fetched(EVP_KDF_fetch(nil, "HKDF", nil), "HKDF")
    nonisolated(unsafe) static let chaCha20Poly1305 = unsafe fetched(
        EVP_CIPHER_fetch(nil, "ChaCha20-Poly1305", nil), "ChaCha20-Poly1305")

    private static func fetched(_ algorithm: OpaquePointer?, _ name: String) -> OpaquePointer {
        guard let algorithm = unsafe algorithm else {
            preconditionFailure("OpenSSL has no \(name): load its default provider in openssl.cnf")
        }
        return unsafe algorithm
    }

    /// What OpenSSL made, or a stop: it fails to make something only when memory is out.
    static func made(_ object: OpaquePointer?) -> OpaquePointer {
        guard let object = unsafe object else { preconditionFailure("OpenSSL has no memory") }
        return unsafe object
    }

    /// For calls whose arguments were checked before.
    static func require(_ result: CInt) {
        precondition(result == 1, "OpenSSL refused what was checked: its memory is out, or a provider is missing")
    }
}
