// What a payload turned out to be.

/// The answer of `MessageDecoder.step`. There is no "incomplete": a packet holds a whole message or a wrong one.
public enum MessageStep: Equatable, BitwiseCopyable, Sendable {
    case message(MessageLayout)
    case violation(MessageViolation)
}
