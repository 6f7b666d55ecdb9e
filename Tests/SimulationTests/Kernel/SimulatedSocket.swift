// One connection as the simulated kernel sees it: two bounded byte queues between a peer and the user of the ring, how
// either side has ended, and which operations are under way. It decides nothing; `SimulatedKernel` moves it.

import ApusReactor

/// The far end of a socket: told that there is something to look at, and expected to look later.
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
    init?(_ operation: ApusReactor.Operation?) {
        switch operation {
        case .receive: self = .receive
        case .send: self = .send
        case .shutdown: self = .shutdown
        case .close: self = .close
        case .accept, .connect, .cancel, .wake, .doorbell, .ring, nil: return nil
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
    /// Far from the descriptors of the process, and none is used twice: an operation on a closed one is seen.
    static let descriptorFirst: Int32 = 1 << 24

    let name: String
    let descriptor: Descriptor
    private let inboundMax: Int
    private let outboundMax: Int
    weak var peer: (any SocketPeer)?
    /// Where the peer is; nil: over UNIX.
    let host: HostAddress?

    /// Sent by the peer, not yet received; and since when nobody has received any of it.
    var inbound = ByteQueue()
    var inboundSince = Instant.never
    /// Sent by the user of the ring, not yet read by the peer.
    var outbound = ByteQueue()

    /// The peer's FIN stands behind `inbound`.
    var peerFinished: Bool { peerFinishedAt != .never }
    var peerFinishedAt = Instant.never
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

    /// When the peer last took bytes, or there last were none to take; and the longest time between.
    var lastRead = Instant.never
    var longestUnread: Nanoseconds = 0
    /// When the user of the ring last took bytes, last began a send, and last saw one end.
    private(set) var lastTaken = Instant(nanoseconds: 0)
    var sendBegan = Instant(nanoseconds: 0)
    private(set) var sendEnded = Instant(nanoseconds: 0)
    var shortSends: UInt64 = 0

    var held: HeldOperations = []
    var receiveUnderWay: Token?
    var sendUnderWay: SendUnderWay?
    /// When the last completion of each operation is ready.
    var lanes: [Instant]
    var isReceiveDelayed = false

    init(number: Int, of listener: SimulatedListener, from host: HostAddress?) {
        self.host = host
        name = "socket \(number)"
        descriptor = Descriptor(SimulatedSocket.descriptorFirst + Int32(number))
        inboundMax = listener.inboundMax
        outboundMax = listener.outboundMax
        lanes = Array(repeating: Instant(nanoseconds: 0), count: ApusReactor.Operation.allCases.count + 1)
    }

    var inboundRoom: Int { inboundMax - inbound.count }
    var outboundRoom: Int { outboundMax - outbound.count }

    /// The user of the ring has taken a completion.
    func noteTaken(_ completion: Completion, at now: Instant) {
        if completion.lease != nil { lastTaken = now }
        if completion.token.operation == .send { sendEnded = now }
        guard !completion.hasMore, let operation = HeldOperations(completion.token.operation) else { return }
        held.remove(operation)
    }
}

final class SimulatedListener {
    private static let descriptorFirst: Int32 = 1 << 20

    let descriptor: Descriptor
    let inboundMax: Int
    let outboundMax: Int
    /// Connected and not accepted.
    var backlog: [SimulatedSocket] = []
    var acceptUnderWay: Token?
    /// An accept has not ended in the eyes of the ring's user.
    var isHeld = false
    var isClosed = false
    /// When its last completion is ready.
    var lane = Instant(nanoseconds: 0)

    init(number: Int, inboundMax: Int, outboundMax: Int) {
        descriptor = Descriptor(SimulatedListener.descriptorFirst + Int32(number))
        self.inboundMax = inboundMax
        self.outboundMax = outboundMax
    }
}
