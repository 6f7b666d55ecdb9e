// A simulated client: it follows its script, with its manners, and knows exactly which replies it must get in which order.
// What it gets otherwise it reports at once; what it did not get is for `CloseAudit` to judge.

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
    private unowned let kernel: SimulatedKernel
    private let listener: SimulatedListener
    private var random: Generator

    private(set) var state = State.waiting
    private(set) var socket: SimulatedSocket?
    private(set) var isToldToLeave = false
    private(set) var hasFinished = false
    /// Its script's last bytes are queued: it says no more.
    private(set) var isMute = false

    // What it has said, and when.
    private(set) var arrival = Instant.never
    private var unsent = ByteQueue()
    private var requestsQueued = 0
    private var writtenByteCount = 0
    private var queuedByteCount = 0
    private var requestsWritten = 0
    private var requestEnds: [Int] = []
    private(set) var firstWrite = Instant.never
    private(set) var lastWrite = Instant.never
    private var messages: [Instant] = []
    private(set) var longestSulk: Nanoseconds = 0
    /// When it last got on in any way; a sulk ends in the future.
    private(set) var lastProgress: Instant

    // What it has heard.
    private var incoming = ByteQueue()
    private let replies: [[UInt8]]
    let bounds: ScriptBounds
    /// How many replies are due once so many requests are answered.
    private let repliesBehind: [Int]
    private(set) var repliesReceived = 0
    private(set) var pingsReceived = 0
    private(set) var pushesReceived = 0
    private var lastPush = -1

    private var isStepScheduled = false

    init(
        _ number: UInt8, _ script: Script, _ manners: Manners, on listener: SimulatedListener, of kernel: SimulatedKernel
    ) {
        self.number = number
        self.script = script
        self.manners = manners
        self.listener = listener
        self.kernel = kernel
        random = Generator(seed: kernel.random.next())
        lastProgress = kernel.now + manners.start
        replies = script.replies
        bounds = ScriptBounds(script)
        var due = 0
        repliesBehind = [0] + script.requests.map { request in
            due += request.replies.count
            return due
        }
        kernel.agenda.add({ [unowned self] in connect() }, at: lastProgress)
    }

    var name: String { "client \(number)" }

    var repliesDue: Int { repliesBehind[requestsQueued] }

    /// All that must be answered of what has left this client has been.
    var isAnswered: Bool { repliesReceived >= repliesBehind[requestsWritten] && incoming.isEmpty }

    /// It has nothing more to do of its own accord.
    var isSettled: Bool {
        switch state {
        case .ended: true
        case .waiting: false
        case .connected:
            switch script.ending {
            case .stay: !isToldToLeave && isAllQueued && unsent.isEmpty && isAnswered
            case .finish, .finishAnswered, .last, .truncate, .reset, .vanish: false
            }
        }
    }

    private var isAllQueued: Bool { requestsQueued == script.requests.count }

    private func connect() {
        (lastProgress, arrival) = (kernel.now, kernel.now)
        socket = kernel.connect(to: listener, self)
        guard socket != nil else {
            state = .ended(.notConnected)
            return
        }
        state = .connected
        scheduleStep()
    }

    func socketChanged() { scheduleStep() }

    private func scheduleStep() {
        guard state == .connected, !isStepScheduled else { return }
        isStepScheduled = true
        // Never at once: whoever changed the socket is still at work on it.
        var delay = 1 + random.nanoseconds(upTo: manners.reactionMax)
        if random.chance(perMille: manners.sulksPerMille) {
            let sulk = random.nanoseconds(upTo: manners.sulkMax)
            longestSulk = max(longestSulk, sulk)
            delay += sulk
            lastProgress = max(lastProgress, kernel.now + sulk)
        }
        kernel.agenda.add({ [unowned self] in step() }, at: kernel.now + delay)
    }

    private func step() {
        isStepScheduled = false
        guard state == .connected, let socket else { return }
        let gotOn = read(from: socket)
        if state != .connected { return }
        queue()
        let wrote = write(to: socket)
        if gotOn || wrote { lastProgress = max(lastProgress, kernel.now) }
        endWhenDue(socket)
        let hasMoreToRead = !socket.outbound.isEmpty
        let hasMoreToWrite = !unsent.isEmpty && socket.inboundRoom > 0
        if hasMoreToRead || hasMoreToWrite { scheduleStep() }
    }
}

// MARK: Saying

extension ModelClient {
    private func queue() {
        while !isMute, !isToldToLeave || !manners.leavesWhenTold, requestsQueued < script.requests.count,
            repliesDue - repliesReceived < manners.window, unsent.count < 1 << 16
        {
            let request = script.requests[requestsQueued]
            requestsQueued += 1
            say(request.bytes)
            requestEnds.append(queuedByteCount)
        }
    }

    private func say(_ bytes: [UInt8]) {
        unsent.append(bytes)
        queuedByteCount += bytes.count
    }

    private func write(to socket: SimulatedSocket) -> Bool {
        guard !unsent.isEmpty, !hasFinished else { return false }
        let count = kernel.write(&unsent, countMax: random.within(1, manners.writeMax), to: socket)
        guard count > 0 else { return false }
        writtenByteCount += count
        lastWrite = kernel.now
        if firstWrite == .never { firstWrite = kernel.now }
        while requestsWritten < requestEnds.count, requestEnds[requestsWritten] <= writtenByteCount {
            if script.requests[requestsWritten].isMessage { messages.append(kernel.now) }
            requestsWritten += 1
        }
        return true
    }

