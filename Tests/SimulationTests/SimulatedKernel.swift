// An io_uring with its sockets, in memory and in virtual time. What it does and when is decided by a seeded generator,
// within what the real one may do; what its user must not do it reports as a violation.

import ApusReactor
import Glibc

final class SimulatedKernel {
    /// What is asked for between two waits, in order.
    private enum Submission {
        case accept(SimulatedListener)
        case receive(SimulatedSocket)
        case send(SimulatedSocket)
        case shutdown(SimulatedSocket, Token)
        case close(SimulatedSocket, Token)
        case cancel(Token, token: Token)
        case wake(Token)
    }

    /// A completion on its way, and whose operation it ends.
    private struct Posted {
        let completion: Completion
        let socket: SimulatedSocket?
        let listener: SimulatedListener?
        var isStale = false
    }

    /// Descriptors of the simulation are far from those of the process.
    private static let descriptorFirst: Int32 = 1 << 24

    private(set) var now = Instant(nanoseconds: 1_000_000_000_000)
    var random: Generator
    var weather: Weather
    var planted: PlantedFault?
    let buffers: LentBuffers
    var agenda = Timeline<() -> Void>()
    /// A wait ends here at the latest, whatever the user's deadline: a directed test looks around.
    var horizon = Instant.never
    /// While so, the process has no descriptor left.
    var isExhausted = false
    /// What happens just before the kernel gets to a cancel; a directed test lets it come too late.
    var beforeCancel: ((Token) -> Void)?
    /// How much later than otherwise a close is told.
    var delaysCloses: Nanoseconds = 0

    private(set) var violation: Violation?
    private(set) var waitCount = 0
    /// Nothing would ever end the last wait.
    private(set) var isQuiescent = false
    private(set) var tally = KernelTally()
    private(set) var sockets: [SimulatedSocket] = []
    private(set) var listeners: [SimulatedListener] = []

    private var submissions: [Submission] = []
    private var completions = Timeline<Posted>()
    private var wake: (descriptor: Descriptor, token: Token, isReading: Bool)?
    private var lastWake = Instant(nanoseconds: 0)
    /// Tokens of connections that are gone, for stale completions.
    private var gone: [Token] = []

    init(_ random: Generator, _ weather: Weather, _ buffers: LentBuffers) {
        self.random = random
        self.weather = weather
        self.buffers = buffers
    }

    func report(_ invariant: Invariant, _ detail: @autoclosure () -> String) {
        guard violation == nil else { return }
        violation = Violation(invariant: invariant, detail: detail(), time: now, turn: waitCount)
    }

    func listen(inboundMax: Int, outboundMax: Int) -> SimulatedListener {
        let listener = SimulatedListener(
            Descriptor(Int32(1 << 20 + listeners.count)), inboundMax: inboundMax, outboundMax: outboundMax)
        listeners.append(listener)
        return listener
    }

    /// How long something takes: mostly no time, sometimes long.
    private func latency() -> Nanoseconds {
        guard weather.latencyMax > 0 else { return 0 }
        switch random.below(16) {
        case 0..<9: return 0
        case 9..<15: return random.nanoseconds(upTo: min(weather.latencyMax, .millisecond))
        default: return random.nanoseconds(upTo: weather.latencyMax)
        }
    }

    /// The socket of a descriptor that may still be used.
    private func socket(_ descriptor: Descriptor, _ purpose: String) -> SimulatedSocket? {
        let index = Int(descriptor.number - SimulatedKernel.descriptorFirst)
        guard sockets.indices.contains(index) else {
            report(.foreignDescriptor, "\(purpose) on descriptor \(descriptor.number), which is no socket")
            return nil
        }
        let socket = sockets[index]
        guard !socket.isClosed, !socket.held.contains(.close) else {
            report(.operationOnClosedDescriptor, "\(purpose) on socket \(index)")
            return nil
        }
        return socket
    }

    /// For messages: its number in the order of accepts.
    func name(_ socket: SimulatedSocket) -> String {
        "socket \(socket.descriptor.number - SimulatedKernel.descriptorFirst)"
    }
}

