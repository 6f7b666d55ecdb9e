// Writes frames (RFC 6455 §5.2), each length in its shortest form. It must never know of messages: whoever fragments
// one says so frame by frame.

public enum WebSocketEncoder {
    /// Bytes that `writeHeader` writes: 2 … 14.
    @inlinable
    public static func headerByteCount(payloadByteCount: Int, isMasked: Bool) -> Int {
        let lengthEnd = payloadByteCount <= 125 ? 2 : payloadByteCount <= 0xFFFF ? 4 : 10
        return isMasked ? lengthEnd + WebSocketFormat.maskingKeyByteCount : lengthEnd
    }

    /// Write a header; the payload is the caller's, masked with the same key.
    ///
    /// - Parameters:
    ///   - payloadByteCount: at most 125 for control frames.
    ///   - maskingKey: as it lies in memory, the first byte lowest; nil from a server.
    @_lifetime(output: copy output)
    @inlinable
    public static func writeHeader(
        _ opcode: WebSocketOpcode, isFinal: Bool = true, payloadByteCount: Int, maskingKey: UInt32? = nil,
        into output: inout OutputRawSpan
    ) {
        precondition(payloadByteCount >= 0, "a length is not negative")
        precondition(
            !opcode.isControl || isFinal && payloadByteCount <= WebSocketFormat.controlPayloadByteCountMax,
            "a control frame is whole and has at most 125 bytes")
        let mask = maskingKey == nil ? 0 : WebSocketFormat.maskBit
        output.append(opcode.rawValue | (isFinal ? WebSocketFormat.finalBit : 0))
        if payloadByteCount <= 125 {
            output.append(mask | UInt8(payloadByteCount))
        } else if payloadByteCount <= 0xFFFF {
            output.append(mask | UInt8(WebSocketFormat.lengthIsTwoBytes))
            output.append(bigEndian: UInt16(payloadByteCount))
        } else {
            output.append(mask | UInt8(WebSocketFormat.lengthIsEightBytes))
            output.append(bigEndian: UInt64(payloadByteCount))
        }
        if let maskingKey { output.append(littleEndian: maskingKey) }
    }

    /// A whole frame: header and payload, masked when there is a key. It must have room for both.
    @_lifetime(output: copy output)
    @inlinable
    public static func writeFrame(
        _ opcode: WebSocketOpcode, isFinal: Bool = true, payload: RawSpan, maskingKey: UInt32? = nil,
        into output: inout OutputRawSpan
    ) {
        writeHeader(
            opcode, isFinal: isFinal, payloadByteCount: payload.byteCount, maskingKey: maskingKey, into: &output)
        WebSocketMask.append(payload, unmaskedWith: maskingKey ?? 0, to: &output)
    }
}

// MARK: Control frames (RFC 6455 §5.5)

extension WebSocketEncoder {
    /// The most that one of them takes, so that room can be asked for at once.
    public static let controlFrameByteCountMax =
        2 + WebSocketFormat.maskingKeyByteCount + WebSocketFormat.controlPayloadByteCountMax

    /// - Parameter payload: at most 125 bytes.
    @_lifetime(output: copy output)
    public static func writePing(_ payload: RawSpan, maskingKey: UInt32? = nil, into output: inout OutputRawSpan) {
        writeFrame(.ping, payload: payload, maskingKey: maskingKey, into: &output)
    }

    /// - Parameter payload: that of the ping it answers.
    @_lifetime(output: copy output)
    public static func writePong(_ payload: RawSpan, maskingKey: UInt32? = nil, into output: inout OutputRawSpan) {
        writeFrame(.pong, payload: payload, maskingKey: maskingKey, into: &output)
    }

    /// - Parameters:
    ///   - code: one that may be sent; nil for a close frame without payload.
    ///   - reason: UTF-8; of more than 123 bytes as many whole characters as fit. None without a code.
    @_lifetime(output: copy output)
    public static func writeClose(
        _ code: WebSocketCloseCode?, reason: RawSpan = RawSpan(), maskingKey: UInt32? = nil,
        into output: inout OutputRawSpan
    ) {
        guard let code else {
            return writeHeader(.close, payloadByteCount: 0, maskingKey: maskingKey, into: &output)
        }
        precondition(code.mayBeSent, "this code never travels")
        let text = reason.extracting(0..<closeReasonByteCount(of: reason))
        writeHeader(.close, payloadByteCount: 2 + text.byteCount, maskingKey: maskingKey, into: &output)
        let key = maskingKey ?? 0
        // The key's first two bytes mask the code, the reason goes on with the third.
        output.append(storing: code.rawValue.bigEndian ^ UInt16(truncatingIfNeeded: key).littleEndian)
        WebSocketMask.append(text, unmaskedWith: key, phase: 2, to: &output)
    }

    /// The same with a reason that the program has.
    @_lifetime(output: copy output)
    public static func writeClose(
        _ code: WebSocketCloseCode, reason: StaticString, maskingKey: UInt32? = nil, into output: inout OutputRawSpan
    ) {
        reason.withUTF8Buffer { text in
            // The buffer lives as long as the program.
            let bytes = unsafe text.span.octets
            writeClose(code, reason: bytes, maskingKey: maskingKey, into: &output)
        }
    }

    /// Where a reason of at most 123 bytes ends: never within a character.
    static func closeReasonByteCount(of reason: RawSpan) -> Int {
        guard reason.byteCount > WebSocketFormat.closeReasonByteCountMax else { return reason.byteCount }
        var end = WebSocketFormat.closeReasonByteCountMax
        while end > 0, reason.byte(at: end) & 0xC0 == 0x80 { end -= 1 }
        return end
    }
}
