// The loop: one ring, one timer wheel, the connections of every client, stepped by completions on one thread. It moves
// bytes and time; what they mean is the sessions' business.

import ApusReactor
import ApusSecurity

struct ClientShard: ~Copyable {
    private var ring: Ring
    private var timers: TimerWheel
    private let inbox: Inbox<LoopEvent>
    private let places: Places
    /// By slot; as many as were ever open at once.
    private var connections: [ClientConnection?] = []
    private var generations: [UInt32] = []
    private var freeSlots: [UInt32] = []
    private var slots: [UInt64: UInt32] = [:]
    private var channels = ChannelCache()
    /// Connections that something happened to in this turn, each once.
    private var touched: [ClientConnection] = []

    /// Small beside a server's: clients wait more than they talk.
    private static var ringSizes: RingSizes {
        var sizes = RingSizes()
        (sizes.submissions, sizes.completions, sizes.buffers) = (256, 4096, 64)
        return sizes
    }

    init(inbox: Inbox<LoopEvent>, places: Places, tier: RingTier) throws {
        self.inbox = inbox
        self.places = places
        let ring = try Ring(sizes: ClientShard.ringSizes, tier: tier, allowing: .connecting)
        timers = try TimerWheel(capacity: places.countMax, at: ring.now)
        self.ring = ring
    }

    mutating func run() {
        awaitWake()
        while true {
            ring.submitAndWait(until: timers.earliest)
            while let completion = ring.next() { complete(completion) }
            while let slot = timers.popExpired(at: ring.now) { expire(slot) }
            while let connection = touched.popLast() { settle(connection) }
        }
    }

    private mutating func complete(_ completion: Completion) {
        guard let operation = completion.token.operation else { preconditionFailure("not a token of ours") }
        switch operation {
        case .wake: woken()
        case .connect: connected(completion)
        case .receive: received(completion)
        case .send: sent(completion)
        case .shutdown: wasShutDown(completion)
        case .close: closed(completion)
        // Reports through what it cancelled.
        case .cancel: break
        case .accept, .doorbell, .ring: preconditionFailure("a client neither accepts nor rings")
        }
    }

    private mutating func awaitWake() { ring.awaitWake(inbox.eventDescriptor, token: Token(.wake, slot: 0)) }

    private mutating func woken() {
        for event in inbox.takeAll() {
            switch event {
            case .open(let line, let opening): open(line, opening)
            case .attend(let line): attend(line)
            case .close(let line): close(line)
            }
        }
        awaitWake()
    }

    private mutating func touch(_ connection: ClientConnection) {
        guard !connection.isTouched else { return }
        connection.isTouched = true
        touched.append(connection)
    }

    /// The connection a completion is for; nil when its slot has another tenant or none.
    private func connection(for token: Token) -> ClientConnection? {
        let connection = connections[Int(token.slot)]
        return connection?.generation == token.generation ? connection : nil
    }

    /// Nil when the connection has ended.
    private func connection(of line: UInt64) -> ClientConnection? { slots[line].flatMap { connections[Int($0)] } }
}

// MARK: Connecting

extension ClientShard {
    private mutating func open(_ line: UInt64, _ opening: Opening) {
        let slot = freeSlot()
        let connection = ClientConnection(
            opening, line: line, slot: slot, generation: generations[Int(slot)], at: ring.now)
        connections[Int(slot)] = connection
        slots[line] = slot
        timers.schedule(slot, at: connection.connectDeadline)
        connectNext(connection)
    }

    private mutating func freeSlot() -> UInt32 {
        if let slot = freeSlots.popLast() { return slot }
        connections.append(nil)
        generations.append(0)
        return UInt32(connections.count - 1)
    }

    private mutating func connectNext(_ connection: ClientConnection) {
        while let candidate = connection.nextCandidate() {
            do throws(SocketError) {
                let descriptor = try openStream(for: candidate)
                connection.descriptor = descriptor
                connection.connecting = true
                return ring.connect(descriptor, to: connection.targetBytes, token: connection.token(.connect))
            } catch {
                connection.refusal = .cannotConnect(address: connection.opening.address, reason: error.description)
            }
        }
        end(connection, connection.refusal)
    }

    private mutating func connected(_ completion: Completion) {
        guard let connection = connection(for: completion.token) else { return }
        connection.connecting = false
        touch(connection)
        guard connection.phase == .connecting else { return }
        guard completion.result == 0 else { return refused(connection, errno: -completion.result) }
        guard let security = connection.opening.security else { return begin(connection) }
        do throws(ClientError) {
            connection.channel = try channels.open(security, connection.opening)
            connection.phase = .securing
        } catch {
            end(connection, error)
        }
    }

    /// The connection stands, with its keys if it needs any.
    private mutating func begin(_ connection: ClientConnection) {
        guard connection.opening.opened.settle(.success(())) else { return end(connection, .cancelled) }
        connection.phase = .open
        connection.session.opened(at: ring.now)
        connection.session.attend(at: ring.now)
    }

