// HChaCha20 (draft-irtf-cfrg-xchacha-03 §2.2), the one cipher of ours: OpenSSL has none. It derives the subkey with
// which XChaCha20-Poly1305 is ChaCha20-Poly1305.

/// Its time does not depend on key or nonce: there are only additions, rotations and exclusive ors, no branch and no
/// table.
public enum HChaCha20 {
    public static let nonceByteCount = 16

    /// - Parameter nonce: 16 bytes, the first part of XChaCha20's 24.
    public static func subkey(key: borrowing SecretKey32, nonce: RawSpan) -> SecretKey32 {
        precondition(nonce.byteCount == nonceByteCount, "HChaCha20 takes a nonce of exactly 16 bytes")
        let subkey = SecretKey32()
        unsafe nonce.withUnsafeBytes { nonce in
            // It has 16 bytes, so it has a base address.
            unsafe derive(key: key.start, nonce: nonce.baseAddress.unsafelyUnwrapped, into: subkey.start)
        }
        return subkey
    }

    /// - Parameters:
    ///   - key: 32 bytes, at any alignment, as the others.
    ///   - nonce: 16 bytes.
    ///   - subkey: room for 32 bytes.
    static func derive(key: UnsafeRawPointer, nonce: UnsafeRawPointer, into subkey: UnsafeMutableRawPointer) {
        var state = State(
            // "expand 32-byte k" in little-endian words (RFC 8439 §2.3).
            a: SIMD4(0x6170_7865, 0x3320_646E, 0x7962_2D32, 0x6B20_6574),
            b: unsafe row(key), c: unsafe row(key + 16), d: unsafe row(nonce))
        for _ in 0..<10 {
            state.quarterRounds()
            state.turnToDiagonals()
            state.quarterRounds()
            state.turnToColumns()
        }
        unsafe store(state.a, at: subkey)
        unsafe store(state.d, at: subkey + 16)
    }

    /// The 4 × 4 matrix of words by rows, so that one operation works on its four columns at once.
    struct State {
        var a: SIMD4<UInt32>
        var b: SIMD4<UInt32>
        var c: SIMD4<UInt32>
        var d: SIMD4<UInt32>

        /// RFC 8439 §2.1, on each column. Additions are modulo 2^32, as defined there.
        @inline(__always)
        mutating func quarterRounds() {
            a &+= b
            d = rotated(d ^ a, by: 16)
            c &+= d
            b = rotated(b ^ c, by: 12)
            a &+= b
            d = rotated(d ^ a, by: 8)
            c &+= d
            b = rotated(b ^ c, by: 7)
        }

        @inline(__always)
        mutating func turnToDiagonals() {
            b = SIMD4(b.y, b.z, b.w, b.x)
            c = SIMD4(c.z, c.w, c.x, c.y)
            d = SIMD4(d.w, d.x, d.y, d.z)
        }

        @inline(__always)
        mutating func turnToColumns() {
            b = SIMD4(b.w, b.x, b.y, b.z)
            c = SIMD4(c.z, c.w, c.x, c.y)
            d = SIMD4(d.y, d.z, d.w, d.x)
        }

        @inline(__always)
        private func rotated(_ row: SIMD4<UInt32>, by count: UInt32) -> SIMD4<UInt32> {
            row &<< SIMD4(repeating: count) | row &>> SIMD4(repeating: 32 - count)
        }
    }

    @inline(__always)
    private static func row(_ bytes: UnsafeRawPointer) -> SIMD4<UInt32> {
        // Any 16 bytes are four words.
        unsafe SIMD4(
            UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self)),
            UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self)),
            UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self)),
            UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 12, as: UInt32.self)))
    }

    @inline(__always)
    private static func store(_ row: SIMD4<UInt32>, at target: UnsafeMutableRawPointer) {
        unsafe target.storeBytes(of: row.x.littleEndian, as: UInt32.self)
        unsafe target.storeBytes(of: row.y.littleEndian, toByteOffset: 4, as: UInt32.self)
        unsafe target.storeBytes(of: row.z.littleEndian, toByteOffset: 8, as: UInt32.self)
        unsafe target.storeBytes(of: row.w.littleEndian, toByteOffset: 12, as: UInt32.self)
    }
}
