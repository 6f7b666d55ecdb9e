// The other side of the sockets: what peers may do to a simulated kernel.

import ApusReactor

extension SimulatedKernel {
    func listen(inboundMax: Int, outboundMax: Int) -> SimulatedListener {
        let listener = SimulatedListener(
            number: number << SimulatedKernel.listenerBits + listeners.count, inboundMax: inboundMax,
            outboundMax: outboundMax)
        listeners.append(listener)
        return listener
    }

    /// A connection that waits to be accepted; nil when nobody listens any more.
    func connect(
        to listener: SimulatedListener, _ peer: any SocketPeer, from host: HostAddress? = nil
    ) -> SimulatedSocket? {
        guard !listener.isClosed else { return nil }
        let socket = SimulatedSocket(
            number: number << SimulatedKernel.socketBits + sockets.count, of: listener, from: host)
        socket.peer = peer
        sockets.append(socket)
        listener.backlog.append(socket)
        accept(on: listener)
        return socket
    }

    /// As many bytes as there is room for, at most `countMax`; returns how many. To a closed socket: a reset comes
    /// back.
    func write(_ bytes: inout ByteQueue, countMax: Int, to socket: SimulatedSocket) -> Int {
        if socket.isClosed {
            resetPeer(of: socket)
            socket.peer?.socketChanged()
            return 0
        }
        let count = min(bytes.count, socket.inboundRoom, countMax)
        guard count > 0 else { return 0 }
        if socket.inbound.isEmpty { socket.inboundSince = now }
        bytes.move(count, to: &socket.inbound)
        receive(on: socket)
        return count
    }

    /// Take at most `countMax` bytes; a send that waits for room goes on.
    func read(_ bytes: inout ByteQueue, countMax: Int, from socket: SimulatedSocket) -> Int {
        let count = min(countMax, socket.outbound.count)
        guard count > 0 else { return 0 }
        socket.outbound.move(count, to: &bytes)
        if now > socket.lastRead { socket.longestUnread = max(socket.longestUnread, now - socket.lastRead) }
        socket.lastRead = now
        send(on: socket)
        return count
    }

    /// FIN.
    func finish(_ socket: SimulatedSocket) {
        socket.peerFinishedAt = now
        receive(on: socket)
    }

    /// RST; what was sent before it may be lost.
    func reset(_ socket: SimulatedSocket) {
        socket.peerReset = true
        socket.resetUntold = true
        if random.chance(perMille: 500) { socket.inbound.removeAll() }
        socket.outbound.removeAll()
        receive(on: socket)
        send(on: socket)
    }
}
