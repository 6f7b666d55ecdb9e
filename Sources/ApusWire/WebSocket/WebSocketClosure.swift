// Why a conversation ends: the code and the reason of a close frame (RFC 6455 §5.5.1, §7.4). It must never know who
// closes first, nor how long one waits.

/// A close code; those from 3000 on belong to applications, so this is a number with names.
public struct WebSocketCloseCode: RawRepresentable, BitwiseCopyable, Hashable, Sendable {
    public let rawValue: UInt16

    public init(rawValue: UInt16) { self.rawValue = rawValue }

    public static let normal = WebSocketCloseCode(rawValue: 1000)
    public static let goingAway = WebSocketCloseCode(rawValue: 1001)
    public static let protocolError = WebSocketCloseCode(rawValue: 1002)
    public static let unsupportedData = WebSocketCloseCode(rawValue: 1003)
    public static let invalidPayload = WebSocketCloseCode(rawValue: 1007)
    public static let policyViolation = WebSocketCloseCode(rawValue: 1008)
    public static let messageTooBig = WebSocketCloseCode(rawValue: 1009)
    public static let internalError = WebSocketCloseCode(rawValue: 1011)
    public static let serviceRestart = WebSocketCloseCode(rawValue: 1012)
    public static let tryAgainLater = WebSocketCloseCode(rawValue: 1013)

    /// Whether it may stand in a close frame: 1004, 1005, 1006 and 1015 are reserved, and so is what nobody registered
    /// (RFC 6455 §7.4.2, and IANA's registry for 1012 … 1014).
    public var mayBeSent: Bool {
        switch rawValue {
        case 1000...1003, 1007...1014, 3000...4999: true
        default: false
        }
    }
}

/// The payload of a close frame, unmasked.
public struct WebSocketClosure: Equatable, Sendable {
    /// Nil when the frame gave none.
    public let code: WebSocketCloseCode?
    /// UTF-8, as offsets into the payload.
    public let reason: Range<Int>

    /// - Parameter payload: of the close frame, at most 125 bytes, unmasked.
    public init(payload: RawSpan) throws(WebSocketViolation) {
        guard !payload.isEmpty else {
            (code, reason) = (nil, 0..<0)
            return
        }
        guard payload.byteCount >= 2 else { throw .closePayloadCut }
        let code = WebSocketCloseCode(rawValue: payload.bigEndian16(at: 0))
        guard code.mayBeSent else { throw .closeCode(code.rawValue) }
        let reason = 2..<payload.byteCount
        let text = payload.extracting(reason)
        guard UTF8Validation.firstInvalidOffset(in: text) == nil else { throw .closeReasonNotUTF8 }
        (self.code, self.reason) = (code, reason)
    }
}
