// The generator's peers and the ring they share: logs them in, sends datagrams between partners, checks what arrives,
// answers health checks. It is pulled (`next`), and knows neither when datagrams are due nor who waits for them.

import ApusReactor
import ApusSecurity
import ApusWire

/// What one receive brought on one connection.
struct RelayArrival: BitwiseCopyable {
    let peer: Int
    /// Datagrams of its partner's.
    var delivered = 0
    /// Datagrams that those behind them have overtaken, which a relay's connections do not let happen.
    var lost = 0
    /// The relay has let it in.
    var isLogin = false

    var isEmpty: Bool { delivered == 0 && lost == 0 && !isLogin }
}

struct RelayPeers: ~Copyable {
    /// The most that a peer gathers to send, and room for what is not a datagram: a request, an Auth, answers.
    static let gatheredByteCountMax = 256 << 10
    static let controlByteCountMax = 1024
    /// An unfinished head or frame: the largest message and its header.
    static let heldByteCountMax = RelayFormat.messageByteCountMax + WebSocketFormat.headerByteCountMax
    /// What a channel may give at a time besides what it has just received: a record, and some that wait.
    private static let openedByteCountMax = 128 << 10

    let access: RelayAccess
    let count: Int
    let token: [UInt8]
    /// Of a Transport with its frame's header.
    let frameByteCount: Int
    /// Peers that end are made anew, with another id.
    let reconnects: Bool
    /// Closing resets the connection, so that no port waits for a minute.
    let resetsWhenClosed: Bool

    var errors = LoadErrors()
    /// Why the last peer was not let in, and the result of the last connect that failed; nil and zero: none was.
    var failure: RelayFailure?
    var connectResult: Int32 = 0
    /// Connects that found no free port on our side.
    var portlessCount = 0
    var started = 0
    /// On their way in.
    var entering = 0
    var openCount = 0
    var isEnding = false
    var reopening: Reopening
    /// When datagrams are due; nil: they leave when they are asked for.
    var schedule: OpenSchedule?

    var ring: Ring
    // Allocated in `init`, a place for each peer; indices come from tokens of ours, which name places.
    let peers: UnsafeMutablePointer<RelayPeer>
    private let touched: UnsafeMutablePointer<UInt32>
    private var touchedCount = 0
    private let outgoing: UnsafeMutableRawPointer
    private let outgoingByteCount: Int
    private let held: UnsafeMutableRawPointer
    private let datagrams: UnsafeMutableRawPointer
    private let datagramByteCount: Int
    /// Plain bytes of a channel, which are only there while it gives them.
    let opened: UnsafeMutableRawBufferPointer
    /// Where the kernel reads the address while it connects.
    let target: UnsafeMutablePointer<SocketAddress>
    var sources: SourceAddresses
    /// Nil: connections are plain.
    let channels: ClientChannels?
    /// By peer; nil: plain, or not connected yet.
    let open: UnsafeMutablePointer<ClientChannel?>
    var identities = RelayIdentities()
    var keys = MaskingKeys()

    /// - Parameters:
    ///   - datagramByteCount: of a Transport, without its header; nil: they send none.
    ///   - gatheredCount: datagrams that may have to leave at once on one connection.
    init(
        _ access: RelayAccess, count: Int, datagramByteCount size: Int?, gatheredCount: Int = 1,
        from sources: SourceAddresses, reconnects: Bool = false, resetsWhenClosed: Bool = false
    ) throws(LoadError) {
        try ConnectionSet.raiseDescriptors(for: count)
        let message = RelayFormat.transportHeaderByteCount + (size ?? RelayDatagram.byteCountMin)
        let frame = message + WebSocketEncoder.headerByteCount(payloadByteCount: message, isMasked: true)
        // The product would be too large where the count is.
        let gathered = min(RelayPeers.gatheredByteCountMax / frame, max(1, gatheredCount)) * frame
        let channels = try ClientChannels.forLoad(access.security)
        ring = try Ring.forLoad(connections: count, burstByteCount: gathered, tier: access.tier)
        self.channels = channels
        self.access = access
        self.count = count
        self.sources = sources
        self.reconnects = reconnects
        self.resetsWhenClosed = resetsWhenClosed
        token = access.mintToken()
        frameByteCount = frame
        self.datagramByteCount = message
        outgoingByteCount = gathered + RelayPeers.controlByteCountMax
        reopening = Reopening(capacity: count)
        peers = .allocate(capacity: count)
        peers.initialize(repeating: RelayPeer(), count: count)
        open = .allocate(capacity: count)
        open.initialize(repeating: nil, count: count)
        touched = .allocate(capacity: 2 * count)
        // Of these only what is used is ever touched, so that thousands of idle peers take little.
        outgoing = .allocate(byteCount: outgoingByteCount * count, alignment: 64)
        held = .allocate(byteCount: RelayPeers.heldByteCountMax * count, alignment: 64)
        datagrams = .allocate(byteCount: message * count, alignment: 64)
        opened = .allocate(byteCount: channels == nil ? 0 : RelayPeers.openedByteCountMax, alignment: 64)
        target = .allocate(capacity: 1)
        target.initialize(to: access.address)
    }

