// What a connection speaks, as its loop sees it: bytes and time in, bytes out. A session never sees a descriptor, and
// the loop never sees a message, so a further protocol is a further session and no change here.

import ApusReactor

protocol Session {
    /// When `expire` wants to be called; it may be called earlier.
    var deadline: Instant { get }
    /// All is said: send what was written, finish, and close when the peer finishes too.
    var isFinished: Bool { get }

    /// The connection stands.
    mutating func opened(at now: Instant)
    /// Calls were posted, at least one since the last time.
    mutating func attend(at now: Instant)
    /// Bytes the peer sent, from the first one that was not consumed.
    /// - Returns: how many are done with; the rest comes again, with more behind it.
    mutating func receive(_ bytes: RawSpan, at now: Instant) throws(ClientError) -> Int
    /// The time of `deadline` has come. An error ends the connection.
    mutating func expire(at now: Instant) throws(ClientError)
    /// Whatever there is to say now.
    mutating func write(into output: inout OutboundBytes, at now: Instant)
    /// The peer finished; `isInsidePacket` when bytes are left over. Says why the connection ends.
    func reasonToEnd(isInsidePacket: Bool) -> ClientError
    /// The connection has ended: answer whoever waits.
    mutating func end(with error: ClientError)
}
