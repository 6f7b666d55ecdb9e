// The generator's connections and the ring they share: opens them, sends requests, checks replies, answers PINGs. It is
// pulled (`next`), and knows neither when requests are due nor what a latency is.

import ApusReactor
import ApusSecurity
import ApusWire

/// Replies that arrived together on one connection.
struct Arrival: BitwiseCopyable {
    let connection: Int
    /// As asked for.
    var replies: Int
    /// In the place of a reply.
    var wrong: Int

    var count: Int { replies + wrong }
}

struct ConnectionSet: ~Copyable {
    let address: SocketAddress
    let count: Int
    var errors = LoadErrors()
    var connecting = 0
    var started = 0
    var openCount = 0
    /// Why the last channel failed; nil when none did.
    var channelFailure: ChannelFailure?
    /// Why the last connect failed; zero when none did.
    var connectResult: Int32 = 0
    /// Connections that end are made anew, unless it is us who end them.
    let reconnects: Bool
    var reopening: Reopening
    /// Every connection was tried once: a set that reconnects may do so from now on.
    var isStarted = false
    var isEnding = false

    var ring: Ring
    // Allocated in `init` with `count` places, freed in `deinit`; indices come from tokens of ours, which name places.
    let connections: UnsafeMutablePointer<LoadConnection>
    private let touched: UnsafeMutablePointer<UInt32>
    private var touchedCount = 0
    /// Where the kernel reads the address while it connects.
    let target: UnsafeMutablePointer<SocketAddress>
    var sources: SourceAddresses
    let requests: EchoRequests
    /// Nil: connections are plain.
    private let channels: ClientChannels?
    /// By connection; nil: plain, or not connected yet.
    private let open: UnsafeMutablePointer<ClientChannel?>
    private let pongs: PacketCopies
    var stamps: SendStamps

    /// - Parameters:
    ///   - outstandingMax: requests per connection whose sending times are kept; zero: none are.
    ///   - reconnects: a connection that the server ends is made anew, and asks what is left to ask.
    ///   - requests: those of `count` connections.
    init(
        to address: SocketAddress, count: Int, from sources: SourceAddresses, requests: consuming EchoRequests,
        outstandingMax: Int, reconnects: Bool = false, security: ClientSecurity?, tier: RingTier
    ) throws(LoadError) {
        try ConnectionSet.raiseDescriptors(for: count)
        let channels = try ClientChannels.forLoad(security)
        ring = try Ring.forLoad(connections: count, burstByteCount: requests.runByteCount, tier: tier)
        self.channels = channels
        self.address = address
        self.count = count
        self.sources = sources
        self.requests = requests
        self.reconnects = reconnects
        reopening = Reopening(capacity: reconnects ? count : 0)
        stamps = SendStamps(connections: count, outstandingMax: outstandingMax)
        pongs = PacketCopies(of: .pong, count: 16)
        connections = .allocate(capacity: count)
        connections.initialize(repeating: LoadConnection(), count: count)
        open = .allocate(capacity: count)
        open.initialize(repeating: nil, count: count)
        touched = .allocate(capacity: 2 * count)
        target = .allocate(capacity: 1)
        target.initialize(to: address)
    }

    /// A run that has failed leaves its sockets open. Nobody will take another turn, so the kernel acts on none of the
    /// memory that is freed here.
    deinit {
        for index in 0..<started where connections[index].isOpen { ring.closeNow(connections[index].socket) }
        connections.deallocate()
        open.deinitialize(count: count)
        open.deallocate()
        touched.deallocate()
        target.deallocate()
    }

    /// A ring, an output, and what a process has open anyway.
    static func raiseDescriptors(for connections: Int) throws(LoadError) {
        let needed = connections + 32
        let limit = raiseDescriptorLimit()
        guard needed <= limit else { throw .descriptors(needed: needed, limit: limit) }
    }

    var now: Instant { ring.now }

    var isProtected: Bool { channels != nil }

    /// Begin the handshake of a connection that stands. False: OpenSSL has no memory for it.
    mutating func secure(_ index: Int) -> Bool {
        do throws(TLSConfigurationError) {
            open[index] = try channels?.open(wallMilliseconds: WallClock.milliseconds())
            return true
        } catch {
            return false
        }
    }

    /// The channel of a connection that is gone.
    mutating func drop(_ index: Int) { open[index] = nil }

    /// No connection is open, and none is about to be.
    var isDead: Bool { openCount == 0 && (!reconnects || isEnding) }

    mutating func refreshNow() { ring.refreshNow() }

    /// Replies on one connection so far, wrong ones too.
    func answered(on index: Int) -> Int { connections[index].answered }

    /// Whether a reply is still to come on one connection.
    func waits(on index: Int) -> Bool {
        connections[index].state == .open && connections[index].owed + connections[index].outstanding > 0
    }

