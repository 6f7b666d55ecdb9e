// A simulated peer of a relay: it follows its script, with its manners, and reports at once when it hears what it must
// not.

import ApusReactor
import ApusServer

final class RelayModelClient: SimulatedClient {
    /// What it has heard of an id that it is interested in.
    struct Interest {
        enum News { case none, online, offline }
        var last = News.none
        /// It has asked again since the last news.
        var isRenewed = true
    }

    /// More than twice the least that a relay allows in a second.
    private static let floodCount = 200

    let script: RelayScript
    private let post: Post
    private let idOf: (UInt8) -> Int
    private var hearing: RelayHearing
    private(set) var interests: [Int: Interest] = [:]
    /// Ids of which it may hear, since it was interested in them at some time.
    private var everInterested: Set<Int> = []

    private var hasOpened = false
    private var hasFlooded = false
    private var isUpgraded = false
    private(set) var isRefused = false
    private(set) var loginSaid = Instant.never
    /// When it heard AuthResponse.
    private(set) var peerSince = Instant.never
    private(set) var isToldToLeave = false
    private var actCount = 0
    private var restsUntil = Instant(nanoseconds: 0)
    /// Frames that asked for nothing: PINGs, odd messages, fragments.
    private(set) var controlCount = 0
    private(set) var datagramsHeard: UInt64 = 0
    /// Where frames with datagrams end, in bytes from the first.
    private var unwritten: [(end: Int, number: Int)] = []
    private var lastArrivals: [UInt8: Int] = [:]

    init(
        _ number: UInt8, _ script: RelayScript, _ manners: Manners, on listener: SimulatedListener,
        of kernel: SimulatedKernel, from host: HostAddress?, post: Post, url: String,
        idOf: @escaping (UInt8) -> Int
    ) {
        self.script = script
        self.post = post
        self.idOf = idOf
        hearing = RelayHearing(url: url)
        super.init(number, Speech([]), manners, on: listener, of: kernel, from: host)
    }

    var isPeer: Bool { peerSince != .never }
    var hasStalledForGood: Bool { !isListening }
    override var isListening: Bool { datagramsHeard < script.stallsBehind ?? .max }
    private var isDone: Bool { actCount == script.acts.count }
    private var isLeaving: Bool { isToldToLeave && manners.leavesWhenTold }

    // MARK: Saying

    override func speak() {
        noteWritten()
        guard !speech.isMute, !hasFinished, !isRefused else { return }
        if !hasOpened { open() }
        guard isUpgraded || script.isEager else { return }
        if loginSaid == .never { logIn() }
        guard isPeer || script.isEager, script.becomesPeer, !isLeaving else { return }
        while !isDone, kernel.now >= restsUntil, speech.unsentByteCount < 1 << 16 { act() }
    }

    private func open() {
        hasOpened = true
        switch script.opening {
        case .silent: break
        case .upgradeOnly, .login: speech.say(RelayWire.upgrade)
        case .refused(let bytes, _): speech.sayLast(bytes)
        }
    }

    private func logIn() {
        guard case .login(let message, _) = script.opening else { return }
        loginSaid = kernel.now
        say(message)
    }

    private func act() {
        let act = script.acts[actCount]
        actCount += 1
        switch act {
        case .datagram(let destination, let byteCount): sendDatagram(to: destination, byteCount)
        case .subscribe(let ids): subscribe(ids)
        case .unsubscribe(let ids):
            ids.forEach { interests[$0] = nil }
            say(RelayWire.unsubscribe(ids))
        case .ping: sayControl(RelayWire.ping, [UInt8](repeating: 7, count: random.below(126)))
        case .oddList: sayControl(RelayWire.binary, RelayWire.oddList)
        case .rest(let length): rest(length)
        }
    }

