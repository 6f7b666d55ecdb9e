// HMAC over SHA-256 (RFC 2104).

import COpenSSL

public enum HMACSHA256 {
    public static let byteCount = 32

    /// The code of `message`, 32 bytes. Compare codes with `ConstantTime` only.
    ///
    /// - Parameter key: any length above 0.
    public static func authenticate(_ message: RawSpan, key: RawSpan) -> [UInt8] {
        precondition(!key.isEmpty, "HMAC without a key authenticates nothing")
        let context = unsafe Algorithms.made(EVP_MAC_CTX_new(Algorithms.hmac))
        defer { unsafe EVP_MAC_CTX_free(context) }
        unsafe key.withUnsafeBytes { key in
            let start = unsafe key.baseAddress.unsafelyUnwrapped.assumingMemoryBound(to: UInt8.self)  // not empty
            unsafe Algorithms.require(apus_hmac_sha256_begin(context, start, key.count))
        }
        unsafe message.withUnsafeBytes { message in
            let start = unsafe message.baseAddress?.assumingMemoryBound(to: UInt8.self)
            unsafe Algorithms.require(EVP_MAC_update(context, start, message.count))
        }
        var written = 0
        return unsafe [UInt8](count: byteCount) {
            unsafe Algorithms.require(EVP_MAC_final(context, $0, &written, byteCount))
        }
    }
}