// MARK: What the user of the ring asks for

extension SimulatedKernel {
    func prepareAccept(_ descriptor: Descriptor, _ token: Token) {
        guard let listener = listeners.first(where: { $0.descriptor == descriptor }), !listener.isClosed else {
            return report(.operationOnClosedDescriptor, "accept on descriptor \(descriptor.number)")
        }
        if listener.isHeld { return report(.acceptArmedTwice, "listener \(descriptor.number)") }
        listener.isHeld = true
        listener.acceptUnderWay = token
        submissions.append(.accept(listener))
    }

    /// Receive, shut down or close.
    func prepare(_ operation: ApusReactor.Operation, _ descriptor: Descriptor, _ token: Token) {
        guard let socket = socket(descriptor, "\(operation)"), let held = HeldOperations(operation) else { return }
        if operation == .close, !socket.held.isEmpty {
            return report(.closedWhileHeld, "\(name(socket)) with operations \(socket.held.rawValue) in flight")
        }
        if socket.held.contains(held) {
            return report(operation == .receive ? .receiveArmedTwice : .shutDownTwice, name(socket))
        }
        socket.held.insert(held)
        switch operation {
        case .receive:
            socket.receiveUnderWay = token
            submissions.append(.receive(socket))
        case .shutdown: submissions.append(.shutdown(socket, token))
        case .close: submissions.append(.close(socket, token))
        case .accept, .send, .connect, .cancel, .wake, .doorbell, .ring: preconditionFailure("prepared elsewhere")
        }
    }

    func prepareSend(_ bytes: UnsafeRawBufferPointer, _ descriptor: Descriptor, _ token: Token) {
        guard let socket = socket(descriptor, "send") else { return }
        if socket.held.contains(.send) { return report(.secondSendInFlight, name(socket)) }
        socket.held.insert(.send)
        socket.sendUnderWay = SendUnderWay(token: token, bytes: bytes, copy: Array(bytes))
        socket.sendBegan = now
        submissions.append(.send(socket))
    }

    func prepareCancel(of target: Token, _ token: Token) { submissions.append(.cancel(target, token: token)) }

    func prepareWake(_ descriptor: Descriptor, _ token: Token) {
        if wake != nil { return report(.wakeAwaitedTwice, "eventfd \(descriptor.number)") }
        wake = (descriptor, token, false)
        submissions.append(.wake(token))
    }

    func recycle(_ lease: Lease) {
        if !buffers.recycle(lease) { report(.leaseRecycledTwice, "buffer \(lease.bufferID)") }
    }

    func closeNow(_ descriptor: Descriptor) {
        if let listener = listeners.first(where: { $0.descriptor == descriptor }) { return closeNow(listener) }
        guard let socket = socket(descriptor, "close at once") else { return }
        if !socket.held.isEmpty { return report(.closedWhileHeld, "\(name(socket)) at once") }
        socket.isRefused = true
        close(socket)
    }

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

    func nextCompletion() -> Completion? {
        // What follows a violation could trap, and would say nothing new.
        guard violation == nil, let posted = completions.popDue(at: now) else { return nil }
        let completion = posted.completion
        if let lease = completion.lease { buffers.lend(lease) }
        tally.count(completion, isStale: posted.isStale)
        if completion.lease != nil { posted.socket?.lastTaken = now }
        if completion.token.operation == .send { posted.socket?.sendEnded = now }
        if completion.hasMore { return completion }
        if let listener = posted.listener { listener.isHeld = false }
        if let socket = posted.socket, let held = completion.token.operation.flatMap({ HeldOperations($0) }) {
            socket.held.remove(held)
            if held == .close { remember(completion.token) }
        }
        if completion.token.operation == .wake { wake = nil }
        return completion
    }

    private func remember(_ token: Token) {
        if gone.count == 8 { gone.removeFirst() }
        gone.append(token)
    }
}

// MARK: The wait

