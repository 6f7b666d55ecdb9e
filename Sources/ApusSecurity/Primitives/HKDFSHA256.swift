// HKDF over SHA-256 (RFC 5869): from one secret, others that tell nothing of each other.

import COpenSSL

public enum HKDFSHA256 {
    /// RFC 5869 §2.3: 255 hashes.
    public static let expandedByteCountMax = 255 * 32

    /// HKDF-Extract (RFC 5869 §2.2).
    ///
    /// - Parameters:
    ///   - salt: may be empty, which is the same as 32 zeros.
    ///   - secret: at least one byte.
    public static func extract(salt: RawSpan, secret: RawSpan) -> SecretKey32 {
        precondition(!secret.isEmpty, "HKDF needs a secret")
        let key = SecretKey32()
        let target = unsafe UnsafeMutableRawBufferPointer(start: key.start, count: SecretKey32.byteCount)
        let zeros: [32 of UInt8] = .init(repeating: 0)
        if salt.isEmpty {
            unsafe derive(EVP_KDF_HKDF_MODE_EXTRACT_ONLY, secret, salt: zeros.span.octets, into: target)
        } else {
            unsafe derive(EVP_KDF_HKDF_MODE_EXTRACT_ONLY, secret, salt: salt, into: target)
        }
        return key
    }

    /// HKDF-Expand (RFC 5869 §2.3) to fill `output`.
    public static func expand(_ key: borrowing SecretKey32, context: RawSpan, into output: inout MutableRawSpan) {
        precondition(output.byteCount <= expandedByteCountMax, "HKDF expands to 8160 bytes at most")
        let key = key.bytes
        unsafe output.withUnsafeMutableBytes { output in
            unsafe derive(EVP_KDF_HKDF_MODE_EXPAND_ONLY, key, context: context, into: output)
        }
    }

    /// HKDF-Expand to a key.
    public static func expand(_ key: borrowing SecretKey32, context: RawSpan) -> SecretKey32 {
        let expanded = SecretKey32()
        let target = unsafe UnsafeMutableRawBufferPointer(start: expanded.start, count: SecretKey32.byteCount)
        unsafe derive(EVP_KDF_HKDF_MODE_EXPAND_ONLY, key.bytes, context: context, into: target)
        return expanded
    }

    private static func derive(
        _ mode: CInt, _ secret: RawSpan, salt: RawSpan = RawSpan(), context: RawSpan = RawSpan(),
        into output: UnsafeMutableRawBufferPointer
    ) {
        guard let target = unsafe output.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return }
        let derivation = unsafe Algorithms.made(EVP_KDF_CTX_new(Algorithms.hkdf))
        defer { unsafe EVP_KDF_CTX_free(derivation) }
        let result = unsafe secret.withUnsafeBytes { secret in
            unsafe salt.withUnsafeBytes { salt in
                unsafe context.withUnsafeBytes { context in
                    unsafe apus_hkdf_sha256(
                        derivation, mode, secret.baseAddress, secret.count, salt.baseAddress, salt.count,
                        context.baseAddress, context.count, target, output.count)
                }
            }
        }
        Algorithms.require(result)
    }
}