    @inline(__always)
    mutating func touch(_ index: Int) {
        guard !connections[index].isTouched else { return }
        connections[index].isTouched = true
        touched[touchedCount] = UInt32(index)
        touchedCount += 1
    }

    /// Requests that go out with the next flush, or as soon as the kernel takes them.
    @inline(__always)
    mutating func request(_ count: Int, on index: Int) {
        connections[index].owed += count
        touch(index)
    }
}

// MARK: A turn

extension ConnectionSet {
    mutating func wait(until deadline: Instant) { ring.submitAndWait(until: deadline) }

    /// The next replies; nil when all that the last wait brought has been taken.
    mutating func next() -> Arrival? {
        while let completion = ring.next() {
            switch completion.token.operation {
            case .receive:
                if let arrival = received(completion) { return arrival }
            case .send: sent(completion)
            case .connect: connected(completion)
            case .cancel: break
            case .accept, .shutdown, .close, .wake, .doorbell, .ring, nil:
                preconditionFailure("a completion that nobody asked for: \(completion.token.bits)")
            }
        }
        return nil
    }

    /// Prepare what the connections of this turn need now. The requests that it sends share a time.
    mutating func flush() {
        guard touchedCount > 0 else { return }
        ring.refreshNow()
        // One that breaks while it is settled is touched once more.
        var place = 0
        while place < touchedCount {
            settle(Int(touched[place]))
            place += 1
        }
        touchedCount = 0
    }

    @inline(__always)
    private mutating func settle(_ index: Int) {
        connections[index].isTouched = false
        switch connections[index].state {
        case .open, .securing:
            if connections[index].hasLeft { return leave(index) }
            if !connections[index].receiving { receive(index) }
            if !connections[index].sending { sendNext(index) }
        case .closing: settleClosing(index)
        case .unopened, .connecting, .closed: break
        }
    }

    /// The kernel lets go of both operations before the socket is closed.
    private mutating func settleClosing(_ index: Int) {
        let connection = connections[index]
        if !connection.receiving, !connection.sending {
            ring.closeNow(connection.socket)
            closed(index)
        } else if !connection.cancelling {
            connections[index].cancelling = true
            if connection.receiving { ring.cancel(token(.receive, index), token: token(.cancel, index)) }
            if connection.sending { ring.cancel(token(.send, index), token: token(.cancel, index)) }
        }
    }

    @inline(__always)
    func token(_ operation: Operation, _ index: Int) -> Token { Token(operation, slot: UInt32(index)) }
}

// MARK: Receiving

extension ConnectionSet {
    @inline(__always)
    private mutating func receive(_ index: Int) {
        ring.receive(from: connections[index].socket, token: token(.receive, index))
        connections[index].receiving = true
    }

    @inline(__always)
    private mutating func received(_ completion: Completion) -> Arrival? {
        let index = Int(completion.token.slot)
        if !completion.hasMore {
            connections[index].receiving = false
            touch(index)
        }
        guard let lease = completion.lease else { return receivedNothing(completion.result, index) }
        let bytes = UnsafeMutableRawBufferPointer(start: lease.start, count: Int(lease.byteCount))
        let reading =
            if let channel = open[index] {
                read(bytes, channel, index)
            } else {
                connections[index].reader.read(UnsafeRawBufferPointer(bytes), expecting: requests[index])
            }
        ring.recycle(lease)
        return arrival(of: reading, index)
    }

    /// What the channel makes of the bytes. A channel that fails is broken.
    private mutating func read(
        _ wire: UnsafeMutableRawBufferPointer, _ channel: ClientChannel, _ index: Int
    ) -> Reading {
        var reading = Reading()
        let (connection, expected) = (connections + index, requests[index])
        do throws(ChannelFailure) {
            try channel.receive(wire) { plain in
                reading.add(connection.pointee.reader.read(plain, expecting: expected))
            }
        } catch {
            channelFailure = error
            reading.isBroken = true
        }
        if channel.isReady, connections[index].state == .securing { opened(index) }
        // Whatever it wants said.
        if channel.outgoingByteCount > 0 { touch(index) }
        return reading
    }

    @inline(__always)
    private mutating func arrival(of reading: Reading, _ index: Int) -> Arrival? {
        let replies = connections[index].take(reading.replies)
        if connections[index].isLeaving { touch(index) }
        var arrival = Arrival(connection: index, replies: replies, wrong: 0)
        if reading != Reading(replies: replies) { arrival.wrong = receivedStray(reading, replies, index) }
        return arrival.count > 0 ? arrival : nil
    }

    /// Everything that is not an expected reply; returns how many requests it answered all the same.
    @inline(never)
    private mutating func receivedStray(_ reading: Reading, _ replies: Int, _ index: Int) -> Int {
        let unasked = reading.replies - replies
        errors.mismatched += unasked + reading.wrong
        if reading.pings > 0 {
            connections[index].owedPongs += reading.pings
            touch(index)
        }
        if reading.isDismissed {
            connections[index].isLeaving = true
            touch(index)
        }
        if reading.isBroken {
            errors.mismatched += 1
            end(index)
        }
        return connections[index].take(reading.wrong)
    }

