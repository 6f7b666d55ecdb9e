// One connection's TLS session and the plaintext that waits to be sealed.

import ApusReactor
import ApusSecurity

package struct TLSConnection: ~Copyable {
    var session: TLSSession
    /// Replies of this turn. At its end they are sealed into the connection's outbound bytes, so between turns nothing
    /// is here.
    var plaintext = Outbound()
    /// Our close_notify is written, or the session has failed: nothing may be sealed any more.
    var isClosed = false
    /// The peer's close_notify came: what follows is not its.
    var isClosedByPeer = false

    /// The handshake is complete, and counted.
    var hasKeys = false

    /// When the record that is not whole began to arrive.
    var recordSince = Instant.never

    init(_ session: consuming TLSSession) { self.session = session }

    /// What client certificates prove, where the listener asks for them.
    var proof: PeerProof { session.peerCertificate.map { .certificate($0) } ?? .none }
}
