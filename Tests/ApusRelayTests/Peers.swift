// Ids that tests make and read.

import ApusWire

/// An id that can be told from every other number's.
func peer(_ number: Int) -> PeerID {
    let bytes = Array("sha-".utf8) + (0..<32).map { UInt8(truncatingIfNeeded: $0 < 4 ? number >> ($0 * 8) : $0) }
    return PeerID(bytes.span.bytes, at: 0)
}

/// What `write` writes, up to `capacity` bytes.
func written(capacity: Int = 10_000, _ write: (inout OutputRawSpan) -> Void) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
        var output = OutputRawSpan(buffer: UnsafeMutableRawBufferPointer(buffer), initializedCount: 0)
        write(&output)
        count = output.finalize(for: UnsafeMutableRawBufferPointer(buffer))
    }
}
