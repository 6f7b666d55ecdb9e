// Messages in a packet's payload, and the packets that answer them. A payload is one bincode value: u32 LE
// discriminant, then the fields; a String or a byte vector is a u64 LE count and its bytes. Bytes after the value are
// allowed and ignored; a discriminant of 8 or more is a legal unknown message.
import NIOCore

/// What a message asks for; all that get no reply are one.
enum Request {
    case ping
    case echo(text: ByteBuffer)
    case ignored

    init(decoding payload: ByteBuffer) throws(Violation) {
        var payload = payload
        guard let discriminant = payload.readInteger(endianness: .little, as: UInt32.self) else { throw .truncated }
        self = .ignored
        switch discriminant {
        case Discriminant.echo: self = .echo(text: try payload.narrowed(to: payload.readText()))
        case Discriminant.ping: self = .ping
        case Discriminant.handshakeInit: try payload.require(56)
        case Discriminant.handshakeResponse: try payload.require(80)
        case Discriminant.handshakeConfirm: try payload.require(32)
        case Discriminant.custom:
            _ = try payload.readText()
            _ = try payload.readField()
        default: break
        }
    }
}

private enum Discriminant {
    static let ping: UInt32 = 0
    static let pong: UInt32 = 1
    static let handshakeInit: UInt32 = 2
    static let handshakeResponse: UInt32 = 3
    static let handshakeConfirm: UInt32 = 4
    static let echo: UInt32 = 5
    static let custom: UInt32 = 7
}

extension ByteBuffer {
    mutating func writePong() {
        writeMultipleIntegers(PacketFormat.magic, PacketFormat.version, UInt32(4))
        writeInteger(Discriminant.pong, endianness: .little)
    }

    /// One write: each of SwiftNIO's own checks the buffer anew.
    mutating func writeEcho(_ text: ByteBuffer) {
        let textByteCount = text.readableBytes
        let packetByteCount = PacketFormat.headerByteCount + 12 + textByteCount
        _ = writeWithUnsafeMutableBytes(minimumWritableBytes: packetByteCount) { packet in
            packet.storeBytes(of: PacketFormat.magic.bigEndian, toByteOffset: 0, as: UInt32.self)
            packet.storeBytes(of: PacketFormat.version, toByteOffset: 4, as: UInt8.self)
            packet.storeBytes(of: UInt32(12 + textByteCount).bigEndian, toByteOffset: 5, as: UInt32.self)
            packet.storeBytes(of: Discriminant.echo.littleEndian, toByteOffset: 9, as: UInt32.self)
            packet.storeBytes(of: UInt64(textByteCount).littleEndian, toByteOffset: 13, as: UInt64.self)
            text.withUnsafeReadableBytes { UnsafeMutableRawBufferPointer(rebasing: packet[21...]).copyMemory(from: $0) }
            return packetByteCount
        }
    }

    /// The same storage with nothing readable but these bytes: no second slice to retain.
    fileprivate func narrowed(to bytes: Range<Int>) -> ByteBuffer {
        var narrowed = self
        narrowed.moveReaderIndex(to: bytes.lowerBound)
        narrowed.moveWriterIndex(to: bytes.upperBound)
        return narrowed
    }

    fileprivate func require(_ byteCount: Int) throws(Violation) {
        guard readableBytes >= byteCount else { throw .truncated }
    }

    /// Reads a counted field and answers where it lies.
    fileprivate mutating func readField() throws(Violation) -> Range<Int> {
        guard let announced = readInteger(endianness: .little, as: UInt64.self), announced <= readableBytes else {
            throw .truncated
        }
        let start = readerIndex
        moveReaderIndex(forwardBy: Int(announced))
        return start..<readerIndex
    }

    fileprivate mutating func readText() throws(Violation) -> Range<Int> {
        let text = try readField()
        let bytes = narrowed(to: text)
        do { _ = try UTF8Span(validating: bytes.readableBytesUInt8Span) } catch { throw .invalidUTF8 }
        return text
    }
}
