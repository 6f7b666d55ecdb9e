// What one call of a session did.

public struct TLSStep: Equatable, BitwiseCopyable, Sendable {
    /// Bytes of `wire` that were taken; they need not be offered again.
    public let wireByteCount: Int
    /// Plaintext: bytes that were received, or bytes to send that are sealed by now.
    public let plaintextByteCount: Int
    /// Bytes at the front of `records` that are to be sent, in whatever state. After a failure they are the alert.
    public let recordByteCount: Int
    public let state: TLSState
}

public enum TLSState: Equatable, BitwiseCopyable, Sendable {
    /// More of the wire is needed before there is anything to send or to read.
    case handshaking
    /// All that was offered is done with.
    case open
    /// Records are left over: send what there is and call again, with the rest of `wire` or of the plaintext.
    case wantsRecordRoom
    /// Plaintext is left over: use up what there is and call again, with the rest of `wire`.
    case wantsPlaintextRoom
    /// From `send` or `close` only: the peer is in the middle of a handshake message, and until it is complete nothing
    /// can be sealed. Call again after the next `receive`.
    case wantsWire
    /// close_notify came: nothing further will be read. Sending is still possible until `close`.
    case closedByPeer
    /// The session is over; every further call says so again.
    case failed(TLSFailure)
}
