// Puts the header in front of a payload (NPRO §1.1).

public enum PacketEncoder {
    /// Write the 9 bytes of a header. Oversize is never sent: the peer would only close, so asking for it is a
    /// programmer's error.
    @_lifetime(output: copy output)
    @inlinable
    public static func writeHeader(payloadByteCount: Int, into output: inout OutputRawSpan) {
        precondition(0...PacketFormat.payloadByteCountMax ~= payloadByteCount, "a payload has 0 … 16 MiB")
        // The prefix's lower four bytes are the magic.
        output.append(littleEndian: UInt32(truncatingIfNeeded: PacketFormat.prefix))
        output.append(PacketFormat.version)
        output.append(bigEndian: UInt32(payloadByteCount))
    }

    /// A whole packet, for clients and tests.
    public static func encode(_ message: Message) -> [UInt8] {
        let payloadByteCount = MessageEncoder.byteCount(of: message)
        let byteCount = PacketFormat.headerByteCount + payloadByteCount
        return unsafe Array(unsafeUninitializedCapacity: byteCount) { buffer, count in
            // The output lives inside this closure only, as the buffer does.
            var output = unsafe OutputRawSpan(buffer: UnsafeMutableRawBufferPointer(buffer), initializedCount: 0)
            writeHeader(payloadByteCount: payloadByteCount, into: &output)
            MessageEncoder.encode(message, into: &output)
            count = unsafe output.finalize(for: UnsafeMutableRawBufferPointer(buffer))
        }
    }
}
