// How peers come and go.

import ApusReactor
import ApusSecurity
import ApusWire

extension RelayPeers {
    /// Peers on their way in at a time: fewer than any listener's backlog.
    private static let enteringMax = 128
    /// How long nothing may happen while peers are being let in.
    private static let patience: Nanoseconds = 10 * .second

    /// Log peers in until `target` were tried. Those that fail are counted; when none succeeds, the last one's reason
    /// is thrown.
    mutating func open(upTo target: Int, _ book: inout RelayBook) throws(LoadError) {
        precondition(target <= count)
        var deadline = now + RelayPeers.patience
        while entering > 0 || started < target {
            while entering < RelayPeers.enteringMax, started < target {
                try connect(started)
                started += 1
            }
            let before = entering
            turn(until: deadline, &book)
            if entering < before { deadline = now + RelayPeers.patience }
            guard now < deadline else {
                throw .connectTimeout(access.address, seconds: RelayPeers.patience.seconds)
            }
            if openCount == 0, ConnectError(connectResult) == .refused { throw .refused(access.address) }
        }
        if openCount == 0 { throw reason }
    }

    /// One turn in which nothing that arrives asks for more.
    mutating func turn(until deadline: Instant, _ book: inout RelayBook) {
        wait(until: deadline)
        while next(&book) != nil {}
        flush(&book)
    }

    /// Why nobody was let in.
    var reason: LoadError {
        if let failure { return .relay(access.address, failure.description) }
        guard connectResult != 0 else { return .closed(access.address) }
        return switch ConnectError(connectResult) {
        case .refused: .refused(access.address)
        case .noPort, .interrupted, .failed: .unconnected(access.address, errno: -connectResult)
        }
    }

    mutating func connect(_ index: Int) throws(LoadError) {
        peers[index].reset(as: identities.next())
        peers[index].socket = try openSocket()
        peers[index].state = .connecting
        peers[index].begun = now
        ring.connect(peers[index].socket, to: SocketAddress.bytes(of: target), token: name(.connect, index))
        entering += 1
    }

    private mutating func openSocket() throws(LoadError) -> Descriptor {
        let socket = try sources.openSocket(for: access.address)
        guard resetsWhenClosed else { return socket }
        do throws(SystemError) {
            try ApusReactor.resetWhenClosed(socket)
        } catch {
            ring.closeNow(socket)
            throw .system(error)
        }
        return socket
    }

    mutating func connected(_ completion: Completion) {
        let index = Int(completion.token.slot)
        guard completion.result == 0 else { return connectFailed(completion.result, index) }
        touch(index)
        peers[index].state = .securing
        if isEnding { return lose(index) }
        guard let channels else { return upgrade(index) }
        do throws(TLSConfigurationError) {
            open[index] = try channels.open(wallMilliseconds: WallClock.milliseconds())
        } catch {
            fail(.insecure(error.description), index)
        }
    }

    private mutating func connectFailed(_ result: Int32, _ index: Int) {
        entering -= 1
        ring.closeNow(peers[index].socket)
        // What we ended ourselves has not failed.
        if !isEnding { noteConnectFailure(result) }
        reopening.pause(at: now)
        closed(index)
    }

    private mutating func noteConnectFailure(_ result: Int32) {
        connectResult = result
        switch ConnectError(result) {
        case .noPort: portlessCount += 1
        case .refused, .interrupted, .failed: errors.connect += 1
        }
    }

    /// The connection stands, protected where it is to be.
    mutating func upgrade(_ index: Int) {
        peers[index].state = .upgrading
        var nonce = [16 of UInt8](repeating: 0)
        let random = SecureRandom.bytes(nonce.count)
        for place in nonce.indices { nonce[place] = random[place] }
        let request = WebSocketRequest(host: access.host, path: RelayAccess.path, nonce: nonce)
        peers[index].accept = WebSocketAccept.value(forKey: request.key.span.bytes)
        append(request.encode(), index)
    }

    /// The relay has let it in.
    mutating func enter(_ index: Int) {
        entering -= 1
        openCount += 1
        peers[index].state = .open
        reopening.noteOpened()
        touch(index)
    }

    /// The peer is of no use any more, and why.
    mutating func fail(_ reason: RelayFailure, _ index: Int) {
        failure = reason
        lose(index)
    }

    /// The relay has ended the connection, or it is of no use.
    mutating func lose(_ index: Int) {
        if leave(index), !isEnding { errors.closed += 1 }
    }

    /// We end it. False: it had ended before.
    @discardableResult
    mutating func leave(_ index: Int) -> Bool {
        switch peers[index].state {
        case .open: openCount -= 1
        case .securing, .upgrading, .authenticating: entering -= 1
        case .unopened, .connecting, .closing, .closed: return false
        }
        peers[index].state = .closing
        touch(index)
        return true
    }

    /// The kernel holds nothing of it.
    mutating func closed(_ index: Int) {
        peers[index].state = .closed
        open[index] = nil
        if reconnects, !isEnding { reopening.add(index) }
    }

    /// Log in anew, as somebody else, in the places of those that have ended.
    mutating func reopen() throws(LoadError) {
        while let index = reopening.take(at: now) { try connect(index) }
    }

    /// End them all, and wait until the kernel has let go of what it borrowed.
    mutating func close(_ book: inout RelayBook) {
        isEnding = true
        for index in 0..<started {
            if peers[index].state == .connecting { ring.cancel(name(.connect, index), token: name(.cancel, index)) }
            leave(index)
        }
        flush(&book)
        while (0..<started).contains(where: { peers[$0].isOpen }) { turn(until: .never, &book) }
    }
}
