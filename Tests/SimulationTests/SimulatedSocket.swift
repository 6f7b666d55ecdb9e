// One connection as the simulated kernel sees it: two bounded byte queues between a peer and the user of the ring, how
// either side has ended, and which operations are under way. It decides nothing; `SimulatedKernel` moves it.

import ApusReactor

/// The far end of a socket: told that there is something to look at, never called into further.
protocol SocketPeer: AnyObject {
    func socketChanged()
}

/// Operations of one socket that have not completed in the eyes of the ring's user.
struct HeldOperations: OptionSet {
    let rawValue: UInt8
    static let receive = HeldOperations(rawValue: 1)
    static let send = HeldOperations(rawValue: 2)
    static let shutdown = HeldOperations(rawValue: 4)
    static let close = HeldOperations(rawValue: 8)

    init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Nil for an operation that is not a socket's.
    init?(_ operation: ApusReactor.Operation) {
        switch operation {
        case .receive: self = .receive
        case .send: self = .send
        case .shutdown: self = .shutdown
        case .close: self = .close
        case .accept, .connect, .cancel, .wake, .doorbell, .ring: return nil
        }
    }
}

/// A send that the kernel has not finished. It holds the user's memory, and a copy to see whether that stays as it was.
struct SendUnderWay {
    let token: Token
    let bytes: UnsafeRawBufferPointer
    let copy: [UInt8]

    var isUnchanged: Bool { copy.withUnsafeBytes { isSame($0, bytes, count: copy.count) } }
}

final class SimulatedSocket {
    let descriptor: Descriptor
    let inboundMax: Int
    let outboundMax: Int
    weak var peer: (any SocketPeer)?

    /// Sent by the peer, not yet received.
    var inbound = ByteQueue()
    /// Since when there has been something in `inbound` that nobody received.
    var inboundSince = Instant.never
    /// Sent by the user of the ring, not yet read by the peer.
    var outbound = ByteQueue()

    /// The peer's FIN stands behind `inbound`.
    var peerFinished = false
    /// The peer's RST is here; `resetUntold` until an operation has reported it.
    var peerReset = false
    var resetUntold = false
    /// Our FIN stands behind `outbound`.
    var finished = false
    /// The peer has been sent a RST.
    var reset = false
    var isAccepted = false
    var isClosed = false
    /// Closed before it became a connection.
    var isRefused = false

    /// When the peer last took bytes out of `outbound`, or `outbound` was last empty, and the longest time between.
    var lastRead = Instant.never
    var longestUnread: Nanoseconds = 0

    /// When the user of the ring last took bytes, last began a send, and last took a send's completion.
    var lastTaken = Instant(nanoseconds: 0)
    var sendBegan = Instant(nanoseconds: 0)
    var sendEnded = Instant(nanoseconds: 0)

    var held: HeldOperations = []
    var receiveUnderWay: Token?
    var sendUnderWay: SendUnderWay?
    /// When the last completion of each kind is ready: completions of one kind keep their order.
    var lanes: [Instant] = Array(repeating: Instant(nanoseconds: 0), count: 8)
    var isReceiveDelayed = false

    init(_ descriptor: Descriptor, inboundMax: Int, outboundMax: Int) {
        self.descriptor = descriptor
        self.inboundMax = inboundMax
        self.outboundMax = outboundMax
    }

    var inboundRoom: Int { inboundMax - inbound.count }
    var outboundRoom: Int { outboundMax - outbound.count }
}

final class SimulatedListener {
    let descriptor: Descriptor
    let inboundMax: Int
    let outboundMax: Int
    /// Connected and not accepted.
    var backlog: [SimulatedSocket] = []
    var acceptUnderWay: Token?
    var isHeld = false
    var isClosed = false
    var lane = Instant(nanoseconds: 0)

    init(_ descriptor: Descriptor, inboundMax: Int, outboundMax: Int) {
        self.descriptor = descriptor
        self.inboundMax = inboundMax
        self.outboundMax = outboundMax
    }
}