    private func sendDatagram(to destination: Int, _ byteCount: Int) {
        let number = post.write(from: self.number, to: destination, byteCount: byteCount, &random)
        say(RelayWire.transport(to: destination, post.datagrams[number].content))
        unwritten.append((speech.queuedByteCount, number))
    }

    private func subscribe(_ ids: [Int]) {
        for id in ids { interests[id, default: Interest()].isRenewed = true }
        everInterested.formUnion(ids)
        say(RelayWire.subscribe(ids))
    }

    private func rest(_ length: Nanoseconds) {
        restsUntil = kernel.now + length
        lastProgress = max(lastProgress, restsUntil)
        kernel.agenda.add({ [unowned self] in scheduleStep() }, at: restsUntil)
    }

    private func sayControl(_ opcode: UInt8, _ payload: [UInt8]) {
        controlCount += 1
        speech.say(RelayWire.frame(opcode, payload, key: key()))
    }

    /// A message, in one frame or in several with a PING between them.
    private func say(_ message: [UInt8]) {
        guard random.chance(perMille: script.fragmentsPerMille) else {
            return speech.say(RelayWire.frame(RelayWire.binary, message, key: key()))
        }
        let first = random.below(message.count + 1)
        let second = random.within(first, message.count)
        speech.say(RelayWire.frame(RelayWire.binary, Array(message[..<first]), isFinal: false, key: key()))
        if random.chance(perMille: 300) { sayControl(RelayWire.ping, []) }
        let middle = Array(message[first..<second])
        speech.say(RelayWire.frame(RelayWire.continuation, middle, isFinal: false, key: key()))
        speech.say(RelayWire.frame(RelayWire.continuation, Array(message[second...]), key: key()))
        controlCount += 2
    }

    private func key() -> UInt32 { UInt32(truncatingIfNeeded: random.next()) }

    private func noteWritten() {
        while let first = unwritten.first, first.end <= speech.writtenByteCount {
            post.noteWritten(first.number, at: speech.lastWrite)
            unwritten.removeFirst()
        }
    }

    // MARK: Ending

    override func endWhenDue(_ socket: SimulatedSocket) {
        noteWritten()
        if isLeaving, !speech.isMute { return finishWhenSaid(socket) }
        guard isDone, script.becomesPeer, isPeer || script.isEager && loginSaid != .never else { return }
        switch script.ending {
        case .stay: break
        case .finish: finishWhenSaid(socket)
        case .goodbye: sayLast(RelayWire.frame(RelayWire.binary, RelayWire.close, key: key()))
        case .closeFrame: sayLast(RelayWire.frame(RelayWire.closing, [3, 232], key: key()))
        case .last(let frame, _): sayLast(frame)
        case .truncate:
            let frame = RelayWire.frame(RelayWire.binary, RelayWire.oddList, key: key())
            sayLast(Array(frame[..<random.within(1, frame.count - 1)]))
            finishWhenSaid(socket)
        case .reset where speech.isSaid || random.chance(perMille: 200): reset(socket)
        case .reset: scheduleStep()
        case .vanish: if speech.isSaid { state = .ended(.vanished) }
        case .flood: flood()
        }
    }

    private func sayLast(_ bytes: [UInt8]) {
        guard !speech.isMute else { return }
        speech.sayLast(bytes)
        scheduleStep()
    }

    private func flood() {
        guard !hasFlooded else { return }
        hasFlooded = true
        for _ in 0..<RelayModelClient.floodCount { sayControl(RelayWire.ping, []) }
        scheduleStep()
    }

    // MARK: Hearing

    override func hear(countMax: Int, from socket: SimulatedSocket) -> Int {
        let count = hearing.read(countMax: countMax, from: socket, of: kernel)
        while count > 0, let heard = hearing.next() {
            if let (invariant, detail) = react(to: heard) {
                kernel.report(invariant, "\(name), which \(script), got \(detail)")
                break
            }
        }
        return count
    }

