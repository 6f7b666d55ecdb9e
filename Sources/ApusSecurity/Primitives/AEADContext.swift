// ChaCha20-Poly1305 (RFC 8439) with what OpenSSL needs for it made once: sealing and opening allocate nothing.

import COpenSSL

/// One per thread. It holds the last key of each direction until the next one, or its end, when OpenSSL wipes it.
@safe
public struct AEADContext: ~Copyable {
    public static let keyByteCount = 32
    public static let nonceByteCount = 12
    public static let tagByteCount = 16

    private let sealing: OpaquePointer
    private let opening: OpaquePointer

    public init() {
        unsafe sealing = Algorithms.made(EVP_CIPHER_CTX_new())
        unsafe opening = Algorithms.made(EVP_CIPHER_CTX_new())
        unsafe Algorithms.require(EVP_EncryptInit_ex2(sealing, Algorithms.chaCha20Poly1305, nil, nil, nil))
        unsafe Algorithms.require(EVP_DecryptInit_ex2(opening, Algorithms.chaCha20Poly1305, nil, nil, nil))
    }

    deinit {
        unsafe EVP_CIPHER_CTX_free(sealing)
        unsafe EVP_CIPHER_CTX_free(opening)
    }

    // MARK: Spans

    /// Append ciphertext and tag. A nonce must never be used twice with the same key.
    ///
    /// - Parameters:
    ///   - additional: bytes that are authenticated and not sent.
    ///   - nonce: 12 bytes.
    ///   - output: room for 16 bytes more than the plaintext.
    @_lifetime(output: copy output)
    public mutating func seal(
        _ plaintext: RawSpan, additional: RawSpan = RawSpan(), key: borrowing SecretKey32, nonce: RawSpan,
        into output: inout OutputRawSpan
    ) {
        precondition(nonce.byteCount == AEADContext.nonceByteCount, "ChaCha20-Poly1305 takes a nonce of 12 bytes")
        precondition(
            output.freeCapacity >= plaintext.byteCount + AEADContext.tagByteCount, "the output has no room")
        let (context, count) = (unsafe sealing, plaintext.byteCount)
        unsafe output.withUnsafeMutableBytes { target, written in
            let start = unsafe target.baseAddress.unsafelyUnwrapped + written  // there is room, as checked
            unsafe plaintext.withUnsafeBytes { plaintext in
                unsafe nonce.withUnsafeBytes { nonce in
                    unsafe additional.withUnsafeBytes { additional in
                        unsafe AEADContext.seal(
                            context, plaintext, additional: additional, key: key.start,
                            nonce: nonce.baseAddress.unsafelyUnwrapped, into: start, tag: start + count)
                    }
                }
            }
            written += count + AEADContext.tagByteCount
        }
    }

    /// Append the plaintext of `sealed`, ciphertext and tag.
    ///
    /// - Parameters:
    ///   - additional: the same as when it was sealed.
    ///   - nonce: 12 bytes.
    ///   - output: room for 16 bytes fewer than are sealed. Nothing is appended to it when an error is thrown.
    @_lifetime(output: copy output)
    public mutating func open(
        _ sealed: RawSpan, additional: RawSpan = RawSpan(), key: borrowing SecretKey32, nonce: RawSpan,
        into output: inout OutputRawSpan
    ) throws(SecurityError) {
        precondition(nonce.byteCount == AEADContext.nonceByteCount, "ChaCha20-Poly1305 takes a nonce of 12 bytes")
        let count = sealed.byteCount - AEADContext.tagByteCount
        guard count >= 0 else { throw .authenticationFailed }
        precondition(output.freeCapacity >= count, "the output has no room")
        let context = unsafe opening
        let isAuthentic = unsafe output.withUnsafeMutableBytes { target, written in
            // Room for nothing may have no address, and then it is not written to.
            let start = unsafe (target.baseAddress ?? key.start) + written
            let isAuthentic = unsafe sealed.withUnsafeBytes { sealed in
                unsafe nonce.withUnsafeBytes { nonce in
                    unsafe additional.withUnsafeBytes { additional in
                        unsafe AEADContext.open(
                            context, UnsafeRawBufferPointer(rebasing: sealed[..<count]), additional: additional,
                            key: key.start, nonce: nonce.baseAddress.unsafelyUnwrapped, into: start,
                            tag: sealed.baseAddress.unsafelyUnwrapped + count)
                    }
                }
            }
            if isAuthentic { written += count }
            return isAuthentic
        }
        guard isAuthentic else { throw .authenticationFailed }
    }

