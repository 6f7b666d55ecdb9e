// Packets for SwiftNIO: payloads out of a stream, strict and early, as the C servers and Apus are.
import NIOCore

enum Violation: Error {
    case magic, version, oversize, truncated, invalidUTF8
}

///     0        4    5             9
///     | "NPRO" | 01 | length (BE) | payload        length counts the payload only, at most 16 MiB
enum PacketFormat {
    static let magic: UInt32 = 0x4E50_524F
    static let version: UInt8 = 1
    static let headerByteCount = 9
    static let payloadByteCountMax = 16 * 1024 * 1024
}

struct PacketDecoder: ByteToMessageDecoder {
    typealias InboundOut = ByteBuffer

    /// Takes every whole packet, not one a call: what SwiftNIO does around each call is a quarter of a packet's cost.
    mutating func decode(context: ChannelHandlerContext, buffer: inout ByteBuffer) throws -> DecodingState {
        while let payload = try readPayload(from: &buffer) {
            context.fireChannelRead(wrapInboundOut(payload))
        }
        return .needMoreData
    }

    private func readPayload(from buffer: inout ByteBuffer) throws(Violation) -> ByteBuffer? {
        guard let (magic, version, length) = buffer.peekMultipleIntegers(as: (UInt32, UInt8, UInt32).self) else {
            try checkPrefix(of: buffer)
            return nil
        }
        guard magic == PacketFormat.magic else { throw .magic }
        guard version == PacketFormat.version else { throw .version }
        guard length <= PacketFormat.payloadByteCountMax else { throw .oversize }
        var packet = buffer.readSlice(length: PacketFormat.headerByteCount + Int(length))
        packet?.moveReaderIndex(forwardBy: PacketFormat.headerByteCount)
        return packet
    }

    /// A header not all there: what has come must still be right, so that garbage is refused at its first wrong byte.
    private func checkPrefix(of buffer: ByteBuffer) throws(Violation) {
        var left = buffer
        for expected in "NPRO".utf8 {
            guard let byte = left.readInteger(as: UInt8.self) else { return }
            guard byte == expected else { throw .magic }
        }
        if let version = left.readInteger(as: UInt8.self), version != PacketFormat.version { throw .version }
    }
}
