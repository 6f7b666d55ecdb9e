// The constants of the packet, the only frame of a plain stream (NPRO §1.1). It knows nothing of messages.

/// One packet on the wire; the length counts the payload only and is the one big-endian number of the protocol:
///
///      0       1       2       3       4       5       6       7       8       9
///     +-------+-------+-------+-------+-------+-------+-------+-------+-------+------------- - -
///     |   N       P       R       O   |   1   |    payload length, u32 BE     |  payload …
///     | 0x4E    0x50    0x52    0x4F  | 0x01  |    0 … 16,777,216             |
///     +-------+-------+-------+-------+-------+-------+-------+-------+-------+------------- - -
///
/// No flags, no checksum, no request id. A payload of zero bytes is legal (NPRO §1.1).
public enum PacketFormat {
    /// "NPRO" in ASCII.
    public static let magic: [4 of UInt8] = [0x4E, 0x50, 0x52, 0x4F]
    public static let version: UInt8 = 1
    public static let headerByteCount = 9
    /// Inclusive: exactly 16 MiB is accepted, one byte more is refused (NPRO §1.1).
    public static let payloadByteCountMax = 16 * 1024 * 1024

    /// Where the version byte and the length lie, counted from the packet's first byte.
    @usableFromInline static let versionOffset = 4
    @usableFromInline static let lengthOffset = 5

    /// Magic and version as one little-endian number, so that a header is checked with one comparison.
    @usableFromInline static let prefix: UInt64 = 0x01_4F_52_50_4E
    @usableFromInline static let prefixMask: UInt64 = 0xFF_FFFF_FFFF
}
