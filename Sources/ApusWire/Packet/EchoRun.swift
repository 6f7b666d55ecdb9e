// Finds packets whose answer is the packet itself. A busy peer sends them by the dozen: seen as one run they are one
// copy, with nothing decided or stored for each.

/// Packets side by side that are each one well-formed Echo and nothing else.
public struct EchoRun: Equatable, BitwiseCopyable, Sendable {
    public var packetCount: UInt64
    /// All of them, headers too; the next packet starts behind.
    public var byteCount: Int

    public init(packetCount: UInt64, byteCount: Int) {
        self.packetCount = packetCount
        self.byteCount = byteCount
    }
}

extension PacketDecoder {
    /// Where Echo's text starts: behind header, discriminant and length.
    private static let echoTextOffset =
        PacketFormat.headerByteCount + MessageFormat.discriminantByteCount + MessageFormat.lengthByteCount

    /// The run that `bytes` start with. It ends before the first packet that is anything else: cut, malformed, with
    /// bytes behind its text, of another kind, or one that starts at `byteCountMax` or behind it. What that is, `step`
    /// tells.
    public func leadingEchoes(of bytes: RawSpan, byteCountMax: Int) -> EchoRun {
        var run = EchoRun(packetCount: 0, byteCount: 0)
        while run.byteCount < byteCountMax, let byteCount = echo(bytes, at: run.byteCount) {
            // The run lies within the bytes, and there are fewer packets than bytes.
            run.byteCount &+= byteCount
            run.packetCount &+= 1
        }
        return run
    }

    /// The size of the packet at `offset`, if it is such an Echo. Every sum is of lengths that lie within the bytes.
    @inline(__always)
    private func echo(_ bytes: RawSpan, at offset: Int) -> Int? {
        let available = bytes.byteCount &- offset
        guard available >= PacketDecoder.echoTextOffset else { return nil }
        // Header, discriminant and text length are 21 bytes: they are there, as checked, and any bytes are numbers.
        let prefix = unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self)
        let announced = unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset &+ 5, as: UInt32.self)
        let kind = unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset &+ 9, as: UInt32.self)
        let textByteCount = unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset &+ 13, as: UInt64.self)
        let length = Int(UInt32(bigEndian: announced))
        let byteCount = length &+ PacketFormat.headerByteCount
        let isEcho = UInt64(littleEndian: prefix) & PacketFormat.prefixMask == PacketFormat.prefix
            && UInt32(littleEndian: kind) == MessageKind.echo.rawValue
        guard isEcho, length <= payloadByteCountMax, PacketDecoder.echoTextOffset...available ~= byteCount,
            UInt64(littleEndian: textByteCount) == UInt64(byteCount &- PacketDecoder.echoTextOffset)
        else { return nil }
        let text = bytes.extracting(offset &+ PacketDecoder.echoTextOffset..<offset &+ byteCount)
        return UTF8Validation.firstInvalidOffset(in: text) == nil ? byteCount : nil
    }
}
