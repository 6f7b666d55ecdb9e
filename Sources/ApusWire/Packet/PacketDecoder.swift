// Finds packets in bytes that have arrived. It holds a limit and no bytes, so whoever calls it decides where the bytes
// live and how many of them; it must never know of connections or messages.

/// Strict and early (NPRO §1.1): refuses what it can as soon as the byte is there, before any of the body is buffered.
public struct PacketDecoder: BitwiseCopyable, Sendable {
    /// The largest payload that is accepted, inclusive.
    public let payloadByteCountMax: Int

    /// - Parameter payloadByteCountMax: bytes, inclusive; at most `PacketFormat.payloadByteCountMax`.
    @inlinable
    public init(payloadByteCountMax: Int = PacketFormat.payloadByteCountMax) {
        precondition(0...PacketFormat.payloadByteCountMax ~= payloadByteCountMax, "a limit is 0 … 16 MiB")
        self.payloadByteCountMax = payloadByteCountMax
    }

    /// Examine the packet that starts at `offset` (0 … `bytes.byteCount`).
    ///
    /// Refuses a wrong magic byte at that byte, a wrong version at byte 5 and an oversize length at byte 9, however few
    /// bytes are there.
    @inlinable
    @inline(__always)
    public func step(_ bytes: RawSpan, at offset: Int) -> PacketStep {
        precondition(0...bytes.byteCount ~= offset, "a packet starts within the bytes")
        let available = bytes.byteCount - offset
        guard available >= PacketFormat.headerByteCount,
            bytes.littleEndian64(at: offset) & PacketFormat.prefixMask == PacketFormat.prefix
        else { return stepCut(bytes, at: offset) }
        // Nine bytes are there, and `byteCount` are before they are added: no sum here passes `bytes.byteCount`.
        let length = Int(bytes.bigEndian32(at: offset &+ PacketFormat.lengthOffset))
        guard length <= payloadByteCountMax else { return stepOversize(length) }
        let byteCount = PacketFormat.headerByteCount + length
        guard available >= byteCount else { return .incomplete(byteCountNeeded: byteCount) }
        let payload = (offset &+ PacketFormat.headerByteCount, offset &+ byteCount)
        // In order, since a length is not negative.
        return .packet(payload: unsafe Range(uncheckedBounds: payload))
    }

    @inlinable
    func stepOversize(_ length: Int) -> PacketStep {
        .violation(.oversize(byteCount: UInt32(length), limit: payloadByteCountMax))
    }

    /// A header that is cut or wrong: look at its first bytes one by one.
    @inline(never)
    @usableFromInline
    func stepCut(_ bytes: RawSpan, at start: Int) -> PacketStep {
        let rest = bytes.extracting(start..<bytes.byteCount)
        for offset in 0..<min(rest.byteCount, PacketFormat.magic.count) {
            let found = rest.byte(at: offset)
            guard found == PacketFormat.magic[offset] else { return .violation(.magic(offset: offset, found: found)) }
        }
        if rest.byteCount > PacketFormat.versionOffset {
            let found = rest.byte(at: PacketFormat.versionOffset)
            guard found == PacketFormat.version else { return .violation(.version(found)) }
        }
        return .incomplete(byteCountNeeded: PacketFormat.headerByteCount)
    }

    /// The strict form, for a buffer that is exactly one packet: the length must equal the bytes present (NPRO §1.1).
    ///
    /// - Returns: where the payload lies in `bytes`.
    public func decodeWhole(_ bytes: RawSpan) throws(PacketFormatError) -> Range<Int> {
        switch step(bytes, at: 0) {
        case .violation(let violation):
            throw .violation(violation)
        case .incomplete(let byteCountNeeded):
            throw .byteCount(needed: byteCountNeeded, found: bytes.byteCount)
        case .packet(let payload):
            guard payload.upperBound == bytes.byteCount else {
                throw .byteCount(needed: payload.upperBound, found: bytes.byteCount)
            }
            return payload
        }
    }
}
