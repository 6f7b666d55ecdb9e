// One connection of the generator: what it has asked, what it still has to ask, and what the kernel holds of it.

import ApusReactor

/// The states, in the order in which they are passed; a connect that fails goes straight to the last.
///
///     unopened ──▶ connecting ──▶ (securing) ──▶ open ──peer's FIN, an error, us──▶ closing ──bits clear──▶ closed
///
/// A set that reconnects takes a closed one back to connecting.
enum LoadConnectionState: UInt8 {
    case unopened, connecting, securing, open, closing, closed
}

struct LoadConnection: BitwiseCopyable {
    var state = LoadConnectionState.unopened
    var socket = Descriptor(-1)
    /// Listed for the flush at the end of this turn.
    var isTouched = false

    // What the kernel holds. The socket is closed only when neither is set.
    var receiving = false
    var sending = false
    /// A cancel of both is on its way.
    var cancelling = false
    /// Asks nothing more, and ends when all it has asked is answered.
    var isLeaving = false

    var reader = ReplyReader()
    /// Requests to send.
    var owed = 0
    /// Requests handed to the kernel, or about to be, that have no reply.
    var outstanding = 0
    /// Replies, wrong ones too.
    var answered = 0
    /// PINGs of the server's to answer.
    var owedPongs = 0
    /// What is being sent: a rest, after a short send. It lies in the set's requests or PONGs, which live longer,
    /// or in the connection's channel, which keeps it in place until it hands out the next.
    var flight = UnsafeRawBufferPointer(start: nil, count: 0)

    /// `flight` is the channel's.
    var isSealed = false

    /// The socket is ours to close.
    var isOpen: Bool {
        switch state {
        case .connecting, .securing, .open, .closing: true
        case .unopened, .closed: false
        }
    }

    @inline(__always)
    var hasToSend: Bool { (owed > 0 && !isLeaving) || !flight.isEmpty || owedPongs > 0 }

    @inline(__always)
    var hasLeft: Bool { isLeaving && outstanding == 0 && flight.isEmpty && !sending }

    /// As it was before its first connect, but for what is counted and what it still has to ask.
    mutating func reset() {
        let (owed, answered) = (owed, answered)
        self = LoadConnection()
        (self.owed, self.answered) = (owed, answered)
    }

    /// A reply needs a request: takes at most so many replies, and returns how many were asked for.
    @inline(__always)
    mutating func take(_ replies: Int) -> Int {
        let asked = min(replies, outstanding)
        outstanding -= asked
        answered += asked
        return asked
    }
}