    private mutating func refused(_ connection: ClientConnection, errno: Int32) {
        if let descriptor = connection.descriptor { ring.closeNow(descriptor) }
        connection.descriptor = nil
        connection.refusal = ConnectFailure.describe(errno, at: connection.opening.address)
        connectNext(connection)
    }
}

// MARK: Bytes

extension ClientShard {
    private mutating func attend(_ line: UInt64) {
        guard let connection = connection(of: line), connection.phase == .open else { return }
        connection.session.attend(at: ring.now)
        touch(connection)
    }

    private mutating func received(_ completion: Completion) {
        defer { if let lease = completion.lease { ring.recycle(lease) } }
        guard let connection = connection(for: completion.token) else { return }
        touch(connection)
        if !completion.hasMore { connection.receiving = false }
        guard connection.phase == .open || connection.phase == .securing else { return }
        do throws(ClientError) {
            if let lease = completion.lease {
                try receive(
                    UnsafeMutableRawBufferPointer(start: lease.start, count: Int(lease.byteCount)), connection)
            } else {
                try receivedNothing(completion.result, connection)
            }
        } catch {
            end(connection, error)
        }
    }

    private mutating func receive(
        _ wire: UnsafeMutableRawBufferPointer, _ connection: ClientConnection
    ) throws(ClientError) {
        guard let channel = connection.channel else {
            return try ClientShard.receive(
                plain: RawSpan(_unsafeBytes: UnsafeRawBufferPointer(wire)), connection, at: ring.now)
        }
        var failure: ClientError?
        do throws(ChannelFailure) {
            let now = ring.now
            try channel.receive(wire) { plain in
                if failure == nil { failure = ClientShard.receive(plain: plain, connection, at: now) }
            }
        } catch {
            sendAlert(connection)
            throw .insecure(reason: error.description, address: connection.opening.address)
        }
        if let failure { throw failure }
        if connection.phase == .securing, channel.isReady { begin(connection) }
        if channel.isClosedByPeer { try receivedNothing(0, connection) }
    }

    /// The channel's last word, so that the server learns why: submitted before what cancels it.
    private mutating func sendAlert(_ connection: ClientConnection) {
        guard let descriptor = connection.descriptor else { return }
        send(connection, descriptor)
    }

    private static func receive(
        plain: UnsafeRawBufferPointer, _ connection: ClientConnection, at now: Instant
    ) -> ClientError? {
        do throws(ClientError) {
            try receive(plain: RawSpan(_unsafeBytes: plain), connection, at: now)
            return nil
        } catch {
            return error
        }
    }

    private static func receive(
        plain bytes: RawSpan, _ connection: ClientConnection, at now: Instant
    ) throws(ClientError) {
        try connection.inbound.take(bytes) { (bytes) throws(ClientError) in
            try connection.session.receive(bytes, at: now)
        }
    }

    private func receivedNothing(_ result: Int32, _ connection: ClientConnection) throws(ClientError) {
        switch ReceiveError(result) {
        case .finished:
            if connection.phase == .securing { throw unsecured(connection) }
            if connection.isCut {
                throw .insecure(
                    reason: "the stream ended without TLS's goodbye: somebody may have cut it",
                    address: connection.opening.address)
            }
            throw connection.session.reasonToEnd(isInsidePacket: !connection.inbound.isEmpty)
        // Armed again at the end of the turn, when leases have been recycled.
        case .starved, .interrupted: break
        case .reset, .failed:
            if connection.phase == .securing { throw unsecured(connection) }
            throw .connectionLost(address: connection.opening.address)
        }
    }

    private mutating func sent(_ completion: Completion) {
        guard let connection = connection(for: completion.token) else { return }
        connection.sending = false
        touch(connection)
        guard completion.result < 0 else { return sent(Int(completion.result), connection) }
        switch SendError(completion.result) {
        case .interrupted: break
        // The receive tells why the connection ended, after everything that came before the end.
        case .reset, .failed: connection.isShutDown = true
        }
    }

    private func sent(_ byteCount: Int, _ connection: ClientConnection) {
        guard connection.channel != nil else { return connection.outbound.sent(byteCount) }
        connection.flight = UnsafeRawBufferPointer(rebasing: connection.flight.dropFirst(byteCount))
    }

    /// The server went away before there were keys: it tells nobody why.
    private func unsecured(_ connection: ClientConnection) -> ClientError {
        .insecure(
            reason: "the server ended the handshake, and servers do not tell strangers why: compare both sides' "
                + "security, keys or certificates, and clocks",
            address: connection.opening.address)
    }

    private mutating func wasShutDown(_ completion: Completion) {
        guard let connection = connection(for: completion.token) else { return }
        connection.shuttingDown = false
        touch(connection)
    }
}

// MARK: The end of a turn

extension ClientShard {
    private mutating func settle(_ connection: ClientConnection) {
        connection.isTouched = false
        switch connection.phase {
        case .connecting: break
        case .securing: settleSecuring(connection)
        case .open: settleOpen(connection)
        case .closing: settleClosing(connection)
        }
    }

    private mutating func settleSecuring(_ connection: ClientConnection) {
        guard let descriptor = connection.descriptor else { return }
        send(connection, descriptor)
        receive(connection, descriptor)
    }

