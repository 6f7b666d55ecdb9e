// XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03 §2.3) for bytes in arrays. Connections use `SealedChannel`, which
// keeps subkeys and allocates nothing.

/// A nonce of 24 bytes may be random: two of them never meet.
public enum XChaCha20Poly1305 {
    public static let nonceByteCount = 24
    public static let tagByteCount = 16

    /// Ciphertext and tag.
    ///
    /// - Parameter nonce: 24 bytes, never used before with this key.
    public static func seal(
        _ plaintext: RawSpan, additional: RawSpan = RawSpan(), key: borrowing SecretKey32, nonce: RawSpan
    ) -> [UInt8] {
        precondition(nonce.byteCount == nonceByteCount, "XChaCha20-Poly1305 takes a nonce of 24 bytes")
        let subkey = HChaCha20.subkey(key: key, nonce: nonce.extracting(first: HChaCha20.nonceByteCount))
        let rest = shortNonce(nonce)
        var context = AEADContext()
        let count = plaintext.byteCount + tagByteCount
        return unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            let target = unsafe UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: count)
            var output = unsafe OutputRawSpan(buffer: target, initializedCount: 0)
            context.seal(plaintext, additional: additional, key: subkey, nonce: rest.span.octets, into: &output)
            initialized = unsafe output.finalize(for: target)
        }
    }

    /// The plaintext of ciphertext and tag.
    ///
    /// - Parameter nonce: 24 bytes.
    public static func open(
        _ sealed: RawSpan, additional: RawSpan = RawSpan(), key: borrowing SecretKey32, nonce: RawSpan
    ) throws(SecurityError) -> [UInt8] {
        precondition(nonce.byteCount == nonceByteCount, "XChaCha20-Poly1305 takes a nonce of 24 bytes")
        guard sealed.byteCount >= tagByteCount else { throw .authenticationFailed }
        let subkey = HChaCha20.subkey(key: key, nonce: nonce.extracting(first: HChaCha20.nonceByteCount))
        let rest = shortNonce(nonce)
        var context = AEADContext()
        let count = sealed.byteCount - tagByteCount
        return try unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized throws(SecurityError) in
            let target = unsafe UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: count)
            var output = unsafe OutputRawSpan(buffer: target, initializedCount: 0)
            try context.open(sealed, additional: additional, key: subkey, nonce: rest.span.octets, into: &output)
            initialized = unsafe output.finalize(for: target)
        }
    }

    /// Four zeros and the last eight bytes (draft §2.3).
    private static func shortNonce(_ nonce: RawSpan) -> [12 of UInt8] {
        var short: [12 of UInt8] = .init(repeating: 0)
        for index in 0..<8 {
            // Any byte is a UInt8, and the load checks its bounds.
            short[4 + index] = unsafe nonce.unsafeLoad(fromByteOffset: 16 + index, as: UInt8.self)
        }
        return short
    }
}
