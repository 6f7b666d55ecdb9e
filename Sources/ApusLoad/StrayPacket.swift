// A packet that is not the expected reply. It is read only as far as it takes to know what it is and where it ends.

import ApusWire

struct StrayPacket: BitwiseCopyable {
    enum Verdict: Equatable {
        /// More bytes are needed.
        case unfinished
        /// The server asks whether we are there.
        case ping
        /// The server is about to end and asks us to leave.
        case disconnect
        /// Whole, and neither of these nor what was expected.
        case wrong
        /// Not a packet: nothing behind it can be read.
        case broken
    }

    private static let headByteCountMax = PacketFormat.headerByteCount + MessageFormat.discriminantByteCount

    /// The header and, as far as it goes, the discriminant.
    private var head = InlineArray<13, UInt8>(repeating: 0)
    private var headByteCount = 0
    /// What the head counts as well.
    private var byteCountSeen = 0
    /// Nine until the length is known.
    private var byteCount = PacketFormat.headerByteCount

    /// Takes the packet's next bytes off the front of `bytes`.
    mutating func take(from bytes: inout UnsafeRawBufferPointer) -> Verdict {
        while byteCountSeen < byteCount {
            guard let first = bytes.first else { return .unfinished }
            if headByteCount < StrayPacket.headByteCountMax {
                head[headByteCount] = first
                headByteCount += 1
                skip(1, of: &bytes)
                if byteCountSeen <= PacketFormat.headerByteCount, !readHeader() { return .broken }
            } else {
                skip(min(bytes.count, byteCount - byteCountSeen), of: &bytes)
            }
        }
        return switch kind {
        case MessageKind.ping.rawValue: .ping
        case MessageKind.disconnect.rawValue: .disconnect
        default: .wrong
        }
    }

    private mutating func skip(_ count: Int, of bytes: inout UnsafeRawBufferPointer) {
        bytes = UnsafeRawBufferPointer(rebasing: bytes.dropFirst(count))
        byteCountSeen += count
    }

    /// False when these bytes start no packet.
    private mutating func readHeader() -> Bool {
        switch PacketDecoder().step(head.span.bytes.extracting(first: headByteCount), at: 0) {
        case .incomplete(let byteCountNeeded): byteCount = byteCountNeeded
        case .packet(let payload): byteCount = payload.upperBound
        case .violation: return false
        }
        return true
    }

    /// The message's discriminant, little-endian; nil where there is none.
    private var kind: UInt32? {
        guard headByteCount == StrayPacket.headByteCountMax else { return nil }
        let start = PacketFormat.headerByteCount
        return (0..<MessageFormat.discriminantByteCount).reduce(0) { kind, offset in
            kind | UInt32(head[start + offset]) << (UInt32(offset) * 8)
        }
    }
}
