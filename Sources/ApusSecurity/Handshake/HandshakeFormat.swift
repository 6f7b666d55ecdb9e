// The sizes of the handshake's messages (NPRO §2) and of the extension behind them.

import ApusWire

/// The extension rides behind the message in the same payload, where version 1 ignores bytes (NPRO §1.2). Numbers in it
/// are single bytes.
///
/// Behind Init:
///
///      60              64      65      66      67             67 + n
///     +---------------+-------+-------+-------+------ - - ---+-------- - -
///     | A  P  U  S    | 01    | flags | n     | n algorithms | …
///     +---------------+-------+-------+-------+------ - - ---+-------- - -
///
/// Behind Response (at 84) and Confirm (at 36); identity and signature are there if flag 2 is set:
///
///      0               4       5       6       7       8               40              104
///     +---------------+-------+-------+-------+-------+---------------+---------------+---------------+
///     | A  P  U  S    | 01    | flags | algo. | 00    | identity      | signature     | proof         |
///     +---------------+-------+-------+-------+-------+---------------+---------------+---------------+
///
/// Init's extension may be followed by what later versions add: it is not read, and covered by the transcript as all
/// the rest.
public enum HandshakeFormat {
    /// A longer payload is refused: it is none of a handshake's. Init with all that a later version may add, too.
    public static let payloadByteCountMax = 1024

    public static let initByteCount = 60
    public static let responseByteCount = 84
    public static let confirmByteCount = 36

    /// "APUS" in ASCII.
    static let magic: [UInt8] = [0x41, 0x50, 0x55, 0x53]
    static let version: UInt8 = 1
    /// Magic, version, flags, and the number of algorithms (Init), or the algorithm and a zero.
    static let initHeaderByteCount = 7
    static let headerByteCount = 8
    static let compressionCountMax = 16
    static let proofByteCount = 32
    static let identityByteCount = Ed25519.keyByteCount + Ed25519.signatureByteCount

    /// The client's clock against the server's, both bounds included (NPRO §2.3).
    static let aheadMillisecondsMax: UInt64 = 2_000
    static let behindMillisecondsMax: UInt64 = 30_000
}

/// The flags of all three messages.
struct HandshakeFlags: OptionSet, BitwiseCopyable {
    let rawValue: UInt8

    /// Init: the client has a pre-shared key. Response: so have both.
    static let presharedKey = HandshakeFlags(rawValue: 1)
    /// Init: Confirm will show an identity. Response, Confirm: it is shown here.
    static let identity = HandshakeFlags(rawValue: 2)
}

/// When a message arrives, by the two clocks that matter.
public struct HandshakeMoment: BitwiseCopyable, Sendable {
    /// Since 1970, for the timestamp's window.
    public let wallMilliseconds: UInt64
    /// Since any fixed moment, for the replay table.
    public let monotonicNanoseconds: UInt64

    public init(wallMilliseconds: UInt64, monotonicNanoseconds: UInt64) {
        self.wallMilliseconds = wallMilliseconds
        self.monotonicNanoseconds = monotonicNanoseconds
    }
}
