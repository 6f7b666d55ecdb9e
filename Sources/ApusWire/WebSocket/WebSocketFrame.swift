// One WebSocket frame as its header tells it (RFC 6455 §5.2). Offsets only: the payload stays where it is, masked as it
// came. It must never know of messages.

///      0               1               2               3
///     +-+-+-+-+-------+-+-------------+-------------------------------+
///     |F|R|R|R| opcode|M| length, 7 b |  extended length, u16 or u64  |
///     |I|S|S|S|  4 b  |A|   0…125     |  BE: u16 when the 7 bits say  |
///     |N|V|V|V|       |S| 126 or 127  |  126, u64 when they say 127   |
///     | |1|2|3|       |K|             |                               |
///     +-+-+-+-+-------+-+-------------+- - - - - - - - - - - - - - - -+
///     |  masking key, 4 bytes, when MASK is set       |  payload …
///     +- - - - - - - - - - - - - - - - - - - - - - - -+- - - - - -  -
///
/// Without extensions the three RSV bits are zero.
public struct WebSocketFrame: BitwiseCopyable, Equatable, Sendable {
    /// The last, or only, frame of its message.
    public var isFinal: Bool
    public var opcode: WebSocketOpcode
    /// As it lies in memory, the first byte lowest; 0 when the frame is not masked.
    public var maskingKey: UInt32
    /// A range is not bitwise copyable, its ends are.
    @usableFromInline let payloadStart: Int
    /// Where the next frame starts.
    public let end: Int

    @inlinable
    public init(isFinal: Bool, opcode: WebSocketOpcode, maskingKey: UInt32, payload: Range<Int>) {
        self.isFinal = isFinal
        self.opcode = opcode
        self.maskingKey = maskingKey
        payloadStart = payload.lowerBound
        end = payload.upperBound
    }

    /// Where the payload lies in the bytes that were examined.
    @inlinable public var payload: Range<Int> {
        // The ends of a range, in order.
        unsafe Range(uncheckedBounds: (payloadStart, end))
    }

    /// Bytes of payload.
    @inlinable public var payloadByteCount: Int { end &- payloadStart }  // in order, both offsets into one buffer
}

/// What a frame is for (RFC 6455 §11.8).
public enum WebSocketOpcode: UInt8, BitwiseCopyable, CaseIterable, Sendable {
    case continuation = 0
    case text = 1
    case binary = 2
    case close = 8
    case ping = 9
    case pong = 10

    /// Close, ping and pong: never fragmented, and at most 125 bytes (RFC 6455 §5.5).
    @inlinable public var isControl: Bool { rawValue >= 8 }
}

/// Who reads. A client masks every frame, a server none (RFC 6455 §5.1).
public enum WebSocketRole: BitwiseCopyable, Sendable {
    case server
    case client
}

/// The constants of frames (RFC 6455 §5.2).
public enum WebSocketFormat {
    public static let controlPayloadByteCountMax = 125
    /// A close frame's payload is two bytes of code and the reason.
    public static let closeReasonByteCountMax = controlPayloadByteCountMax - 2
    public static let maskingKeyByteCount = 4
    /// The longest header: two bytes, a u64 length, a masking key.
    public static let headerByteCountMax = 14

    @usableFromInline static let finalBit: UInt8 = 0x80
    @usableFromInline static let reservedBits: UInt8 = 0x70
    @usableFromInline static let maskBit: UInt8 = 0x80
    /// What the seven length bits say when the length is a u16, or a u64.
    @usableFromInline static let lengthIsTwoBytes = 126
    @usableFromInline static let lengthIsEightBytes = 127
}
