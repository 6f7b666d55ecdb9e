// What the user of the ring asks for between two waits. Each request is checked here: this is the protocol of a ring,
// and the only place where a shard's breach of it can be seen as what it is.

import ApusReactor

extension SimulatedKernel {
    func prepareAccept(_ descriptor: Descriptor, _ token: Token) {
        guard let listener = listener(descriptor), !listener.isClosed else {
            return report(.operationOnClosedDescriptor, "accept on descriptor \(descriptor.number)")
        }
        if listener.isHeld { return report(.acceptArmedTwice, "listener \(descriptor.number)") }
        listener.isHeld = true
        listener.acceptUnderWay = token
        submissions.append(.accept(listener))
    }

    func prepareReceive(_ descriptor: Descriptor, _ token: Token) {
        guard let socket = socket(descriptor, "receive"), take(.receive, of: socket, or: .receiveArmedTwice)
        else { return }
        socket.receiveUnderWay = token
        submissions.append(.receive(socket))
    }

    func prepareSend(_ bytes: UnsafeRawBufferPointer, _ descriptor: Descriptor, _ token: Token) {
        guard let socket = socket(descriptor, "send"), take(.send, of: socket, or: .secondSendInFlight) else { return }
        socket.sendUnderWay = SendUnderWay(token: token, bytes: bytes, copy: Array(bytes))
        socket.sendBegan = now
        submissions.append(.send(socket))
    }

    func prepareShutdown(_ descriptor: Descriptor, _ token: Token) {
        guard let socket = socket(descriptor, "shutdown"), take(.shutdown, of: socket, or: .shutDownTwice)
        else { return }
        submissions.append(.shutdown(socket, token))
    }

    func prepareClose(_ descriptor: Descriptor, _ token: Token) {
        guard let socket = socket(descriptor, "close") else { return }
        guard socket.held.isEmpty else {
            return report(.closedWhileHeld, "\(socket.name) with operations \(socket.held.rawValue) in flight")
        }
        socket.held.insert(.close)
        submissions.append(.close(socket, token))
    }

    func prepareCancel(of target: Token, _ token: Token) { submissions.append(.cancel(target, token: token)) }

    func prepareWake(_ descriptor: Descriptor, _ token: Token) {
        if wake != nil { return report(.wakeAwaitedTwice, "eventfd \(descriptor.number)") }
        wake = Wake(descriptor: descriptor, token: token)
        submissions.append(.wake)
    }

    func prepareDoorbell(of descriptor: Descriptor, delivering delivered: Token, _ token: Token) {
        let shard = Int(descriptor.number - SimulatedKernel.ringFirst)
        world.doorbellsUnderWay[shard, default: 0] += 1
        submissions.append(.doorbell(shard: shard, delivered, token: token))
    }

    func recycle(_ lease: Lease) {
        if !buffers.recycle(lease) { report(.leaseRecycledTwice, "buffer \(lease.bufferID)") }
    }

    /// Outside the ring: what waits, without the kernel's moods.
    func acceptNow(on descriptor: Descriptor) -> Descriptor? {
        guard let listener = listener(descriptor), !listener.isClosed else {
            report(.operationOnClosedDescriptor, "accept at once on descriptor \(descriptor.number)")
            return nil
        }
        guard !isExhausted, !listener.backlog.isEmpty else { return nil }
        let socket = listener.backlog.removeFirst()
        socket.isAccepted = true
        noteAcceptedAtOnce()
        return socket.descriptor
    }

    func closeNow(_ descriptor: Descriptor) {
        if let listener = listener(descriptor) { return closeNow(listener) }
        guard let socket = socket(descriptor, "close at once") else { return }
        guard socket.held.isEmpty else { return report(.closedWhileHeld, "\(socket.name) at once") }
        socket.isRefused = true
        close(socket)
    }

    func host(of descriptor: Descriptor) -> HostAddress? { socket(descriptor, "the peer's host")?.host }

    private func closeNow(_ listener: SimulatedListener) {
        if listener.isHeld { return report(.closedWhileHeld, "listener \(listener.descriptor.number)") }
        if listener.isClosed { return report(.operationOnClosedDescriptor, "close of a listener") }
        listener.isClosed = true
        for socket in listener.backlog {
            socket.reset = true
            socket.peer?.socketChanged()
        }
        listener.backlog.removeAll()
    }

    /// False, and reported: an operation of that kind is in flight already.
    private func take(_ operation: HeldOperations, of socket: SimulatedSocket, or invariant: Invariant) -> Bool {
        if socket.held.contains(operation) {
            report(invariant, socket.name)
            return false
        }
        socket.held.insert(operation)
        return true
    }

    private func listener(_ descriptor: Descriptor) -> SimulatedListener? {
        listeners.first { $0.descriptor == descriptor }
    }

    /// The socket of a descriptor that may still be used; nil, and reported, when it may not.
    private func socket(_ descriptor: Descriptor, _ purpose: String) -> SimulatedSocket? {
        let index = Int(descriptor.number - SimulatedSocket.descriptorFirst) - number << SimulatedKernel.socketBits
        guard sockets.indices.contains(index) else {
            report(.foreignDescriptor, "\(purpose) on descriptor \(descriptor.number), which is no socket")
            return nil
        }
        let socket = sockets[index]
        guard !socket.isClosed, !socket.held.contains(.close) else {
            report(.operationOnClosedDescriptor, "\(purpose) on \(socket.name)")
            return nil
        }
        return socket
    }
}