extension SimulatedKernel {
    func wait(until deadline: Instant) {
        guard violation == nil else { return }
        waitCount += 1
        if buffers.lentCount > 0 { report(.leaseNotRecycled, "\(buffers.lentCount) leases out at the end of a turn") }
        buffers.publish()
        submit()
        if random.chance(perMille: weather.bringsStale) { postStale() }
        sleep(until: min(deadline, horizon))
        if random.chance(perMille: weather.oversleeps) {
            now = now + random.nanoseconds(upTo: max(weather.latencyMax, 1000))
            runDue()
        }
    }

    /// What peers and the world do while nobody waits any more.
    func runAgenda() {
        while agenda.earliest < .never {
            now = max(now, agenda.earliest)
            runDue()
        }
    }

    private func submit() {
        let batch = submissions
        submissions.removeAll(keepingCapacity: true)
        for submission in batch { begin(submission) }
    }

    private func begin(_ submission: Submission) {
        switch submission {
        case .accept(let listener): later { [unowned self] in accept(on: listener) }
        case .receive(let socket): receive(on: socket)
        case .send(let socket): later { [unowned self] in send(on: socket) }
        case .shutdown(let socket, let token): later { [unowned self] in shutDown(socket, token) }
        case .close(let socket, let token):
            close(socket)
            let completion = Completion(token: token, result: 0, hasMore: false, lease: nil)
            agenda.add({ [unowned self] in post(completion, socket) }, at: now + delaysCloses)
        case .cancel(let target, let token): cancel(target, token)
        case .wake: wake?.isReading = true
        }
    }

    /// At once or after a while.
    private func later(_ action: @escaping () -> Void) {
        let latency = latency()
        if latency == 0 { action() } else { agenda.add(action, at: now + latency) }
    }

    private func sleep(until deadline: Instant) {
        isQuiescent = false
        while true {
            runDue()
            if completions.earliest <= now { return }
            let next = min(agenda.earliest, completions.earliest, deadline)
            guard next < .never else {
                isQuiescent = true
                return
            }
            now = max(now, next)
            if now >= deadline { return runDue() }
        }
    }

    private func runDue() {
        while let action = agenda.popDue(at: now) { action() }
        readWake()
    }

    /// The inbox and its eventfd are real; all that is posted is posted on this thread, so looking is deterministic.
    private func readWake() {
        guard let wake, wake.isReading else { return }
        var entry = pollfd(fd: wake.descriptor.number, events: Int16(POLLIN), revents: 0)
        guard poll(&entry, 1, 0) == 1 else { return }
        var count: UInt64 = 0
        let byteCount = Glibc.read(wake.descriptor.number, &count, MemoryLayout<UInt64>.size)
        self.wake?.isReading = false
        post(Completion(token: wake.token, result: Int32(byteCount), hasMore: false, lease: nil), nil)
    }

    private func post(
        _ completion: Completion, _ socket: SimulatedSocket?, _ listener: SimulatedListener? = nil
    ) {
        var ready = now + latency()
        if let socket, let operation = completion.token.operation {
            let lane = Int(operation.rawValue) & 7
            ready = max(ready, socket.lanes[lane])
            socket.lanes[lane] = ready
        } else if let listener {
            ready = max(ready, listener.lane)
            listener.lane = ready
        }
        completions.add(Posted(completion: completion, socket: socket, listener: listener), at: ready)
    }

    /// The kernel does not do this to a user whose bits are right; a check of generations has to hold all the same.
    private func postStale() {
        guard !gone.isEmpty else { return }
        let token = random.choice(gone)
        let kinds: [(ApusReactor.Operation, Int32)] = [
            (.receive, 0), (.receive, 1), (.receive, -ECANCELED), (.receive, -ECONNRESET), (.send, -EPIPE),
            (.shutdown, 0), (.close, 0),
        ]
        let (operation, result) = random.choice(kinds)
        var lease: Lease?
        if result > 0 {
            guard let buffer = buffers.take(), let start = buffer.bytes.baseAddress else { return }
            start.storeBytes(of: 0x21, as: UInt8.self)
            lease = Lease(start: start, byteCount: 1, bufferID: UInt16(buffer.id))
        }
        postStale(Token(operation, slot: token.slot, generation: token.generation), result, lease)
    }

