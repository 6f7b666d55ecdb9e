// The nonce in front of a sealed packet, in two parts. It is public: everybody on the way can read it.

/// XChaCha20-Poly1305's 24 bytes. Apus draws the prefix once for each direction of a session, so that the subkey it
/// leads to is computed once; other peers may draw all 24 bytes anew for each packet, as the first NPRO daemon does.
///
///      0                               16              24
///     +-------------------------------+---------------+
///     | prefix, random                | counter, u64  |
///     |                               | LE            |
///     +-------------------------------+---------------+
struct SealedNonce: BitwiseCopyable {
    static let byteCount = 24
    static let prefixByteCount = 16

    /// As it lies in memory; only ever compared.
    typealias Prefix = SIMD2<UInt64>

    let prefix: Prefix
    var counter: UInt64

    init(prefix: Prefix, counter: UInt64) {
        self.prefix = prefix
        self.counter = counter
    }

    /// - Parameter start: 24 bytes, at any alignment.
    @inline(__always)
    init(at start: UnsafeRawPointer) {
        unsafe prefix = SealedNonce.prefix(at: start)
        unsafe counter = UInt64(littleEndian: start.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
    }

    @inline(__always)
    static func prefix(at start: UnsafeRawPointer) -> Prefix {
        unsafe SIMD2(
            start.loadUnaligned(as: UInt64.self), start.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    }

    /// - Parameter target: room for 24 bytes, at any alignment.
    @inline(__always)
    func write(to target: UnsafeMutableRawPointer) {
        unsafe target.storeBytes(of: prefix.x, as: UInt64.self)
        unsafe target.storeBytes(of: prefix.y, toByteOffset: 8, as: UInt64.self)
        unsafe target.storeBytes(of: counter.littleEndian, toByteOffset: 16, as: UInt64.self)
    }

    /// ChaCha20-Poly1305's nonce under the prefix's subkey: four zeros and the counter (draft-irtf-cfrg-xchacha-03
    /// §2.3).
    @inline(__always)
    var short: SIMD4<UInt32> {
        // Twelve of the sixteen bytes are read.
        SIMD4(0, UInt32(truncatingIfNeeded: counter).littleEndian, UInt32(counter >> 32).littleEndian, 0)
    }
}
