// What the simulated kernel does with the operations it was given, each time it gets to one: take bytes, wait, end it.

import ApusReactor
import Glibc

// MARK: Accept

extension SimulatedKernel {
    /// Go on with an accept, if one is under way.
    func accept(on listener: SimulatedListener) {
        guard let token = listener.acceptUnderWay else { return }
        if random.chance(perMille: weather.interrupts) { return endAccept(listener, -EINTR) }
        while !listener.backlog.isEmpty {
            if isExhausted { return endAccept(listener, -EMFILE) }
            if random.chance(perMille: weather.failsAccepts) { return endAccept(listener, -EINVAL) }
            let socket = listener.backlog.removeFirst()
            if random.chance(perMille: weather.abortsAccepts) {
                socket.reset = true
                socket.peer?.socketChanged()
                return endAccept(listener, -ECONNABORTED)
            }
            socket.isAccepted = true
            let ends = random.chance(perMille: weather.endsAccepts)
            if ends { listener.acceptUnderWay = nil }
            post(socket.descriptor.number, of: token, hasMore: !ends, listener)
            if ends { return }
        }
    }

    private func endAccept(_ listener: SimulatedListener, _ result: Int32) {
        guard let token = listener.acceptUnderWay else { return }
        listener.acceptUnderWay = nil
        post(result, of: token, hasMore: false, listener)
    }
}

// MARK: Receive

extension SimulatedKernel {
    /// Go on with a receive, if one is under way.
    func receive(on socket: SimulatedSocket) {
        guard socket.receiveUnderWay != nil, !socket.isReceiveDelayed else { return }
        if random.chance(perMille: weather.interrupts) {
            return endReceive(socket, random.chance(perMille: 500) ? -EINTR : -EAGAIN)
        }
        while !socket.inbound.isEmpty {
            guard receiveBuffer(on: socket), !delayReceive(socket) else { return }
        }
        guard socket.peerReset || socket.peerFinished else { return }
        // Even an end is told only to one who has a buffer for it.
        if !buffers.hasFree { return endReceive(socket, -ENOBUFS) }
        let isUntold = socket.resetUntold
        socket.resetUntold = false
        endReceive(socket, isUntold ? -ECONNRESET : 0)
    }

    /// One completion with bytes, or ENOBUFS. False: the receive has ended.
    private func receiveBuffer(on socket: SimulatedSocket) -> Bool {
        guard let token = socket.receiveUnderWay else { return false }
        guard let buffer = buffers.take() else {
            endReceive(socket, -ENOBUFS)
            return false
        }
        var count = min(buffer.bytes.count, socket.inbound.count)
        if random.chance(perMille: weather.splitsReceives) { count = random.within(1, count) }
        socket.inbound.take(into: UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<count]))
        socket.inboundSince = socket.inbound.isEmpty ? .never : now
        let ends = random.chance(perMille: weather.endsReceives)
        if ends { socket.receiveUnderWay = nil }
        let lease = buffer.lease(byteCount: count)
        post(Completion(token: token, result: lease.byteCount, hasMore: !ends, lease: lease), socket)
        socket.peer?.socketChanged()
        return !ends
    }

    /// The kernel turns to something else before it goes on here.
    private func delayReceive(_ socket: SimulatedSocket) -> Bool {
        let latency = latency()
        guard latency > 0 else { return false }
        socket.isReceiveDelayed = true
        let goOn: () -> Void = { [unowned self] in
            socket.isReceiveDelayed = false
            receive(on: socket)
        }
        agenda.add(goOn, at: now + latency)
        return true
    }

    func endReceive(_ socket: SimulatedSocket, _ result: Int32) {
        guard let token = socket.receiveUnderWay else { return }
        socket.receiveUnderWay = nil
        post(token, result, socket)
    }
}

// MARK: Send, shutdown, close

extension SimulatedKernel {
    /// Go on with a send, if one is under way: only here are its bytes read.
    func send(on socket: SimulatedSocket) {
        guard let send = socket.sendUnderWay else { return }
        guard send.isUnchanged else {
            return report(.bytesInFlightChanged, "\(send.bytes.count) bytes for \(socket.name)")
        }
        if socket.peerReset {
            let isUntold = socket.resetUntold
            socket.resetUntold = false
            return endSend(socket, isUntold ? -ECONNRESET : -EPIPE)
        }
        if random.chance(perMille: weather.interrupts) { return endSend(socket, -EINTR) }
        guard socket.outboundRoom > 0 else { return }
        var count = min(send.bytes.count, socket.outboundRoom)
        if random.chance(perMille: weather.shortensSends) { count = random.within(1, count) }
        if socket.outbound.isEmpty { socket.lastRead = now }
        socket.outbound.append(UnsafeRawBufferPointer(rebasing: send.bytes[..<count]))
        if count < send.bytes.count { socket.shortSends += 1 }
        endSend(socket, Int32(count))
        socket.peer?.socketChanged()
    }

    private func endSend(_ socket: SimulatedSocket, _ result: Int32) {
        guard let send = socket.sendUnderWay else { return }
        socket.sendUnderWay = nil
        post(send.token, result, socket)
    }

    func shutDown(_ socket: SimulatedSocket, _ token: Token) {
        if !socket.peerReset { socket.finished = true }
        socket.peer?.socketChanged()
        post(token, socket.peerReset ? -ENOTCONN : 0, socket)
    }

    /// What the peer sent and nobody received turns the close into a reset.
    func close(_ socket: SimulatedSocket) {
        socket.isClosed = true
        if socket.inbound.isEmpty { socket.finished = true } else { resetPeer(of: socket) }
        socket.peer?.socketChanged()
    }

    /// A reset may destroy what the peer has not read.
    func resetPeer(of socket: SimulatedSocket) {
        socket.reset = true
        socket.outbound.cut(to: random.below(socket.outbound.count + 1))
    }
}

// MARK: Cancel

extension SimulatedKernel {
    func cancel(_ target: Token, _ token: Token) {
        beforeCancel?(target)
        // Sometimes the kernel gets to the operation once more before the cancel does.
        if random.chance(perMille: weather.losesCancels) { goOn(with: target) }
        post(token, end(target) ? 0 : -ENOENT)
    }

    private func goOn(with target: Token) {
        if let socket = sockets.first(where: { $0.receiveUnderWay == target }) {
            receive(on: socket)
        } else if let socket = sockets.first(where: { $0.sendUnderWay?.token == target }) {
            send(on: socket)
        } else if let listener = listeners.first(where: { $0.acceptUnderWay == target }) {
            accept(on: listener)
        }
    }

    /// False: there is no such operation, or no longer.
    private func end(_ target: Token) -> Bool {
        if let socket = sockets.first(where: { $0.receiveUnderWay == target }) {
            endReceive(socket, -ECANCELED)
        } else if let socket = sockets.first(where: { $0.sendUnderWay?.token == target }) {
            endSend(socket, -ECANCELED)
        } else if let listener = listeners.first(where: { $0.acceptUnderWay == target }) {
            endAccept(listener, -ECANCELED)
        } else {
            return false
        }
        return true
    }
}