    /// A run that has failed leaves its sockets open. Nobody will take another turn, so the kernel acts on none of the
    /// memory that is freed here.
    deinit {
        for index in 0..<started where peers[index].isOpen { ring.closeNow(peers[index].socket) }
        peers.deallocate()
        open.deinitialize(count: count)
        open.deallocate()
        touched.deallocate()
        outgoing.deallocate()
        held.deallocate()
        datagrams.deallocate()
        opened.deallocate()
        target.deallocate()
    }

    var now: Instant { ring.now }

    /// No peer is there, and none is about to be.
    var isDead: Bool { openCount == 0 && entering == 0 }

    @inline(__always)
    func datagram(of index: Int) -> RelayDatagram {
        RelayDatagram(start: datagrams + index * datagramByteCount, byteCount: datagramByteCount)
    }

    /// Room behind what the peer has gathered, for datagrams or for all kinds of bytes.
    @inline(__always)
    func room(of index: Int, forDatagrams: Bool) -> UnsafeMutableRawBufferPointer {
        let filled = peers[index].filledByteCount
        let end = forDatagrams ? outgoingByteCount - RelayPeers.controlByteCountMax : outgoingByteCount
        return UnsafeMutableRawBufferPointer(
            start: outgoing + index * outgoingByteCount + filled, count: max(0, end - filled))
    }

    /// What the peer has gathered and the kernel has not taken.
    @inline(__always)
    func gathered(by index: Int) -> UnsafeRawBufferPointer {
        let (taken, filled) = (peers[index].takenByteCount, peers[index].filledByteCount)
        return UnsafeRawBufferPointer(start: outgoing + index * outgoingByteCount + taken, count: filled - taken)
    }

    /// Where an unfinished head or frame waits.
    func heldMemory(of index: Int) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(
            start: held + index * RelayPeers.heldByteCountMax, count: RelayPeers.heldByteCountMax)
    }

    @inline(__always)
    mutating func touch(_ index: Int) {
        guard !peers[index].isTouched else { return }
        peers[index].isTouched = true
        touched[touchedCount] = UInt32(index)
        touchedCount += 1
    }

    @inline(__always)
    func name(_ operation: Operation, _ index: Int) -> Token { Token(operation, slot: UInt32(index)) }
}

// MARK: Who sends to whom

extension RelayPeers {
    /// Each hears from the other; once both have their ids. A peer may be its own partner.
    mutating func pair(_ first: Int, _ second: Int) {
        (peers[first].partner, peers[second].partner) = (second, first)
        for index in [first, second] {
            (peers[index].written, peers[index].expected) = (0, 0)
            datagram(of: index).fill(to: peers[peers[index].partner].id, from: index)
        }
    }

    /// Datagrams that go out with the next flush, or as soon as there is room.
    @inline(__always)
    mutating func request(_ count: Int, from index: Int) {
        peers[index].owed += count
        touch(index)
    }

    /// Datagrams from its partner that this peer still waits for.
    func missing(at index: Int) -> Int { peers[peers[index].partner].written - peers[index].expected }

    /// Count as lost what has not arrived here; what arrives in spite of it is late.
    mutating func giveUp(at index: Int) -> Int {
        let count = missing(at: index)
        peers[index].expected += count
        return count
    }
}

// MARK: A turn

extension RelayPeers {
    mutating func wait(until deadline: Instant) { ring.submitAndWait(until: deadline) }

    /// What the next receive brought; nil when all that the last wait brought has been taken.
    mutating func next(_ book: inout RelayBook) -> RelayArrival? {
        while let completion = ring.next() {
            switch completion.token.operation {
            case .receive:
                if let arrival = received(completion, &book) { return arrival }
            case .send: sent(completion)
            case .connect: connected(completion)
            case .cancel: break
            case .accept, .shutdown, .close, .wake, .doorbell, .ring, nil:
                preconditionFailure("a completion that nobody asked for: \(completion.token.bits)")
            }
        }
        book.endRun(at: now)
        return nil
    }

    /// Prepare what the peers of this turn need now. The datagrams that leave with it share a time.
    mutating func flush(_ book: inout RelayBook) {
        guard touchedCount > 0 else { return }
        ring.refreshNow()
        // One that breaks while it is settled is touched once more.
        var place = 0
        while place < touchedCount {
            settle(Int(touched[place]), &book)
            place += 1
        }
        touchedCount = 0
    }

    @inline(__always)
    private mutating func settle(_ index: Int, _ book: inout RelayBook) {
        peers[index].isTouched = false
        switch peers[index].state {
        case .open, .securing, .upgrading, .authenticating:
            if !peers[index].receiving { receive(index) }
            if peers[index].owed > 0 { gather(index, &book) }
            if !peers[index].sending { sendNext(index) }
        case .closing: settleClosing(index)
        case .unopened, .connecting, .closed: break
        }
    }

    /// The kernel lets go of both operations before the socket is closed.
    private mutating func settleClosing(_ index: Int) {
        let peer = peers[index]
        if !peer.receiving, !peer.sending {
            ring.closeNow(peer.socket)
            closed(index)
        } else if !peer.cancelling {
            peers[index].cancelling = true
            if peer.receiving { ring.cancel(name(.receive, index), token: name(.cancel, index)) }
            if peer.sending { ring.cancel(name(.send, index), token: name(.cancel, index)) }
        }
    }
}
