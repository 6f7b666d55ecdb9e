// What a session reports of the bytes it was given. A session decodes and answers; it never reads, sends or closes.

/// Why a session stopped.
package enum SessionStop: BitwiseCopyable {
    /// All whole packets are answered; the next attempt needs this many bytes.
    case incomplete(byteCountNeeded: Int)
    /// Replies wait, or an asynchronous request must end first: the rest stays undecoded.
    case paused
    /// What follows is spoken differently: the connection's protection has changed.
    case changed
    /// The connection ends once its replies are sent.
    case finish(CloseReason)
}

package struct SessionProgress: BitwiseCopyable {
    /// Bytes that were answered and may be forgotten.
    package var consumedByteCount: Int
    package var stop: SessionStop
}

/// What is to become of the packet at hand.
enum Verdict: BitwiseCopyable {
    /// Answered: on to the next.
    case next
    /// Not now: it stays undecoded.
    case pause
    /// Answered, and what follows is spoken differently.
    case changed
    case finish(CloseReason)
}
