// Which reply belongs to which request. Packets carry no number: replies come in the order of the requests (NPRO
// §6.1), so the pairing is a queue. A request whose task has gone keeps its place, or the next reply would go to the
// wrong one.

import ApusReactor
import ApusWire

struct Expectations {
    private struct Expectation {
        let kind: MessageKind
        /// Nil: a heartbeat of ours, whose PONG nobody sees.
        let waiter: Waiter<Message>?
        /// When its task stops waiting; then `never`.
        var deadline: Instant
        let within: Duration
        /// When its place in the queue is in doubt, and with it every reply after.
        let lossDeadline: Instant

        var isHeartbeat: Bool { waiter == nil }
    }

    /// Heartbeats that may be unanswered; no further one is sent, since each of their PONGs must find its place here.
    private static let heartbeatCountMax = 4

    private let address: String
    private let lossTimeout: Duration
    private var queue = FIFO<Expectation>()
    /// Requests without a reply; heartbeats do not count.
    private(set) var requestCount = 0
    private var heartbeatCount = 0
    /// Not later than the first deadline of any expectation.
    private(set) var deadline = Instant.never

    init(address: String, lossTimeout: Duration) {
        self.address = address
        self.lossTimeout = lossTimeout
    }

    mutating func expectReply(
        to kind: MessageKind, for waiter: Waiter<Message>, until callDeadline: Instant, within: Duration,
        at now: Instant
    ) {
        // A call that may wait longer than others is not lost before its own time is over.
        let lossDeadline = max(now + Nanoseconds(lossTimeout), callDeadline == .never ? now : callDeadline)
        queue.append(
            Expectation(
                kind: kind, waiter: waiter, deadline: callDeadline, within: within, lossDeadline: lossDeadline))
        requestCount += 1
        deadline = min(deadline, callDeadline, lossDeadline)
    }

    var mayExpectHeartbeat: Bool { heartbeatCount < Expectations.heartbeatCountMax }

    mutating func expectHeartbeat() {
        precondition(mayExpectHeartbeat, "more heartbeats than are remembered")
        queue.append(
            Expectation(kind: .ping, waiter: nil, deadline: .never, within: .zero, lossDeadline: .never))
        heartbeatCount += 1
    }

    /// Hand a message to the request it answers; false: it answers none.
    ///
    /// A PONG answers the oldest PING, ours or the caller's, so that a request which the server never answers does not
    /// get the heartbeat's.
    mutating func answer(with message: Message) -> Bool {
        let pinged = message.kind == .pong ? queue.pop { $0.kind == .ping } : nil
        guard let answered = pinged ?? queue.pop(where: { !$0.isHeartbeat }) else { return false }
        if answered.isHeartbeat { heartbeatCount -= 1 } else { requestCount -= 1 }
        // False when its task has gone: the reply came too late for it, and is nobody else's.
        answered.waiter?.settle(.success(message))
        return true
    }

    /// End the waits whose time is over. An error: a reply is so late that the order is in doubt.
    mutating func expire(at now: Instant) throws(ClientError) {
        guard deadline <= now else { return }
        var next = Instant.never
        var isLost = false
        queue.updateAll { expectation in
            if expectation.deadline <= now {
                expectation.deadline = .never
                let error = ClientError.timeout(
                    .reply(to: expectation.kind), after: expectation.within, address: address)
                expectation.waiter?.settle(.failure(error))
            }
            isLost = isLost || expectation.lossDeadline <= now
            next = min(next, expectation.deadline, expectation.lossDeadline)
        }
        deadline = next
        if isLost { throw .timeout(.earlierReply, after: lossTimeout, address: address) }
    }

    mutating func failAll(with error: ClientError) {
        for expectation in queue.popAll() { expectation.waiter?.settle(.failure(error)) }
        (requestCount, heartbeatCount, deadline) = (0, 0, .never)
    }
}
