// A Transport message as it lies in a client's frame, still masked: what a relay needs of it, and how it goes on
// without ever being unmasked where it lies (relay.md §1.3.3).

public enum RelayTransport {
    /// Whether a message is a Transport.
    ///
    /// - Parameters:
    ///   - message: a frame's payload, masked.
    ///   - key: the frame's; 0 for none.
    @inlinable
    @inline(__always)
    public static func isTransport(_ message: RawSpan, maskedWith key: UInt32) -> Bool {
        guard message.byteCount >= RelayFormat.transportHeaderByteCount else { return false }
        // Version and type, the first in the lower byte.
        return message.littleEndian32(at: 0) & 0xFFFF ^ key & 0xFFFF == 0x0301
    }

    /// Who is to have it. The message must be a Transport.
    @inlinable
    @inline(__always)
    public static func destination(of message: RawSpan, maskedWith key: UInt32) -> PeerID {
        PeerID(masked: message, at: RelayFormat.headerByteCount, key: key, phase: RelayFormat.headerByteCount)
    }

    /// Append the message as its destination gets it: the slot says whom it is from, the datagram is unmasked while it
    /// is copied. There must be room for as many bytes as the message has.
    @_lifetime(output: copy output)
    @inlinable
    @inline(__always)
    public static func append(
        _ message: RawSpan, maskedWith key: UInt32, from source: PeerID, to output: inout OutputRawSpan
    ) {
        RelayEncoder.writeTransportHeader(source, into: &output)
        WebSocketMask.append(
            message.extracting(droppingFirst: RelayFormat.transportHeaderByteCount), unmaskedWith: key,
            phase: RelayFormat.transportHeaderByteCount, to: &output)
    }
}