    private func endWhenDue(_ socket: SimulatedSocket) {
        if isToldToLeave, manners.leavesWhenTold, !isMute { return finishWhenSaid(socket) }
        guard isAllQueued else { return }
        switch script.ending {
        case .stay: break
        case .finish: finishWhenSaid(socket)
        case .finishAnswered: if isAnswered { finishWhenSaid(socket) }
        case .last(let bytes, _): sayLast(bytes)
        case .truncate(let bytes):
            sayLast(bytes)
            finishWhenSaid(socket)
        case .reset: if random.chance(perMille: 200) || isAnswered { reset(socket) } else { scheduleStep() }
        case .vanish: if unsent.isEmpty { state = .ended(.vanished) }
        }
    }

    private func sayLast(_ bytes: [UInt8]) {
        guard !isMute else { return }
        isMute = true
        say(bytes)
        scheduleStep()
    }

    private func finishWhenSaid(_ socket: SimulatedSocket) {
        guard unsent.isEmpty, !hasFinished else { return }
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
        let count = kernel.read(&incoming, countMax: random.within(1, manners.readMax), from: socket)
        if count > 0 { while takePacket() {} }
        guard socket.outbound.isEmpty else { return true }
        if socket.reset {
            state = .ended(.reset)
        } else if socket.finished {
            state = .ended(.finish)
            if !hasFinished, manners.finishesInTurn {
                hasFinished = true
                kernel.finish(socket)
            }
        }
        return count > 0
    }

    /// Decode one packet, if it is there whole.
    private func takePacket() -> Bool {
        guard let byteCount = packetByteCount() else { return false }
        if script.session == .message, incoming.starts(with: Wire.ping) {
            heardPing()
        } else if script.session == .message, incoming.starts(with: Wire.disconnect) {
            isToldToLeave = true
        } else if incoming.starts(with: Wire.pushPrefix, at: 9) {
            heardPush(byteCount)
        } else if !heardReply(byteCount) {
            return false
        }
        incoming.drop(byteCount)
        return true
    }

    /// Of the packet at hand; nil when it has not come whole.
    private func packetByteCount() -> Int? {
        guard incoming.count >= 9 else { return nil }
        let header = incoming.withBytes { Array($0[..<9]) }
        guard header.starts(with: [0x4E, 0x50, 0x52, 0x4F, 0x01]) else {
            kernel.report(.wrongReply, "\(name) got \(header), which is no header, behind \(repliesReceived) replies")
            return nil
        }
        let byteCount = 9 + header[5...].reduce(0) { $0 << 8 | Int($1) }
        return incoming.count >= byteCount ? byteCount : nil
    }

    private func heardPing() {
        pingsReceived += 1
        guard manners.answersPings, !isMute, !hasFinished else { return }
        unsent.append(Wire.pong)
        queuedByteCount += Wire.pong.count
    }

    /// Pushes may be dropped, but they come in order, and only to their addressee.
    private func heardPush(_ byteCount: Int) {
        let content = incoming.withBytes { Array($0[..<byteCount].suffix(9)) }
        let place = content.dropFirst().reversed().reduce(0) { $0 << 8 | Int($1) }
        if content.first != number || place <= lastPush {
            kernel.report(.wrongReply, "\(name) got push \(place) for client \(content[0]) behind push \(lastPush)")
        }
        lastPush = place
        pushesReceived += 1
    }

    /// False, and reported: not the reply that is due.
    private func heardReply(_ byteCount: Int) -> Bool {
        guard repliesReceived < repliesDue else {
            kernel.report(.unexpectedReply, "\(name) got \(byteCount) bytes behind its \(repliesReceived) replies")
            return false
        }
        let expected = replies[repliesReceived]
        guard expected.count == byteCount, incoming.starts(with: expected) else {
            let detail = "\(name) got \(byteCount) bytes, not the \(expected.count) of its reply \(repliesReceived)"
            kernel.report(.wrongReply, detail)
            return false
        }
        repliesReceived += 1
        return true
    }
}

// MARK: For the audit

extension ModelClient {
    /// Something is owed to it, or it has something to send that is not taken.
    var isOwed: Bool {
        switch state {
        case .ended: return false
        case .waiting: return false
        case .connected:
            if let socket, !socket.isAccepted { return true }
            if !unsent.isEmpty || repliesReceived < repliesDue || hasFinished { return true }
            if case .last = script.ending { return isMute }
            return false
        }
    }

    /// Why the server should have ended the connection, when this client's last bytes ask for it.
    var lastReason: CloseReason? {
        if isMute, case .last(_, let reason) = script.ending { return reason }
        return nil
    }

    var isTruncating: Bool {
        if isMute, case .truncate = script.ending { return true }
        return false
    }

    var hasReset: Bool { state == .ended(.ownReset) }

    /// When the last message was written that the server must have seen; without one, when the connection began.
    func lastMessage(before time: Instant) -> Instant {
        messages.last { $0 <= time } ?? arrival
    }

    var repliesDueForWritten: Int { repliesBehind[requestsWritten] }
}