    func postStale(_ token: Token, _ result: Int32, _ lease: Lease? = nil) {
        let completion = Completion(token: token, result: result, hasMore: false, lease: lease)
        completions.add(Posted(completion: completion, socket: nil, listener: nil, isStale: true), at: now)
    }
}

// MARK: Accept

extension SimulatedKernel {
    /// Go on with an accept, if one is under way.
    func accept(on listener: SimulatedListener) {
        guard let token = listener.acceptUnderWay else { return }
        if random.chance(perMille: weather.interrupts) { return endAccept(listener, -EINTR) }
        while !listener.backlog.isEmpty {
            if isExhausted { return endAccept(listener, -EMFILE) }
            let socket = listener.backlog.removeFirst()
            if random.chance(perMille: weather.abortsAccepts) {
                socket.reset = true
                socket.peer?.socketChanged()
                return endAccept(listener, -ECONNABORTED)
            }
            let ends = random.chance(perMille: weather.endsAccepts)
            socket.isAccepted = true
            socket.peer?.socketChanged()
            post(
                Completion(token: token, result: socket.descriptor.number, hasMore: !ends, lease: nil), nil, listener)
            if ends {
                listener.acceptUnderWay = nil
                return
            }
        }
    }

    private func endAccept(_ listener: SimulatedListener, _ result: Int32) {
        guard let token = listener.acceptUnderWay else { return }
        listener.acceptUnderWay = nil
        post(Completion(token: token, result: result, hasMore: false, lease: nil), nil, listener)
    }
}

// MARK: Receive

extension SimulatedKernel {
    /// Go on with a receive, if one is under way.
    func receive(on socket: SimulatedSocket) {
        guard let token = socket.receiveUnderWay, !socket.isReceiveDelayed else { return }
        if random.chance(perMille: weather.interrupts) {
            return endReceive(socket, random.chance(perMille: 500) ? -EINTR : -EAGAIN)
        }
        while !socket.inbound.isEmpty {
            guard let buffer = buffers.take() else { return endReceive(socket, -ENOBUFS) }
            let lease = fill(buffer, from: socket)
            let ends = random.chance(perMille: weather.endsReceives)
            if ends { socket.receiveUnderWay = nil }
            post(Completion(token: token, result: lease.byteCount, hasMore: !ends, lease: lease), socket)
            if ends { return }
            if delayReceive(socket) { return }
        }
        guard socket.peerReset || socket.peerFinished else { return }
        // Even an end is told only to one who has a buffer for it.
        if !buffers.hasFree { return endReceive(socket, -ENOBUFS) }
        if socket.peerReset {
            endReceive(socket, socket.resetUntold ? -ECONNRESET : 0)
            socket.resetUntold = false
        } else {
            endReceive(socket, 0)
        }
    }

    /// No buffer is left for a receive.
    func starve(_ socket: SimulatedSocket) { endReceive(socket, -ENOBUFS) }

    private func fill(_ buffer: (id: Int, bytes: UnsafeMutableRawBufferPointer), from socket: SimulatedSocket) -> Lease {
        var count = min(buffer.bytes.count, socket.inbound.count)
        if random.chance(perMille: weather.splitsReceives) { count = random.within(1, count) }
        socket.inbound.take(into: UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<count]))
        socket.inboundSince = socket.inbound.isEmpty ? .never : now
        socket.peer?.socketChanged()
        guard let start = buffer.bytes.baseAddress else { preconditionFailure("a buffer has at least a byte") }
        return Lease(start: start, byteCount: Int32(count), bufferID: UInt16(buffer.id))
    }

    private func endReceive(_ socket: SimulatedSocket, _ result: Int32) {
        guard let token = socket.receiveUnderWay else { return }
        socket.receiveUnderWay = nil
        post(Completion(token: token, result: result, hasMore: false, lease: nil), socket)
    }

    /// The kernel turns to something else before it goes on here.
    private func delayReceive(_ socket: SimulatedSocket) -> Bool {
        let latency = latency()
        guard latency > 0 else { return false }
        socket.isReceiveDelayed = true
        agenda.add(
            { [unowned self] in
                socket.isReceiveDelayed = false
                receive(on: socket)
            }, at: now + latency)
        return true
    }
}

