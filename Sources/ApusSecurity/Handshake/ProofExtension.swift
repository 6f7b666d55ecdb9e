// What is behind Response and Confirm: who this side is, and the proof that it saw the same messages and has the keys.

import ApusWire

/// Offsets count from the payload's start.
struct ProofExtension: Equatable, BitwiseCopyable {
    let flags: HandshakeFlags
    /// The algorithm that the server chose; 0: none. In Confirm always 0.
    let compression: UInt8
    /// Where the identity's public key begins, if there is one; the signature follows it.
    private let identityStart: Int
    /// Where the proof begins, which ends the payload.
    let proofStart: Int

    /// Nil: the payload has none, and is version 1's.
    ///
    /// - Parameters:
    ///   - start: the end of the message.
    ///   - expected: flags that this message may have.
    init?(decoding payload: RawSpan, at start: Int, expected: HandshakeFlags) throws(HandshakeRefusal) {
        guard HandshakeFormat.isExtension(payload, at: start) else { return nil }
        guard payload.byteCount >= start + HandshakeFormat.headerByteCount else { throw .malformedExtension }
        flags = HandshakeFlags(rawValue: payload.octet(at: start + 5))
        compression = payload.octet(at: start + 6)
        identityStart = start + HandshakeFormat.headerByteCount
        proofStart = identityStart + (flags.contains(.identity) ? HandshakeFormat.identityByteCount : 0)
        guard payload.octet(at: start + 4) == HandshakeFormat.version, flags.isSubset(of: expected),
            payload.octet(at: start + 7) == 0, payload.byteCount == proofStart + HandshakeFormat.proofByteCount
        else { throw .malformedExtension }
    }

    /// Where the public key is.
    var identity: Range<Int>? {
        guard flags.contains(.identity) else { return nil }
        return identityStart..<identityStart + Ed25519.keyByteCount
    }

    /// Where the signature is, which is over everything before it.
    var signature: Range<Int> { identityStart + Ed25519.keyByteCount..<proofStart }

    static func appendHeader(flags: HandshakeFlags, compression: UInt8, to payload: inout [UInt8]) {
        payload += HandshakeFormat.magic
        payload += [HandshakeFormat.version, flags.rawValue, compression, 0]
    }
}
