// Which frame may follow which (RFC 6455 §5.4, §5.5): fragments of one message in order, control frames anywhere
// between them, nothing after a close. One per connection; it keeps counts and no bytes, and must never know what a
// message says.

public struct WebSocketConversation: BitwiseCopyable, Sendable {
    /// What all fragments of a message may have together, inclusive; bytes.
    public let messageByteCountMax: Int
    /// Of the message that has begun, the fragments so far; bytes.
    @usableFromInline var byteCount = 0
    @usableFromInline var progress = Progress.betweenMessages
    @usableFromInline var text = UTF8Stream()

    @usableFromInline
    enum Progress: UInt8, BitwiseCopyable, Sendable {
        case betweenMessages
        case inText
        case inBinary
        /// This side has sent its close frame: only the peer's is still waited for.
        case closing
        /// The peer's close frame has come.
        case closed
    }

    /// - Parameter messageByteCountMax: bytes, inclusive.
    @inlinable
    public init(messageByteCountMax: Int) {
        precondition(messageByteCountMax >= 0, "a limit is not negative")
        self.messageByteCountMax = messageByteCountMax
    }

    /// The peer's close frame has come: what follows it counts for nothing.
    @inlinable public var isClosed: Bool { progress == .closed }

    /// This side sends its close frame: messages that still arrive are ignored until the peer's comes.
    @inlinable
    public mutating func beginClosing() {
        if progress != .closed { progress = .closing }
    }

    /// A frame came. Of a text's parts the bytes have still to be shown to `receiveText`.
    @inlinable
    public mutating func receive(_ frame: WebSocketFrame) -> WebSocketEvent {
        if progress == .betweenMessages, frame.opcode == .binary, frame.isFinal,
            frame.payloadByteCount <= messageByteCountMax
        {
            return .part(WebSocketPart(kind: .binary, isFirst: true, isLast: true))
        }
        return receiveOther(frame)
    }

    /// The frame that ended a binary message in fragments was not taken after all, and will be received again.
    ///
    /// - Parameter byteCount: of its payload.
    public mutating func takeBackEnd(byteCount: Int) {
        precondition(progress == .betweenMessages, "no message has just ended")
        self.byteCount -= byteCount
        progress = .inBinary
    }

    /// The unmasked payload of a part of a text, each part in turn, whole or in pieces.
    ///
    /// - Parameter isLast: these bytes end the message.
    /// - Returns: false when they cannot belong to UTF-8; the violation is `textNotUTF8`.
    public mutating func receiveText(_ payload: RawSpan, isLast: Bool) -> Bool {
        let isAccepted = text.accept(payload) && (!isLast || text.isComplete)
        if isLast || !isAccepted { text = UTF8Stream() }
        return isAccepted
    }
}

// MARK: What is not one whole binary message

extension WebSocketConversation {
    @inline(never)
    @usableFromInline
    mutating func receiveOther(_ frame: WebSocketFrame) -> WebSocketEvent {
        if progress == .closed { return .ignored }
        if frame.opcode == .close {
            progress = .closed
            return .close
        }
        if progress == .closing { return .ignored }
        switch frame.opcode {
        case .text: return begin(frame, .text, .inText)
        case .binary: return begin(frame, .binary, .inBinary)
        case .continuation: return goOn(frame)
        case .ping: return .ping
        case .pong: return .pong
        case .close: preconditionFailure("a close frame was answered above")
        }
    }

    private mutating func begin(
        _ frame: WebSocketFrame, _ kind: WebSocketPart.Kind, _ next: Progress
    ) -> WebSocketEvent {
        guard progress == .betweenMessages else { return .violation(.messageInMessage) }
        byteCount = 0
        return add(frame, kind, isFirst: true, next)
    }

    private mutating func goOn(_ frame: WebSocketFrame) -> WebSocketEvent {
        switch progress {
        case .inText: add(frame, .text, isFirst: false, .inText)
        case .inBinary: add(frame, .binary, isFirst: false, .inBinary)
        case .betweenMessages, .closing, .closed: .violation(.continuationOfNothing)
        }
    }

    private mutating func add(
        _ frame: WebSocketFrame, _ kind: WebSocketPart.Kind, isFirst: Bool, _ next: Progress
    ) -> WebSocketEvent {
        // Neither is negative, and the limit is at least `byteCount`.
        guard frame.payloadByteCount <= messageByteCountMax - byteCount else {
            return .violation(.messageTooLarge(limit: messageByteCountMax))
        }
        byteCount += frame.payloadByteCount
        progress = frame.isFinal ? .betweenMessages : next
        return .part(WebSocketPart(kind: kind, isFirst: isFirst, isLast: frame.isFinal))
    }
}

/// What a frame means in its conversation.
public enum WebSocketEvent: BitwiseCopyable, Equatable, Sendable {
    /// A message, or a fragment of one.
    case part(WebSocketPart)
    /// Answer with a pong of the same payload.
    case ping
    case pong
    /// The peer closes; `WebSocketClosure` reads why. Answer with a close frame unless one was sent, and close.
    case close
    /// It came after a close: nothing is to be done with it.
    case ignored
    /// Send a close frame with its code, and close.
    case violation(WebSocketViolation)
}

/// A frame's place in its message.
public struct WebSocketPart: BitwiseCopyable, Equatable, Sendable {
    public enum Kind: UInt8, BitwiseCopyable, Sendable {
        case text
        case binary
    }

    public var kind: Kind
    public var isFirst: Bool
    public var isLast: Bool

    @inlinable
    public init(kind: Kind, isFirst: Bool, isLast: Bool) {
        self.kind = kind
        self.isFirst = isFirst
        self.isLast = isLast
    }

    /// The frame is the message.
    @inlinable public var isWhole: Bool { isFirst && isLast }
}
