// One peer of the generator: how far its login is, what it has sent and heard, and what the kernel holds of it.

import ApusReactor
import ApusWire

/// The states, in the order in which they are passed; a connect that fails goes straight to the last.
///
///     unopened ──▶ connecting ──▶ (securing) ──▶ upgrading ──101──▶ authenticating ──AuthResponse──▶ open ──▶
///     closing ──bits clear──▶ closed
///
/// What makes peers anew takes a closed one back to connecting.
enum RelayPeerState: UInt8 {
    case unopened, connecting, securing, upgrading, authenticating, open, closing, closed
}

struct RelayPeer: BitwiseCopyable {
    var state = RelayPeerState.unopened
    var socket = Descriptor(-1)
    /// Listed for the flush at the end of this turn.
    var isTouched = false

    // What the kernel holds. The socket is closed only when neither is set.
    var receiving = false
    var sending = false
    /// A cancel of both is on its way.
    var cancelling = false

    var id = PeerID.zero
    /// What the answer to the upgrade must say.
    var accept = [28 of UInt8](repeating: 0)
    /// When its connect began.
    var begun = Instant.never

    /// The peer that it hears from and sends to.
    var partner = 0
    /// Its place among those that send on a schedule.
    var flow = 0
    /// Datagrams to send, and those that were written.
    var owed = 0
    var written = 0
    /// The number of the next datagram of its partner's.
    var expected = 0

    /// Bytes of an unfinished frame or head that wait in its memory for the rest.
    var heldByteCount = 0
    /// Bytes written into its outgoing memory, and how many of them the kernel has taken. Both fall to zero when all
    /// are gone; until then what is in flight stays where it is.
    var filledByteCount = 0
    var takenByteCount = 0
    /// Protected: the channel's bytes that are in flight, a rest after a short send.
    var flight = UnsafeRawBufferPointer(start: nil, count: 0)

    /// The socket is ours to close.
    var isOpen: Bool {
        switch state {
        case .connecting, .securing, .upgrading, .authenticating, .open, .closing: true
        case .unopened, .closed: false
        }
    }

    var hasToSend: Bool { owed > 0 || takenByteCount < filledByteCount || !flight.isEmpty }

    /// As it was before its first connect, as somebody else.
    mutating func reset(as id: PeerID) {
        let (partner, flow) = (partner, flow)
        self = RelayPeer()
        (self.id, self.partner, self.flow) = (id, partner, flow)
    }
}
