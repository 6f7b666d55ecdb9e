// Writes messages, bare: the packet's header is `PacketEncoder`'s. It writes into room that the caller has reserved.

/// bincode's layout, fixed width (NPRO §1.2). Every function needs the room that its `byteCount` form tells.
public enum MessageEncoder {
    // MARK: From spans, for replies that never own their bytes

    @inlinable
    public static func byteCountOfEcho(textByteCount: Int) -> Int {
        MessageFormat.discriminantByteCount + MessageFormat.lengthByteCount + textByteCount
    }

    @inlinable
    public static func byteCountOfCustom(commandByteCount: Int, contentByteCount: Int) -> Int {
        MessageFormat.discriminantByteCount
            + MessageFormat.lengthByteCount + commandByteCount
            + MessageFormat.lengthByteCount + contentByteCount
    }

    /// Ping, Pong, Disconnect and Unknown: the kinds that are their discriminant and nothing else.
    @_lifetime(output: copy output)
    @inlinable
    public static func encodeBare(_ kind: MessageKind, into output: inout OutputRawSpan) {
        output.append(littleEndian: kind.rawValue)
    }

    /// - Parameter text: UTF-8.
    @_lifetime(output: copy output)
    @inlinable
    public static func encodeEcho(text: RawSpan, into output: inout OutputRawSpan) {
        output.append(littleEndian: MessageKind.echo.rawValue)
        encodeRun(text, into: &output)
    }

    /// - Parameters:
    ///   - command: UTF-8.
    ///   - content: any bytes.
    @_lifetime(output: copy output)
    @inlinable
    public static func encodeCustom(command: RawSpan, content: RawSpan, into output: inout OutputRawSpan) {
        output.append(littleEndian: MessageKind.custom.rawValue)
        encodeRun(command, into: &output)
        encodeRun(content, into: &output)
    }

    /// A length and that many bytes.
    @_lifetime(output: copy output)
    @inlinable
    static func encodeRun(_ bytes: RawSpan, into output: inout OutputRawSpan) {
        output.append(littleEndian: UInt64(bytes.byteCount))
        output.append(copying: bytes)
    }

    // MARK: From owned messages

    /// Bytes that `encode(_:into:)` writes.
    public static func byteCount(of message: Message) -> Int {
        switch message {
        case .ping, .pong, .disconnect, .unknown:
            MessageFormat.discriminantByteCount
        case .handshakeInit:
            MessageFormat.discriminantByteCount + MessageFormat.publicKeyByteCount
                + MessageFormat.timestampByteCount + MessageFormat.nonceByteCount
        case .handshakeResponse:
            MessageFormat.discriminantByteCount + MessageFormat.publicKeyByteCount
                + MessageFormat.nonceByteCount + MessageFormat.verificationByteCount
        case .handshakeConfirm:
            MessageFormat.discriminantByteCount + MessageFormat.verificationByteCount
        case .echo(let text):
            byteCountOfEcho(textByteCount: text.utf8.count)
        case .custom(let command, let payload):
            byteCountOfCustom(commandByteCount: command.utf8.count, contentByteCount: payload.count)
        }
    }

    @_lifetime(output: copy output)
    public static func encode(_ message: Message, into output: inout OutputRawSpan) {
        switch message {
        case .ping, .pong, .disconnect, .unknown:
            encodeBare(message.kind, into: &output)
        case .handshakeInit(let publicKey, let timestampMilliseconds, let nonce):
            encodeBare(.handshakeInit, into: &output)
            encodeFixed(publicKey, byteCount: MessageFormat.publicKeyByteCount, into: &output)
            output.append(littleEndian: timestampMilliseconds)
            encodeFixed(nonce, byteCount: MessageFormat.nonceByteCount, into: &output)
        case .handshakeResponse(let publicKey, let nonce, let verification):
            encodeBare(.handshakeResponse, into: &output)
            encodeFixed(publicKey, byteCount: MessageFormat.publicKeyByteCount, into: &output)
            encodeFixed(nonce, byteCount: MessageFormat.nonceByteCount, into: &output)
            encodeFixed(verification, byteCount: MessageFormat.verificationByteCount, into: &output)
        case .handshakeConfirm(let verification):
            encodeBare(.handshakeConfirm, into: &output)
            encodeFixed(verification, byteCount: MessageFormat.verificationByteCount, into: &output)
        case .echo(let text):
            encodeEcho(text: text.utf8Span.span.octets, into: &output)
        case .custom(let command, let payload):
            encodeCustom(command: command.utf8Span.span.octets, content: payload.span.octets, into: &output)
        }
    }

    @_lifetime(output: copy output)
    static func encodeFixed(_ bytes: [UInt8], byteCount: Int, into output: inout OutputRawSpan) {
        precondition(bytes.count == byteCount, "this field has exactly \(byteCount) bytes")
        output.append(copying: bytes.span.octets)
    }
}
