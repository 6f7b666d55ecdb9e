// Why a buffer is not exactly one packet. Streams never see this: there, bytes that are missing may still come.

/// Thrown by `PacketDecoder.decodeWhole`.
public enum PacketFormatError: Error, Equatable, BitwiseCopyable, Sendable {
    case violation(PacketViolation)
    /// The packet takes `needed` bytes (at least 9, the header), the buffer holds `found`: fewer or more.
    case byteCount(needed: Int, found: Int)
}

extension PacketFormatError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .violation(let violation):
            violation.description
        case .byteCount(let needed, let found):
            "the packet takes \(needed) bytes and the buffer holds \(found): pass exactly one packet"
        }
    }
}
