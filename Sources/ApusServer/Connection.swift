// One connection's state in its shard: a value in a slab slot. It never calls the ring; `Shard.settle` reads it and
// acts.

import ApusReactor
import ApusWire

/// Names a connection for as long as it lives, from any thread; afterwards it names nothing.
public struct ConnectionToken: Hashable, BitwiseCopyable, Sendable {
    package let shard: UInt8
    package let generation: UInt32
    package let slot: UInt32

    package init(shard: UInt8, generation: UInt32, slot: UInt32) {
        self.shard = shard
        self.generation = generation
        self.slot = slot
    }

    /// One word, for the mailboxes: shard(8) | generation(24) | slot(32).
    package var bits: UInt64 { UInt64(shard) << 56 | UInt64(generation) << 32 | UInt64(slot) }

    package init(bits: UInt64) {
        shard = UInt8(truncatingIfNeeded: bits >> 56)
        generation = UInt32(truncatingIfNeeded: bits >> 32) & Token.generationMask
        slot = UInt32(truncatingIfNeeded: bits)
    }
}

/// The states of a connection. What the kernel holds is in the bits beside it.
///
///     open ──finish──▶ finishing ──all sent──▶ lingering ──peer's FIN or deadline──▶ closing ──bits clear──▶ closed
///       └───────────────────┴──────────────abort─────────────┴──────────────────────────▲
package enum Phase: UInt8, BitwiseCopyable, Sendable {
    /// Requests are decoded and answered.
    case open
    /// No request is decoded any more; replies are still sent.
    case finishing
    /// Our FIN is sent; what the peer still sends is thrown away, so that closing does not reset what it has to read.
    case lingering
    /// Waiting for the kernel to let go.
    case closing
    /// The descriptor is closed; the slot is freed at the end of the turn, so no slot has two tenants in one turn.
    case closed
}

package struct Connection: BitwiseCopyable {
    package var descriptor: Descriptor
    package let generation: UInt32
    package var phase = Phase.open
    /// The first reason counts; set when `phase` leaves `open`.
    package var reason = CloseReason.peerFinished
    package let listener: UInt8
    /// Where its address is counted.
    var hostPlace: HostPlace
    package let session: SessionKind
    /// With the payload limit that held when it began.
    let decoder: PacketDecoder

    // What the kernel holds. A slot is freed only when none of these is set.
    package var receiving = false
    package var sending = false
    package var shuttingDown = false
    package var closing = false

    /// A cancel of the receive, of the send, is on its way, so another is not needed.
    var cancelling = false
    var cancellingSend = false
    /// Listed for `settle` at the end of this turn.
    var isTouched = false
    /// Messages wait for it that are not in `outbound` yet.
    var hasBacklog = false
    /// Decoding has stopped until replies leave or asynchronous ones arrive.
    package var isPaused = false
    /// The peer's FIN has been read.
    package var peerFinished = false
    /// The first byte has arrived.
    var isHeard = false
    /// DISCONNECT was sent because the server drains.
    var isToldToLeave = false

    /// What stands between the wire and the session.
    package var protection = Protection.none
    /// A proxy has yet to say who the peer is.
    var awaitsProxyHeader = false
    /// What a proxy has said; nil: the peer is where the socket says.
    var forwarded: ForwardedAddress?
    /// Keys are agreed on, or none are needed: the session may speak.
    package var isEstablished = true

    package var inbound = Inbound()
    /// Bytes as they go on the wire.
    package var outbound = Outbound()
    /// Replies of this turn that TLS has yet to seal.
    var unsealedByteCount = 0
    /// TLS seals nothing until the peer has sent the rest of a handshake message; since `waitingSince`.
    var isSealBlocked = false
    /// What `inbound` must hold before decoding is worth another try.
    var byteCountNeeded = 0

    /// Asynchronous requests so far, and how many of them are answered: replies go out in request order.
    package var asyncRequested: UInt32 = 0
    package var asyncAnswered: UInt32 = 0

    /// Bytes of the wire so far.
    var receivedByteCount: UInt64 = 0
    var sentByteCount: UInt64 = 0

    let opened: Instant
    var lastReceived: Instant
    var lastSent: Instant
    /// The last PING, and how many in a row brought no byte of the peer; looked at together with `lastReceived`.
    var lastPinged: Instant
    var pingCount: UInt8 = 0
    /// The last message that was not PING or PONG.
    var lastMessage: Instant
    /// When the send in flight began, or our FIN went out.
    var waitingSince: Instant
    /// When the unfinished packet at the end of `inbound` began to arrive.
    var packetSince: Instant
    /// When the first send of the buffer that is on its way began.
    var batchSince: Instant
    /// When the budget for messages that ask for nothing is whole again.
    var controlFull = Instant(nanoseconds: 0)

    package init(
        _ descriptor: Descriptor, generation: UInt32, listener: UInt8, session: SessionKind,
        hostPlace: HostPlace = .none, payloadByteCountMax: Int = PacketFormat.payloadByteCountMax, at now: Instant
    ) {
        self.descriptor = descriptor
        self.generation = generation
        self.listener = listener
        self.session = session
        self.hostPlace = hostPlace
        decoder = PacketDecoder(payloadByteCountMax: payloadByteCountMax)
        (opened, lastReceived, lastSent, lastMessage, waitingSince) = (now, now, now, now, now)
        (lastPinged, packetSince, batchSince) = (now, now, now)
    }

    /// PINGs since the peer was last heard.
    var pingsUnanswered: UInt8 { lastReceived >= lastPinged ? 0 : pingCount }

    /// Asynchronous requests under way. Counting wraps; the difference does not.
    @inline(__always)
    package var asyncOutstanding: UInt32 { asyncRequested &- asyncAnswered }

    /// Whether an encoded packet is short enough to be sealed for this connection.
    func mayCarry(packetByteCount: Int) -> Bool {
        packetByteCount - PacketFormat.headerByteCount <= PacketFormat.payloadByteCountMax - protection.payloadOverhead
    }

    /// Bytes that the next send takes with it, and those that TLS has yet to seal.
    @inline(__always)
    var gatheredByteCount: Int { outbound.gatheredByteCount + unsealedByteCount }

    /// Bytes of replies that the peer has not taken.
    @inline(__always)
    package var unsentByteCount: Int { outbound.byteCount + unsealedByteCount }

    @inline(__always)
    package var isHeldByKernel: Bool { receiving || sending || shuttingDown || closing }

    /// Open, listening, and with nothing to send, now or soon.
    @inline(__always)
    var isAtRest: Bool {
        phase == .open && receiving && !isPaused && unsentByteCount == 0 && asyncOutstanding == 0 && !hasBacklog
    }

    /// Nothing of a request or a reply is under way here, as far as this side can see.
    package var isQuiet: Bool { unsentByteCount == 0 && inbound.isEmpty && asyncOutstanding == 0 && !sending }
}
