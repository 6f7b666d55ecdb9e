// How the connections of a set come and go.

import ApusReactor

extension ConnectionSet {
    /// Connects under way at a time: fewer than any listener's backlog.
    private static let connectingMax = 128
    /// How long nothing may happen while connections are being made.
    private static let patience: Nanoseconds = 10 * .second

    /// Make connections until `target` were tried. Those that fail are counted; when none succeeds, the last one's
    /// reason is thrown.
    mutating func open(upTo target: Int) throws(LoadError) {
        precondition(target <= count)
        var deadline = now + ConnectionSet.patience
        while connecting > 0 || started < target {
            while connecting < ConnectionSet.connectingMax, started < target {
                try connect(started)
                started += 1
            }
            let before = connecting
            wait(until: deadline)
            // No request is outstanding, so there are no replies to return: only connects and PINGs.
            while next() != nil {}
            flush()
            if connecting < before { deadline = now + ConnectionSet.patience }
            guard now < deadline else { throw .connectTimeout(address, seconds: ConnectionSet.patience.seconds) }
            if openCount == 0, connecting == 0, let channelFailure { throw .insecure(channelFailure.description) }
            let isHopeless = connecting == 0 && started == target || ConnectError(connectResult) == .refused
            if openCount == 0, connectResult != 0, isHopeless { throw connectError }
        }
        // Every handshake was ended by the server: nothing that follows would be answered.
        if isProtected, openCount == 0 { throw channelFailure.map { .insecure($0.description) } ?? .closed(address) }
    }

    private var connectError: LoadError {
        switch ConnectError(connectResult) {
        case .refused: .refused(address)
        case .noPort, .interrupted, .failed: .unconnected(address, errno: -connectResult)
        }
    }

    private mutating func connect(_ index: Int) throws(LoadError) {
        connections[index].socket = try sources.openSocket(for: address)
        connections[index].state = .connecting
        ring.connect(
            connections[index].socket, to: SocketAddress.bytes(of: target), token: token(.connect, index))
        connecting += 1
    }

    mutating func connected(_ completion: Completion) {
        let index = Int(completion.token.slot)
        guard completion.result == 0 else {
            connecting -= 1
            return connectFailed(completion.result, index)
        }
        touch(index)
        guard isProtected else { return opened(index) }
        connections[index].state = .securing
        if !secure(index) {
            channelFailure = .tls(.outOfMemory)
            errors.connect += 1
            end(index)
        }
    }

    /// It may ask.
    mutating func opened(_ index: Int) {
        connecting -= 1
        connections[index].state = .open
        openCount += 1
        if isEnding { return end(index) }
        if isStarted { reopening.noteOpened() }
        touch(index)
    }

    private mutating func connectFailed(_ result: Int32, _ index: Int) {
        connectResult = result
        errors.connect += 1
        ring.closeNow(connections[index].socket)
        if isStarted { reopening.pause(at: now) }
        closed(index)
    }

    /// The kernel holds nothing of it.
    mutating func closed(_ index: Int) {
        connections[index].state = .closed
        if reconnects, isStarted, !isEnding { reopening.add(index) }
    }

    /// Make anew what the server has ended.
    mutating func reopen() throws(LoadError) {
        while connecting < ConnectionSet.connectingMax, let index = reopening.take(at: now) {
            connections[index].reset()
            drop(index)
            try connect(index)
        }
    }

    /// End them all, and wait until the kernel has let go of what it borrowed.
    mutating func close() {
        isEnding = true
        for index in 0..<started { end(index) }
        flush()
        while (0..<started).contains(where: { connections[$0].state != .closed }) {
            wait(until: .never)
            while next() != nil {}
            flush()
        }
    }
}