    private mutating func receive(_ connection: ClientConnection, _ descriptor: Descriptor) {
        guard !connection.receiving else { return }
        connection.receiving = true
        ring.receive(from: descriptor, token: connection.token(.receive))
    }

    private mutating func settleOpen(_ connection: ClientConnection) {
        guard let descriptor = connection.descriptor else { return }
        // What is sealed has to be sent, so no more is sealed than may wait.
        if connection.mayWrite {
            connection.session.write(into: &connection.outbound, at: ring.now)
            do throws(ClientError) {
                try seal(connection)
            } catch {
                return end(connection, error)
            }
        }
        send(connection, descriptor)
        receive(connection, descriptor)
        if connection.session.isFinished, connection.hasSentAll, !connection.isShutDown {
            (connection.isShutDown, connection.shuttingDown) = (true, true)
            ring.shutdownWrite(descriptor, token: connection.token(.shutdown))
        }
        timers.schedule(connection.slot, at: connection.session.deadline)
    }

    /// What the session wrote becomes bytes of the wire; TLS says goodbye behind the last of them.
    private func seal(_ connection: ClientConnection) throws(ClientError) {
        guard let channel = connection.channel else { return }
        let packets = connection.outbound.takeGathered()
        do throws(ChannelFailure) {
            if !packets.isEmpty { try channel.send(packets) }
        } catch {
            throw .insecure(reason: error.description, address: connection.opening.address)
        }
        if connection.session.isFinished, !connection.isChannelFinished {
            connection.isChannelFinished = true
            channel.finish()
        }
    }

    private mutating func send(_ connection: ClientConnection, _ descriptor: Descriptor) {
        guard !connection.sending, !connection.isShutDown else { return }
        let bytes = nextSend(of: connection)
        guard !bytes.isEmpty else { return }
        connection.sending = true
        ring.send(bytes, to: descriptor, token: connection.token(.send))
    }

    private func nextSend(of connection: ClientConnection) -> UnsafeRawBufferPointer {
        guard let channel = connection.channel else { return connection.outbound.nextSend() }
        if connection.flight.isEmpty {
            channel.releaseMemory()
            connection.flight = channel.takeOutgoing()
        }
        return UnsafeRawBufferPointer(rebasing: connection.flight.prefix(OutboundBytes.gatheredByteCountMax))
    }

    private mutating func expire(_ slot: UInt32) {
        guard let connection = connections[Int(slot)] else { return }
        touch(connection)
        switch connection.phase {
        case .closing: break
        case .connecting, .securing:
            guard connection.connectDeadline <= ring.now else {
                return timers.schedule(slot, at: connection.connectDeadline)
            }
            let opening = connection.opening
            end(connection, .timeout(.connection, after: opening.timeout, address: opening.address))
        case .open:
            do throws(ClientError) {
                try connection.session.expire(at: ring.now)
            } catch {
                end(connection, error)
            }
        }
    }
}

// MARK: Ending

extension ClientShard {
    private mutating func close(_ line: UInt64) {
        guard let connection = connection(of: line) else { return }
        end(connection, .closed(address: connection.opening.address))
    }

    /// Everyone who waits hears of it now; the descriptor follows when the kernel has let go.
    private mutating func end(_ connection: ClientConnection, _ error: ClientError) {
        guard connection.phase != .closing else { return }
        connection.phase = .closing
        connection.opening.opened.settle(.failure(error))
        connection.session.end(with: error)
        slots[connection.line] = nil
        timers.cancel(connection.slot)
        touch(connection)
    }

    private mutating func settleClosing(_ connection: ClientConnection) {
        if connection.closing { return }
        cancelAll(connection)
        guard !connection.isHeldByKernel else { return }
        guard let descriptor = connection.descriptor else { return free(connection) }
        connection.closing = true
        ring.close(descriptor, token: connection.token(.close))
    }

    private mutating func cancelAll(_ connection: ClientConnection) {
        guard !connection.cancelling else { return }
        connection.cancelling = true
        let held = [
            (connection.connecting, Operation.connect), (connection.receiving, .receive), (connection.sending, .send),
        ]
        for (isHeld, operation) in held where isHeld {
            ring.cancel(connection.token(operation), token: connection.token(.cancel))
        }
    }

    /// The descriptor is gone; what the close returned says nothing we could act on.
    private mutating func closed(_ completion: Completion) {
        guard let connection = connection(for: completion.token) else { return }
        connection.closing = false
        free(connection)
    }

    private mutating func free(_ connection: ClientConnection) {
        let slot = Int(connection.slot)
        channels.keep(connection)
        connections[slot] = nil
        // Wraps at 24 bits: a completion would have to be 16 million tenants late to match.
        generations[slot] = (generations[slot] &+ 1) & Token.generationMask
        freeSlots.append(connection.slot)
        places.giveBack()
    }
}

/// Why the kernel would not connect.
private enum ConnectFailure {
    static func describe(_ errno: Int32, at address: String) -> ClientError {
        if ConnectError(-errno) == .refused { return .connectionRefused(address: address) }
        return .cannotConnect(
            address: address, reason: "\(errorText(errno)); correct the address, or look at the network.")
    }
}
