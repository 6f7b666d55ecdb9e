// The sizes of the relay protocol (relay.md §1). It knows nothing of WebSocket, which carries one message per frame.

/// One message is one transport unit, so nothing in it says how long it is. Every message starts with two bytes:
///
///      0         1         2                                                   38
///     +---------+---------+------------------- - - ---------------------------+------- - -
///     | version | type    | peer id: of the target when a client sends it,    | datagram …       Transport
///     |  0x01   |  0x03   | of the source when the relay does                 | 0 … 8,782 bytes
///     +---------+---------+------------------- - - ---------------------------+------- - -
///     | 01 | 06 | magic 21 12 A4 42 | peer id, 36 bytes       | token, 0 … 170 bytes             Auth
///     | 01 | 07 | URL, 1 … 8,190 bytes of UTF-8                                                AuthResponse
///     | 01 | 08 … 0B | 1 … 244 peer ids, 36 bytes each                                         the four lists
///     | 01 | 04 |                                                                              Close
///     | 01 | 05 |                                                                              HealthCheck
///
/// Numbers are big-endian. A relayed message keeps its length: only the 36 bytes of the id change.
public enum RelayFormat {
    @inlinable public static var version: UInt8 { 1 }
    @inlinable public static var headerByteCount: Int { 2 }
    /// Header and peer id, in front of a datagram.
    @inlinable public static var transportHeaderByteCount: Int { headerByteCount + PeerID.byteCount }

    /// The first bytes of an Auth behind its header; STUN's magic cookie.
    public static let magic: UInt32 = 0x2112_A442
    /// Header, magic and peer id, in front of a token.
    public static let authHeaderByteCount = headerByteCount + 4 + PeerID.byteCount
    /// What a server reads as its first message.
    public static let authByteCountMax = 212
    public static let tokenByteCountMax = authByteCountMax - authHeaderByteCount

    /// What a client reads as its first message.
    public static let authResponseByteCountMax = 8192
    public static let urlByteCountMax = authResponseByteCountMax - headerByteCount

    /// Every later message, either way.
    @inlinable public static var messageByteCountMax: Int { 8820 }
    @inlinable public static var datagramByteCountMax: Int { messageByteCountMax - transportHeaderByteCount }
    /// Peer ids in one list.
    @inlinable public static var listCountMax: Int { (messageByteCountMax - headerByteCount) / PeerID.byteCount }
}
