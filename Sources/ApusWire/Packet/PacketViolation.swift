// What a peer did wrong at the packet level. After one of these the stream has no next packet: only a close follows.

/// A header that no conforming peer sends (NPRO §1.1).
public enum PacketViolation: Error, Equatable, BitwiseCopyable, Sendable {
    /// Byte `offset` (0…3) of the packet is not that byte of "NPRO".
    case magic(offset: Int, found: UInt8)
    /// Byte 4 is not a version this decoder speaks.
    case version(UInt8)
    /// The length field announces more than the limit; nothing was buffered for it.
    case oversize(byteCount: UInt32, limit: Int)
}

extension PacketViolation: CustomStringConvertible {
    public var description: String {
        switch self {
        case .magic(let offset, let found):
            "byte \(offset) of the packet is \(hex(found)), not \(hex(PacketFormat.magic[offset])) of \"NPRO\": "
                + "the peer speaks another protocol, or the stream has lost its place; close the connection"
        case .version(let found):
            "byte \(PacketFormat.versionOffset) of the packet announces version \(found), this side speaks version "
                + "\(PacketFormat.version): upgrade the older side"
        case .oversize(let byteCount, let limit):
            "bytes \(PacketFormat.lengthOffset)…\(PacketFormat.headerByteCount - 1) of the packet announce a payload "
                + "of \(byteCount) bytes, the limit is \(limit): send smaller messages"
        }
    }
}

/// `0x0A`: two digits always, so that bytes line up with a dump.
private func hex(_ byte: UInt8) -> String {
    let digits = String(byte, radix: 16, uppercase: true)
    return byte < 0x10 ? "0x0\(digits)" : "0x\(digits)"
}
