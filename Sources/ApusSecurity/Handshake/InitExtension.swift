// What the client offers behind Init.

import ApusWire

struct InitExtension: Equatable {
    var flags: HandshakeFlags
    /// Codes of algorithms, best first; those that the reader does not know are among them.
    var compression: [UInt8]

    init(flags: HandshakeFlags, compression: [UInt8]) {
        self.flags = flags
        self.compression = compression
    }

    /// Nil: the payload has none, and is version 1's.
    init?(decoding payload: RawSpan) throws(HandshakeRefusal) {
        let start = HandshakeFormat.initByteCount
        guard HandshakeFormat.isExtension(payload, at: start) else { return nil }
        guard payload.byteCount >= start + HandshakeFormat.initHeaderByteCount else { throw .malformedExtension }
        // A later version is read as this one: it only adds.
        guard payload.octet(at: start + 4) >= HandshakeFormat.version else { throw .malformedExtension }
        flags = HandshakeFlags(rawValue: payload.octet(at: start + 5))
        let (count, codes) = (Int(payload.octet(at: start + 6)), start + HandshakeFormat.initHeaderByteCount)
        guard count <= HandshakeFormat.compressionCountMax, payload.byteCount >= codes + count else {
            throw .malformedExtension
        }
        compression = payload.extracting(codes..<codes + count).copyBytes()
        guard !compression.contains(0) else { throw .malformedExtension }
    }

    func append(to payload: inout [UInt8]) {
        payload += HandshakeFormat.magic
        payload += [HandshakeFormat.version, flags.rawValue, UInt8(compression.count)]
        payload += compression
    }
}

extension HandshakeFormat {
    /// Whether an extension begins here. Other bytes mean nothing (NPRO §1.2).
    static func isExtension(_ payload: RawSpan, at offset: Int) -> Bool {
        guard payload.byteCount >= offset + magic.count else { return false }
        return magic.indices.allSatisfy { payload.octet(at: offset + $0) == magic[$0] }
    }
}

extension RawSpan {
    func octet(at offset: Int) -> UInt8 {
        // Any byte is a valid UInt8, and the load checks its bounds.
        unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self)
    }
}
