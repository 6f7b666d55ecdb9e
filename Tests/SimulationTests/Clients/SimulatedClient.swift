// A simulated client, whatever it speaks: it connects, and step by step reads, writes and ends, with its manners. What
// it says and what it must hear its subclasses know.

import ApusReactor

class SimulatedClient: SocketPeer {
    enum State: Equatable {
        case waiting
        case connected
        case ended(End)
    }

    enum End: Equatable {
        /// Nobody listened any more.
        case notConnected
        /// It read the server's FIN, behind all that was sent before.
        case finish
        case reset
        case ownReset
        case vanished
    }

    let number: UInt8
    let manners: Manners
    unowned let kernel: SimulatedKernel
    private var listener: SimulatedListener
    private let host: HostAddress?
    var random: Generator

    var state = State.waiting
    private(set) var socket: SimulatedSocket?
    var speech: Speech
    private(set) var arrival = Instant.never
    private(set) var hasFinished = false
    /// When it last got on in any way; the end of a sulk lies in the future.
    var lastProgress: Instant
    private var isStepScheduled = false

    init(
        _ number: UInt8, _ speech: Speech, _ manners: Manners, on listener: SimulatedListener,
        of kernel: SimulatedKernel, from host: HostAddress? = nil
    ) {
        self.host = host
        self.number = number
        self.speech = speech
        self.manners = manners
        self.listener = listener
        self.kernel = kernel
        random = Generator(seed: kernel.random.next())
        lastProgress = kernel.now + manners.start
        kernel.agenda.add({ [unowned self] in connect() }, at: lastProgress)
    }

    var name: String { "client \(number)" }
    var hasReset: Bool { state == .ended(.ownReset) }

    /// Where it meant to connect has another socket now.
    func move(from old: SimulatedListener, to new: SimulatedListener) {
        if listener === old { listener = new }
    }

    private func connect() {
        (lastProgress, arrival) = (kernel.now, kernel.now)
        socket = kernel.connect(to: listener, self, from: host)
        state = socket == nil ? .ended(.notConnected) : .connected
        scheduleStep()
    }

    func socketChanged() { scheduleStep() }

    func scheduleStep() {
        guard state == .connected, !isStepScheduled else { return }
        isStepScheduled = true
        // Never at once: whoever changed the socket is still at work on it.
        var delay = 1 + random.nanoseconds(upTo: manners.reactionMax)
        if random.chance(perMille: manners.sulksPerMille) {
            delay += random.nanoseconds(upTo: manners.sulkMax)
            lastProgress = max(lastProgress, kernel.now + delay)
        }
        kernel.agenda.add({ [unowned self] in step() }, at: kernel.now + delay)
    }

    private func step() {
        isStepScheduled = false
        guard state == .connected, let socket else { return }
        let hasRead = read(from: socket)
        if state != .connected { return }
        speak()
        let hasWritten = write(to: socket)
        // Who does not listen learns of it when it writes.
        if socket.reset, !isListening { state = .ended(.reset) }
        if hasRead || hasWritten { lastProgress = max(lastProgress, kernel.now) }
        endWhenDue(socket)
        if !socket.outbound.isEmpty && isListening || !speech.isSaid && socket.inboundRoom > 0 { scheduleStep() }
    }

    private func read(from socket: SimulatedSocket) -> Bool {
        guard isListening else { return false }
        let count = hear(countMax: random.within(1, manners.readMax), from: socket)
        guard socket.outbound.isEmpty else { return true }
        if socket.reset {
            state = .ended(.reset)
        } else if socket.finished {
            state = .ended(.finish)
            if manners.finishesInTurn { finishInTurn(socket) }
        }
        return count > 0
    }

    private func finishInTurn(_ socket: SimulatedSocket) {
        guard !hasFinished else { return }
        hasFinished = true
        kernel.finish(socket)
    }

    private func write(to socket: SimulatedSocket) -> Bool {
        guard !speech.isSaid, !hasFinished else { return false }
        return speech.write(countMax: random.within(1, manners.writeMax), to: socket, of: kernel)
    }

    func finishWhenSaid(_ socket: SimulatedSocket) {
        guard speech.isSaid, !hasFinished else { return }
        hasFinished = true
        lastProgress = max(lastProgress, kernel.now)
        kernel.finish(socket)
    }

    func reset(_ socket: SimulatedSocket) {
        state = .ended(.ownReset)
        kernel.reset(socket)
    }

    // MARK: For subclasses

    /// It reads what comes.
    var isListening: Bool { true }
    /// Take and judge at most so many bytes; returns how many.
    func hear(countMax: Int, from socket: SimulatedSocket) -> Int { 0 }
    /// Queue what there is to say.
    func speak() {}
    func endWhenDue(_ socket: SimulatedSocket) {}
}
