// A simulated client: it follows its script, with its manners, and reports at once when it hears what it must not. What
// it did not hear is for `CloseAudit` to judge.

import ApusReactor
import ApusServer

final class ModelClient: SimulatedClient {
    let script: Script
    let bounds: ScriptBounds
    private(set) var hearing: Hearing
    private(set) var isToldToLeave = false
    /// Replies that must come before it is told to leave.
    private var repliesOwedFirst = 0

    init(
        _ number: UInt8, _ script: Script, _ manners: Manners, on listener: SimulatedListener,
        of kernel: SimulatedKernel, from host: HostAddress? = nil
    ) {
        self.script = script
        bounds = ScriptBounds(script)
        hearing = Hearing(number, script)
        super.init(number, Speech(script.requests), manners, on: listener, of: kernel, from: host)
    }

    // MARK: Saying

    override func speak() {
        while !speech.isMute, !speech.isAllQueued, !isLeaving, repliesDue - hearing.replyCount < manners.window,
            speech.unsentByteCount < 1 << 16
        { speech.sayNextRequest() }
    }

    override func endWhenDue(_ socket: SimulatedSocket) {
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

    // MARK: Hearing

    override func hear(countMax: Int, from socket: SimulatedSocket) -> Int {
        let count = hearing.read(countMax: countMax, from: socket, of: kernel)
        while count > 0, let heard = hearing.next(repliesDue: repliesDue) {
            if !react(to: heard) { break }
        }
        return count
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
}