// MARK: Send, shutdown, close, cancel

extension SimulatedKernel {
    /// Go on with a send, if one is under way: only here are its bytes read.
    func send(on socket: SimulatedSocket) {
        guard let send = socket.sendUnderWay else { return }
        guard send.isUnchanged else {
            return report(.bytesInFlightChanged, "\(send.bytes.count) bytes for \(name(socket))")
        }
        if socket.peerReset {
            let result = socket.resetUntold ? -ECONNRESET : -EPIPE
            socket.resetUntold = false
            return endSend(socket, result)
        }
        if random.chance(perMille: weather.interrupts) { return endSend(socket, -EINTR) }
        guard socket.outboundRoom > 0 else { return }
        var count = min(send.bytes.count, socket.outboundRoom)
        if random.chance(perMille: weather.shortensSends) { count = random.within(1, count) }
        if socket.outbound.isEmpty { socket.lastRead = now }
        socket.outbound.append(UnsafeRawBufferPointer(rebasing: send.bytes[..<count]))
        if count < send.bytes.count { tally.shortSends += 1 }
        endSend(socket, Int32(count))
        socket.peer?.socketChanged()
    }

    private func endSend(_ socket: SimulatedSocket, _ result: Int32) {
        guard let send = socket.sendUnderWay else { return }
        socket.sendUnderWay = nil
        post(Completion(token: send.token, result: result, hasMore: false, lease: nil), socket)
    }

    private func shutDown(_ socket: SimulatedSocket, _ token: Token) {
        if !socket.peerReset { socket.finished = true }
        socket.peer?.socketChanged()
        let result = socket.peerReset ? -ENOTCONN : 0
        post(Completion(token: token, result: result, hasMore: false, lease: nil), socket)
    }

    /// What the peer sent and nobody received turns the close into a reset, which may destroy what the peer did not read.
    private func close(_ socket: SimulatedSocket) {
        socket.isClosed = true
        if socket.inbound.isEmpty {
            socket.finished = true
        } else {
            resetPeer(of: socket)
        }
        socket.peer?.socketChanged()
    }

    private func resetPeer(of socket: SimulatedSocket) {
        socket.reset = true
        socket.outbound.cut(to: random.below(socket.outbound.count + 1))
    }

    private func cancel(_ target: Token, _ token: Token) {
        beforeCancel?(target)
        let isFound = random.chance(perMille: weather.losesCancels) ? outrun(target) : end(target)
        post(Completion(token: token, result: isFound ? 0 : -ENOENT, hasMore: false, lease: nil), nil)
    }

    /// The kernel gets to the operation once more before the cancel does.
    private func outrun(_ target: Token) -> Bool {
        if let socket = sockets.first(where: { $0.receiveUnderWay == target }) {
            receive(on: socket)
        } else if let socket = sockets.first(where: { $0.sendUnderWay?.token == target }) {
            send(on: socket)
        } else if let listener = listeners.first(where: { $0.acceptUnderWay == target }) {
            accept(on: listener)
        }
        return end(target)
    }

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

// MARK: What peers do

extension SimulatedKernel {
    /// A connection that waits to be accepted; nil when nobody listens any more.
    func connect(to listener: SimulatedListener, _ peer: any SocketPeer) -> SimulatedSocket? {
        guard !listener.isClosed else { return nil }
        let socket = SimulatedSocket(
            Descriptor(SimulatedKernel.descriptorFirst + Int32(sockets.count)),
            inboundMax: listener.inboundMax, outboundMax: listener.outboundMax)
        socket.peer = peer
        sockets.append(socket)
        listener.backlog.append(socket)
        accept(on: listener)
        return socket
    }

    /// As many bytes as there is room for, at most `countMax`; returns how many. To a closed socket: a reset comes back.
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
        socket.peerFinished = true
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
