// Who a peer is, as a value to be compared and looked up (relay.md §1.4). It knows nothing of keys: hashing one is
// another module's.

/// The 36 bytes by which peers reach one another: `sha-` in ASCII and the SHA-256 of a peer's key. Nobody checks the
/// prefix, so an id is any 36 bytes, and strangers choose them.
public struct PeerID: Hashable, BitwiseCopyable, Sendable {
    @inlinable public static var byteCount: Int { 36 }
    /// 36 zero bytes, which stand for nobody.
    @inlinable public static var zero: PeerID { PeerID(words: (0, 0, 0, 0), tail: 0) }

    // Little-endian, so that an id means the same bytes on every machine.
    @usableFromInline let word0: UInt64
    @usableFromInline let word1: UInt64
    @usableFromInline let word2: UInt64
    @usableFromInline let word3: UInt64
    @usableFromInline let tail: UInt32

    /// The 36 bytes as little-endian numbers, in their order: for hashing.
    @inlinable public var words: (UInt64, UInt64, UInt64, UInt64, UInt32) { (word0, word1, word2, word3, tail) }

    /// From what `words` gave.
    @inlinable
    public init(words: (UInt64, UInt64, UInt64, UInt64), tail: UInt32) {
        (word0, word1, word2, word3) = words
        self.tail = tail
    }

    // Written out, since what the compiler would write is not inlined into other modules.
    @inlinable
    public static func == (left: PeerID, right: PeerID) -> Bool {
        let front = (left.word0 ^ right.word0) | (left.word1 ^ right.word1)
        let back = (left.word2 ^ right.word2) | (left.word3 ^ right.word3)
        return front | back | UInt64(left.tail ^ right.tail) == 0
    }

    /// The 36 bytes that start at `offset`; they must be there.
    @inlinable
    public init(_ bytes: RawSpan, at offset: Int) {
        precondition(offset >= 0 && bytes.byteCount - offset >= PeerID.byteCount, "an id has 36 bytes")
        let words = (
            bytes.littleEndian64(at: offset), bytes.littleEndian64(at: offset + 8),
            bytes.littleEndian64(at: offset + 16), bytes.littleEndian64(at: offset + 24)
        )
        self.init(words: words, tail: bytes.littleEndian32(at: offset + 32))
    }

    /// The same where the bytes are still masked (RFC 6455 §5.3), so that a message can be unmasked while it is copied.
    ///
    /// - Parameters:
    ///   - key: the frame's four mask bytes as a little-endian number.
    ///   - phase: how far from the payload's first byte the id starts; it counts modulo 4.
    @inlinable
    public init(masked bytes: RawSpan, at offset: Int, key: UInt32, phase: Int) {
        let shift = UInt32(truncatingIfNeeded: phase & 3) * 8
        let turned = key &>> shift | key &<< (32 &- shift)  // 0 … 24; a shift by 32 is none
        let mask = UInt64(turned) << 32 | UInt64(turned)
        let id = PeerID(bytes, at: offset)
        let words = (id.word0 ^ mask, id.word1 ^ mask, id.word2 ^ mask, id.word3 ^ mask)
        self.init(words: words, tail: id.tail ^ turned)
    }

    /// Append the 36 bytes; there must be room.
    @_lifetime(output: copy output)
    @inlinable
    public func write(into output: inout OutputRawSpan) {
        output.append(littleEndian: word0)
        output.append(littleEndian: word1)
        output.append(littleEndian: word2)
        output.append(littleEndian: word3)
        output.append(littleEndian: tail)
    }

    /// Put the 36 bytes over those at `offset`, which must be there.
    @_lifetime(bytes: copy bytes)
    @inlinable
    public func overwrite(_ bytes: inout MutableRawSpan, at offset: Int) {
        precondition(offset >= 0 && bytes.byteCount - offset >= PeerID.byteCount, "an id has 36 bytes")
        bytes.storeBytes(of: word0.littleEndian, toByteOffset: offset, as: UInt64.self)
        bytes.storeBytes(of: word1.littleEndian, toByteOffset: offset + 8, as: UInt64.self)
        bytes.storeBytes(of: word2.littleEndian, toByteOffset: offset + 16, as: UInt64.self)
        bytes.storeBytes(of: word3.littleEndian, toByteOffset: offset + 24, as: UInt64.self)
        bytes.storeBytes(of: tail.littleEndian, toByteOffset: offset + 32, as: UInt32.self)
    }
}

extension PeerID: CustomStringConvertible {
    private static let prefixByteCount = 4

    /// `sha-` and the other 32 bytes in standard base64, as logs show it. The prefix is written whatever it was.
    public var description: String {
        let hash = (PeerID.prefixByteCount..<PeerID.byteCount).map(byte(at:))
        return "sha-" + String(decoding: Base64.encode(hash.span.octets), as: UTF8.self)
    }

    private func byte(at index: Int) -> UInt8 {
        let word = index < 8 ? word0 : index < 16 ? word1 : index < 24 ? word2 : index < 32 ? word3 : UInt64(tail)
        return UInt8(truncatingIfNeeded: word >> UInt64(index % 8 * 8))
    }
}
