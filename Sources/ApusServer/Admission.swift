// What a connection counts for from the moment it is accepted until it is gone: three places that are given back
// together. It is one word, so that it goes through a mailbox.

import ApusReactor

package struct Admission: BitwiseCopyable, Sendable {
    /// The slot of the listener that accepted it.
    let listener: UInt8
    let session: SessionKind
    /// Where its address is counted.
    let host: HostPlace

    init(listener: UInt8, session: SessionKind, host: HostPlace) {
        self.listener = listener
        self.session = session
        self.host = host
    }

    ///      63      48 47                        16 15      8 7        0
    ///     +----------+----------------------------+---------+----------+
    ///     | 0        | host                       | session | listener |
    ///     +----------+----------------------------+---------+----------+
    var bits: UInt64 { UInt64(host.bits) << 16 | UInt64(session.rawValue) << 8 | UInt64(listener) }

    init(bits: UInt64) {
        listener = UInt8(truncatingIfNeeded: bits)
        guard let session = SessionKind(rawValue: UInt8(truncatingIfNeeded: bits >> 8)) else {
            preconditionFailure("only `bits` makes such words")
        }
        self.session = session
        host = HostPlace(bits: UInt32(truncatingIfNeeded: bits >> 16))
    }
}