    private mutating func receivedNothing(_ result: Int32, _ index: Int) -> Arrival? {
        switch ReceiveError(result) {
        case .starved, .interrupted: nil
        case .finished, .reset, .failed: lose(index)
        }
    }

    /// The server ended the connection, or it broke. Where it is made anew, what it was asked and never answered is
    /// lost: that counts as wrong replies, so that as much is asked again.
    private mutating func lose(_ index: Int) -> Arrival? {
        guard connections[index].state == .open || connections[index].state == .securing else { return nil }
        let (isOpen, lost) = (connections[index].state == .open, connections[index].outstanding)
        end(index)
        guard reconnects, isOpen else {
            errors.closed += 1
            return nil
        }
        errors.lost += lost
        let arrival = Arrival(connection: index, replies: 0, wrong: connections[index].take(lost))
        return lost > 0 ? arrival : nil
    }

    /// All that was asked is answered, and the server waits for us to go.
    private mutating func leave(_ index: Int) {
        if !reconnects { errors.closed += 1 }
        beginClosing(index)
        settleClosing(index)
    }

    /// No more of this connection.
    mutating func end(_ index: Int) {
        if beginClosing(index) { touch(index) }
    }

    @discardableResult
    private mutating func beginClosing(_ index: Int) -> Bool {
        switch connections[index].state {
        case .open: openCount -= 1
        case .securing: connecting -= 1
        case .unopened, .connecting, .closing, .closed: return false
        }
        connections[index].state = .closing
        return true
    }
}

// MARK: Sending

extension ConnectionSet {
    @inline(__always)
    private mutating func sendNext(_ index: Int) {
        if connections[index].flight.isEmpty { board(index) }
        if let channel = open[index] { boardSealed(channel, index) }
        let flight = connections[index].flight
        guard !flight.isEmpty else { return }
        let part = UnsafeRawBufferPointer(rebasing: flight.prefix(EchoRequests.sendByteCountMax))
        ring.send(part, to: connections[index].socket, token: token(.send, index))
        connections[index].sending = true
    }

    /// Choose what goes out next: PONGs first, for a server that waits for one may close.
    @inline(__always)
    private mutating func board(_ index: Int) {
        guard connections[index].state == .open, !connections[index].isLeaving else { return }
        if connections[index].owedPongs > 0 { return boardPongs(index) }
        let count = min(connections[index].owed, requests.countPerSend)
        guard count > 0 else { return }
        connections[index].owed -= count
        connections[index].outstanding += count
        connections[index].flight = requests[index].prefix(count)
        stamps.add(Stamp(sentAt: ring.now, count: count), to: index)
    }

    /// What was boarded is sealed, behind what the channel itself has to say.
    @inline(never)
    private mutating func boardSealed(_ channel: ClientChannel, _ index: Int) {
        if connections[index].isSealed { return }
        do throws(ChannelFailure) {
            if !connections[index].flight.isEmpty { try channel.send(connections[index].flight) }
        } catch {
            channelFailure = error
            return giveUpSending(index)
        }
        connections[index].flight = channel.takeOutgoing()
        connections[index].isSealed = !connections[index].flight.isEmpty
    }

    @inline(never)
    private mutating func boardPongs(_ index: Int) {
        let count = min(connections[index].owedPongs, pongs.run.count)
        connections[index].owedPongs -= count
        connections[index].flight = pongs.run.prefix(count)
    }

    @inline(__always)
    private mutating func sent(_ completion: Completion) {
        let index = Int(completion.token.slot)
        connections[index].sending = false
        if completion.result >= 0 {
            let rest = connections[index].flight.dropFirst(Int(completion.result))
            connections[index].flight = UnsafeRawBufferPointer(rebasing: rest)
            if rest.isEmpty { connections[index].isSealed = false }
        } else {
            sendFailed(completion.result, index)
        }
        let isSpeaking = (open[index]?.outgoingByteCount ?? 0) > 0
        if connections[index].hasToSend || isSpeaking || connections[index].state == .closing { touch(index) }
    }

    private mutating func sendFailed(_ result: Int32, _ index: Int) {
        switch SendError(result) {
        case .interrupted: break
        case .reset, .failed: giveUpSending(index)
        }
    }

    /// What is on its way to us may still arrive: reading tells of the end.
    private mutating func giveUpSending(_ index: Int) {
        connections[index].flight = UnsafeRawBufferPointer(start: nil, count: 0)
        connections[index].isSealed = false
        connections[index].owedPongs = 0
        connections[index].isLeaving = true
    }
}
