// A simulated client: it follows its script, with its manners, and reports at once when it hears what it must not. What
// it did not hear is for `CloseAudit` to judge.

import ApusReactor
import ApusServer

final class ModelClient: SocketPeer {
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
    let script: Script
    let manners: Manners
    let bounds: ScriptBounds
    private unowned let kernel: SimulatedKernel
    private let listener: SimulatedListener
    private let host: HostAddress?
    private var random: Generator

    private(set) var state = State.waiting
    private(set) var socket: SimulatedSocket?
    private(set) var speech: Speech
    private(set) var hearing: Hearing
    private(set) var arrival = Instant.never
    private(set) var isToldToLeave = false
    private(set) var hasFinished = false
    /// When it last got on in any way; the end of a sulk lies in the future.
    private(set) var lastProgress: Instant
    private var isStepScheduled = false
    /// Replies that must come before it is told to leave.
    private var repliesOwedFirst = 0

    init(
        _ number: UInt8, _ script: Script, _ manners: Manners, on listener: SimulatedListener,
        of kernel: SimulatedKernel, from host: HostAddress? = nil
    ) {
        self.host = host
        self.number = number
        self.script = script
        self.manners = manners
        self.listener = listener
        self.kernel = kernel
        bounds = ScriptBounds(script)
        random = Generator(seed: kernel.random.next())
        speech = Speech(script.requests)
        hearing = Hearing(number, script)
        lastProgress = kernel.now + manners.start
        kernel.agenda.add({ [unowned self] in connect() }, at: lastProgress)
    }

    var name: String { "client \(number)" }

    private func connect() {
        (lastProgress, arrival) = (kernel.now, kernel.now)
        socket = kernel.connect(to: listener, self, from: host)
        state = socket == nil ? .ended(.notConnected) : .connected
        scheduleStep()
    }

    func socketChanged() { scheduleStep() }

    private func scheduleStep() {
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
        queueRequests()
        let hasWritten = write(to: socket)
        if hasRead || hasWritten { lastProgress = max(lastProgress, kernel.now) }
        endWhenDue(socket)
        if !socket.outbound.isEmpty || !speech.isSaid && socket.inboundRoom > 0 { scheduleStep() }
    }
}

// MARK: Saying

extension ModelClient {
    private func queueRequests() {
        while !speech.isMute, !speech.isAllQueued, !isLeaving, repliesDue - hearing.replyCount < manners.window,
            speech.unsentByteCount < 1 << 16
        { speech.sayNextRequest() }
    }

    private func write(to socket: SimulatedSocket) -> Bool {
        guard !speech.isSaid, !hasFinished else { return false }
        return speech.write(countMax: random.within(1, manners.writeMax), to: socket, of: kernel)
    }

    private func endWhenDue(_ socket: SimulatedSocket) {
        if isLeaving, !speech.isMute { return finishWhenSaid(socket) }
        guard speech.isAllQueued else { return }
        switch script.ending {
        case .stay: break
        case .finish: finishWhenSaid(socket)
        case .finishAnswered: if isAnswered { finishWhenSaid(socket) }
        case .last(let bytes, _): sayLast(bytes)
        case .truncate(let bytes):
            sayLast(bytes)
            finishWhenSaid(socket)
        case .reset where isAnswered || random.chance(perMille: 200): reset(socket)
        case .reset: scheduleStep()
        case .vanish: if speech.isSaid { state = .ended(.vanished) }
        }
    }

    private func sayLast(_ bytes: [UInt8]) {
        guard !speech.isMute else { return }
        speech.sayLast(bytes)
        scheduleStep()
    }

    private func finishWhenSaid(_ socket: SimulatedSocket) {
        guard speech.isSaid, !hasFinished else { return }
        hasFinished = true
        lastProgress = max(lastProgress, kernel.now)
        kernel.finish(socket)
    }

    private func reset(_ socket: SimulatedSocket) {
        state = .ended(.ownReset)
        kernel.reset(socket)
    }
}

// MARK: Hearing

extension ModelClient {
    private func read(from socket: SimulatedSocket) -> Bool {
        let count = hearing.read(countMax: random.within(1, manners.readMax), from: socket, of: kernel)
        while count > 0, let heard = hearing.next(repliesDue: repliesDue) {
            if !react(to: heard) { break }
        }
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

    /// False: nothing that follows would make sense.
    private func react(to heard: Hearing.Heard) -> Bool {
        switch heard {
        case .reply, .push: break
        case .ping: if manners.answersPings, !speech.isMute, !hasFinished { speech.sayPong() }
        case .disconnect: heardDisconnect()
        case .mistake(let invariant, let detail):
            kernel.report(invariant, "\(name) got \(detail)")
            return false
        }
        return true
    }

    /// It could be taken for a reply that is due, so whoever waited for one when the drain began gets that first.
    private func heardDisconnect() {
        isToldToLeave = true
        guard hearing.replyCount < repliesOwedFirst else { return }
        kernel.report(.toldToLeaveTooEarly, "\(name) has \(hearing.replyCount) of \(repliesOwedFirst) replies")
    }

    /// The drain begins while so many asynchronous requests are started, the last of which is not answered.
    func noteDrain(asyncRequested: Int) {
        repliesOwedFirst = bounds.repliesBehind[bounds.asyncPlaces[asyncRequested - 1] + 1]
    }
}

// MARK: What is due

extension ModelClient {
    private var isLeaving: Bool { isToldToLeave && manners.leavesWhenTold }

    var repliesDue: Int { bounds.repliesBehind[speech.requestsQueued] }
    /// Those for which all of the request has left this client.
    var repliesEarned: Int { bounds.repliesBehind[speech.requestsWritten] }
    var isAnswered: Bool { hearing.replyCount >= repliesEarned && !hearing.isAmidPacket }

    /// It has nothing more to do of its own accord.
    var isSettled: Bool {
        switch (state, script.ending) {
        case (.ended, _): true
        case (.connected, .stay): !isToldToLeave && speech.isAllQueued && speech.isSaid && isAnswered
        case (.waiting, _), (.connected, _): false
        }
    }

    /// Something is owed to it, or it has something to say that is not taken.
    var isOwed: Bool {
        guard state == .connected, let socket else { return false }
        if !socket.isAccepted || !speech.isSaid || hearing.replyCount < repliesDue || hasFinished { return true }
        return lastReason != nil
    }

    /// Why the server should have ended the connection, when this client's last bytes ask for it.
    var lastReason: CloseReason? {
        if speech.isMute, case .last(_, let reason) = script.ending { return reason }
        return nil
    }

    var isTruncating: Bool {
        if speech.isMute, case .truncate = script.ending { return true }
        return false
    }

    var hasReset: Bool { state == .ended(.ownReset) }
}
