// What a peer does wrong in frames and messages, each with the code that tells it so (RFC 6455 §7.4).

public enum WebSocketViolation: Error, BitwiseCopyable, Equatable, Hashable, Sendable {
    // Frames (RFC 6455 §5.1, §5.2, §5.5)

    /// RSV bits as three bits, RSV1 highest: no extension was negotiated that gives them a meaning.
    case reservedBits(UInt8)
    case opcode(UInt8)
    /// A client sends masked frames only.
    case notMasked
    /// A server sends none.
    case masked
    case controlFragmented(WebSocketOpcode)
    /// A control frame of more than 125 bytes.
    case controlTooLong
    /// A length that a shorter form could have said.
    case lengthNotShortest
    /// A 64-bit length whose top bit is set.
    case lengthTopBit
    /// More than the limit for one frame; nothing was buffered for it.
    case frameTooLarge(byteCount: Int, limit: Int)

    // Messages (RFC 6455 §5.4)

    /// A continuation, and no message has begun.
    case continuationOfNothing
    /// A text or binary frame, and the message before has not ended.
    case messageInMessage
    /// More than the limit in all fragments together.
    case messageTooLarge(limit: Int)
    /// A text that is not UTF-8 (RFC 6455 §8.1).
    case textNotUTF8

    // Close frames (RFC 6455 §5.5.1, §7.4)

    /// A payload of one byte: a code has two.
    case closePayloadCut
    /// A code that never travels.
    case closeCode(UInt16)
    case closeReasonNotUTF8
}

extension WebSocketViolation {
    /// What a close frame says about it.
    public var closeCode: WebSocketCloseCode {
        switch self {
        case .reservedBits, .opcode, .notMasked, .masked, .controlFragmented, .controlTooLong, .lengthNotShortest,
            .lengthTopBit, .continuationOfNothing, .messageInMessage, .closePayloadCut, .closeCode:
            .protocolError
        case .frameTooLarge, .messageTooLarge: .messageTooBig
        case .textNotUTF8, .closeReasonNotUTF8: .invalidPayload
        }
    }

    /// The same in words, short enough for a close frame.
    public var closeReason: StaticString {
        switch self {
        case .reservedBits: "reserved bits are set"
        case .opcode: "unknown opcode"
        case .notMasked: "a client's frames must be masked"
        case .masked: "a server's frames must not be masked"
        case .controlFragmented: "a control frame is fragmented"
        case .controlTooLong: "a control frame is too long"
        case .lengthNotShortest: "a length is not in its shortest form"
        case .lengthTopBit: "a length has its top bit set"
        case .frameTooLarge, .messageTooLarge: "the message is too large"
        case .continuationOfNothing: "nothing to continue"
        case .messageInMessage: "the message before has not ended"
        case .textNotUTF8: "a text is not UTF-8"
        case .closePayloadCut: "a close frame has one byte"
        case .closeCode: "a close code that may not be sent"
        case .closeReasonNotUTF8: "a close reason is not UTF-8"
        }
    }
}

extension WebSocketViolation: CustomStringConvertible {
    public var description: String {
        switch self {
        case .reservedBits(let bits):
            "RSV bits \(bits >> 2 & 1)\(bits >> 1 & 1)\(bits & 1) are set, and no extension was negotiated"
        case .opcode(let opcode): "opcode \(opcode) has no meaning"
        case .controlFragmented(let opcode): "a \(opcode) frame is fragmented"
        case .frameTooLarge(let byteCount, let limit):
            "a frame announces \(byteCount) bytes, the limit is \(limit): send smaller messages"
        case .messageTooLarge(let limit): "the fragments of a message pass the limit of \(limit) bytes"
        case .closeCode(let code): "close code \(code) may not be sent"
        case .notMasked, .masked, .controlTooLong, .lengthNotShortest, .lengthTopBit, .continuationOfNothing,
            .messageInMessage, .textNotUTF8, .closePayloadCut, .closeReasonNotUTF8:
            "\(closeReason)"
        }
    }
}