    /// What is wrong with it; nil: nothing.
    private func react(to heard: RelayHearing.Heard) -> (Invariant, String)? {
        switch heard {
        case .upgraded: isUpgraded = true
        case .refused: isRefused = true
        case .pong, .closeFrame: break
        case .authResponse: return welcome()
        case .mistake(let detail): return (.wrongReply, detail)
        case .datagram, .close, .healthCheck, .news:
            guard isPeer else { return (.authNotFirst, "\(heard) before AuthResponse") }
            return reactAsPeer(to: heard)
        }
        return nil
    }

    private func welcome() -> (Invariant, String)? {
        guard !isPeer, script.becomesPeer, loginSaid != .never else { return (.unexpectedReply, "an AuthResponse") }
        peerSince = kernel.now
        return nil
    }

    private func reactAsPeer(to heard: RelayHearing.Heard) -> (Invariant, String)? {
        switch heard {
        case .datagram(let source, let content):
            datagramsHeard += 1
            return post.hear(content, from: source, by: self, idOf)
        case .close: isToldToLeave = true
        case .healthCheck: if manners.answersPings { sayIfMaySpeak(RelayWire.healthCheck) }
        case .news(let ids, let isOnline): return note(ids, isOnline: isOnline)
        case .upgraded, .refused, .authResponse, .pong, .closeFrame, .mistake: break
        }
        return nil
    }

    private func note(_ ids: [Int], isOnline: Bool) -> (Invariant, String)? {
        guard everInterested.isSuperset(of: ids) else { return (.newsUntrue, "news of \(ids), asked for by nobody") }
        for id in ids where interests[id] != nil {
            interests[id] = Interest(last: isOnline ? .online : .offline, isRenewed: false)
        }
        let gone = isOnline || !script.resubscribes ? [] : ids.filter { interests[$0] != nil }
        if !gone.isEmpty, maySpeak { subscribe(gone) }
        return nil
    }

    private var maySpeak: Bool { !speech.isMute && !hasFinished && !isLeaving }

    private func sayIfMaySpeak(_ message: [UInt8]) {
        guard maySpeak else { return }
        sayControl(RelayWire.binary, message)
    }

    /// The last datagram of a sender before this one.
    func noteArrival(_ number: Int, of sender: UInt8) -> Int? {
        defer { lastArrivals[sender] = max(number, lastArrivals[sender] ?? number) }
        return lastArrivals[sender]
    }
}

// MARK: What is due

extension RelayModelClient {
    /// It has nothing more to do of its own accord, and has heard all that was said to it.
    var isSettled: Bool {
        guard state == .connected, let socket else { return state != .waiting }
        if hasStalledForGood { return isDone }
        guard case .stay = script.ending, isPeer, isDone, !isToldToLeave else { return false }
        // It may not have seen yet that the relay has ended it.
        guard !socket.finished, !socket.reset else { return false }
        return speech.isSaid && socket.inbound.isEmpty && socket.outbound.isEmpty && !hearing.isAmidFrame
            && kernel.now >= restsUntil
    }

    /// It hears to its end and understood all of it.
    var isBetweenFrames: Bool { !hearing.isAmidFrame }

    /// Why the relay should have ended the connection, when this client's last bytes ask for it.
    var lastReason: CloseReason? {
        switch script.opening {
        case .refused(_, let reason): return hasOpened ? reason : nil
        case .login(_, let reason?): return loginSaid != .never ? reason : nil
        case .silent, .upgradeOnly, .login: break
        }
        guard speech.isMute else { return nil }
        switch script.ending {
        case .goodbye, .closeFrame: return .disconnect
        case .last(_, let reason): return reason
        case .stay, .finish, .truncate, .reset, .vanish, .flood: return nil
        }
    }

    /// It finishes where it should not: in a frame, or before it is a peer.
    var isTruncating: Bool {
        if speech.isMute, case .truncate = script.ending { return true }
        return !isPeer
    }
}