    // MARK: Memory, for the sealed channel

    /// - Parameters:
    ///   - target: room for the ciphertext; the plaintext itself, or memory that does not overlap it.
    ///   - tag: room for 16 bytes.
    @inline(__always)
    mutating func seal(
        _ plaintext: UnsafeRawBufferPointer, key: UnsafeRawPointer, nonce: UnsafeRawPointer,
        into target: UnsafeMutableRawPointer, tag: UnsafeMutableRawPointer
    ) {
        let none = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
        unsafe AEADContext.seal(
            sealing, plaintext, additional: none, key: key, nonce: nonce, into: target, tag: tag)
    }

    /// Whether it was sealed so. If not, `target` was overwritten with zeros.
    @inline(__always)
    mutating func open(
        _ ciphertext: UnsafeRawBufferPointer, key: UnsafeRawPointer, nonce: UnsafeRawPointer,
        into target: UnsafeMutableRawPointer, tag: UnsafeRawPointer
    ) -> Bool {
        let none = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
        return unsafe AEADContext.open(
            opening, ciphertext, additional: none, key: key, nonce: nonce, into: target, tag: tag)
    }

    private static func seal(
        _ context: OpaquePointer, _ plaintext: UnsafeRawBufferPointer, additional: UnsafeRawBufferPointer,
        key: UnsafeRawPointer, nonce: UnsafeRawPointer, into target: UnsafeMutableRawPointer,
        tag: UnsafeMutableRawPointer
    ) {
        var written: CInt = 0
        unsafe Algorithms.require(EVP_EncryptInit_ex2(context, nil, octets(key), octets(nonce), nil))
        if let start = additional.baseAddress, additional.count > 0 {
            unsafe Algorithms.require(
                EVP_EncryptUpdate(context, nil, &written, octets(start), CInt(additional.count)))
        }
        if let start = plaintext.baseAddress, plaintext.count > 0 {
            unsafe Algorithms.require(
                EVP_EncryptUpdate(context, octets(target), &written, octets(start), CInt(plaintext.count)))
        }
        // A stream cipher has written all; this computes the tag.
        unsafe Algorithms.require(EVP_EncryptFinal_ex(context, octets(tag), &written))
        unsafe Algorithms.require(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, CInt(tagByteCount), tag))
    }

    private static func open(
        _ context: OpaquePointer, _ ciphertext: UnsafeRawBufferPointer, additional: UnsafeRawBufferPointer,
        key: UnsafeRawPointer, nonce: UnsafeRawPointer, into target: UnsafeMutableRawPointer, tag: UnsafeRawPointer
    ) -> Bool {
        var written: CInt = 0
        unsafe Algorithms.require(EVP_DecryptInit_ex2(context, nil, octets(key), octets(nonce), nil))
        // OpenSSL reads the tag and does not write it, though the type cannot say so.
        let expected = unsafe UnsafeMutableRawPointer(mutating: tag)
        unsafe Algorithms.require(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, CInt(tagByteCount), expected))
        if let start = additional.baseAddress, additional.count > 0 {
            unsafe Algorithms.require(
                EVP_DecryptUpdate(context, nil, &written, octets(start), CInt(additional.count)))
        }
        if let start = ciphertext.baseAddress, ciphertext.count > 0 {
            unsafe Algorithms.require(
                EVP_DecryptUpdate(context, octets(target), &written, octets(start), CInt(ciphertext.count)))
        }
        guard unsafe EVP_DecryptFinal_ex(context, octets(target), &written) == 1 else {
            // Nobody shall act on what was not authenticated.
            unsafe OPENSSL_cleanse(target, ciphertext.count)
            ERR_clear_error()
            return false
        }
        return true
    }

    @inline(__always)
    private static func octets(_ bytes: UnsafeRawPointer) -> UnsafePointer<UInt8> {
        unsafe bytes.assumingMemoryBound(to: UInt8.self)
    }

    @inline(__always)
    private static func octets(_ bytes: UnsafeMutableRawPointer) -> UnsafeMutablePointer<UInt8> {
        unsafe bytes.assumingMemoryBound(to: UInt8.self)
    }
}
