// The payloads of a handshake in the order they were sent, all of each. Everything in it is public.

import ApusWire

struct Transcript {
    private(set) var bytes: [UInt8]

    init(_ bytes: [UInt8] = []) { self.bytes = bytes }

    mutating func append(_ payload: RawSpan) { bytes += payload.copyBytes() }

    /// SHA-256 of what was sent so far.
    var digest: [UInt8] { SHA256.hash(bytes.span.octets) }

    /// SHA-256 of what was sent so far and the beginning of one more payload.
    func digest(and payload: RawSpan, upTo end: Int) -> [UInt8] {
        var hash = SHA256.Accumulator()
        hash.update(bytes.span.octets)
        hash.update(payload.extracting(first: end))
        return hash.finish()
    }

    func digest(and payload: [UInt8]) -> [UInt8] {
        let bytes = payload.span.octets
        return digest(and: bytes, upTo: bytes.byteCount)
    }
}
