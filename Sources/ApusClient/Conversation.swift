// One connection's talk with an NPRO server: requests leave in the order of the calls, replies go to their requests,
// pings are answered and hidden. It is stepped with bytes and time, and never sees a descriptor.

import ApusReactor
import ApusWire

struct Conversation: Session {
    /// open ──disconnect()──▶ leaving ──last reply──▶ goodbye (DISCONNECT is written)
    ///   └──server's DISCONNECT──▶ dismissed ──last reply──▶ goodbye
    private enum Phase: Equatable {
        case open
        /// No call is accepted any more; what was accepted is still sent and answered.
        case leaving
        /// The server leaves: what it has is still answered, what was not sent never will be.
        case dismissed
        case goodbye(until: Instant, byServer: Bool)
    }

    private struct Waiting {
        let utterance: Utterance
        let deadline: Instant
    }

    /// PONGs that wait for room. A server that pings faster than it reads gets fewer.
    private static let owedPongsMax = 64
    private static let ping = PacketEncoder.encode(.ping)
    private static let pong = PacketEncoder.encode(.pong)
    private static let disconnect = PacketEncoder.encode(.disconnect)

    private let address: String
    private let configuration: ClientConfiguration
    private let calls: CallQueue<Call>
    private let arrivals: Arrivals
    private let decoder: PacketDecoder

    private var phase = Phase.open
    private var waiting = FIFO<Waiting>()
    /// Not later than the first deadline of a waiting call.
    private var waitingDeadline = Instant.never
    private var expectations: Expectations
    private var pulse = Pulse(interval: nil, at: .never)
    private var owedPongs = 0
    private var owesPing = false
    private var farewells: [Waiter<Void>] = []

    init(address: String, configuration: ClientConfiguration, calls: CallQueue<Call>, arrivals: Arrivals) {
        self.address = address
        self.configuration = configuration
        self.calls = calls
        self.arrivals = arrivals
        decoder = PacketDecoder(payloadByteCountMax: configuration.payloadByteCountMax)
        expectations = Expectations(address: address, lossTimeout: configuration.responseTimeout)
    }

    mutating func opened(at now: Instant) {
        pulse = Pulse(interval: configuration.heartbeatInterval.map { Nanoseconds($0) }, at: now)
    }

    var isFinished: Bool {
        if case .goodbye = phase { true } else { false }
    }
}

// MARK: Calls

extension Conversation {
    mutating func attend(at now: Instant) {
        for call in calls.takeAll() {
            switch call {
            case .say(let utterance): accept(utterance, at: now)
            case .disconnect(let waiter):
                farewells.append(waiter)
                if phase == .open { phase = .leaving }
            }
        }
    }

    private mutating func accept(_ utterance: Utterance, at now: Instant) {
        guard phase == .open else { return utterance.fail(with: reasonToRefuse) }
        guard waiting.count < configuration.waitingCallsMax else {
            return utterance.fail(with: .overloaded(limit: configuration.waitingCallsMax))
        }
        let deadline = utterance.timeout.map { now + Nanoseconds($0) } ?? .never
        waiting.append(Waiting(utterance: utterance, deadline: deadline))
        waitingDeadline = min(waitingDeadline, deadline)
    }

    private var reasonToRefuse: ClientError {
        switch phase {
        case .dismissed, .goodbye(_, byServer: true): .closedByServer(address: address)
        case .open, .leaving, .goodbye(_, byServer: false): .closed(address: address)
        }
    }
}

// MARK: Reading

extension Conversation {
    mutating func receive(_ bytes: RawSpan, at now: Instant) throws(ClientError) -> Int {
        pulse.received(at: now)
        var offset = 0
        while true {
            switch decoder.step(bytes, at: offset) {
            case .incomplete:
                return offset
            case .violation(let violation):
                throw .violation(.packet(violation), address: address)
            case .packet(let payload):
                try take(decode(bytes.extracting(payload)))
                offset = payload.upperBound
            }
        }
    }

    private func decode(_ payload: RawSpan) throws(ClientError) -> Message {
        do throws(MessageViolation) {
            return try Message(decoding: payload)
        } catch {
            throw .violation(.message(error), address: address)
        }
    }

    private mutating func take(_ message: Message) throws(ClientError) {
        switch message.kind {
        case .ping:
            owedPongs = min(owedPongs + 1, Conversation.owedPongsMax)
        case .disconnect:
            dismiss()
        case .pong, .handshakeInit, .handshakeResponse, .handshakeConfirm, .echo, .custom, .unknown:
            if !expectations.answer(with: message) { try arrivals.deliver(message) }
        }
    }

    /// The server leaves. Calls that were not sent can be made elsewhere.
    private mutating func dismiss() {
        guard !isFinished else { return }
        phase = .dismissed
        for call in waiting.popAll() { call.utterance.fail(with: .closedByServer(address: address)) }
    }

    func reasonToEnd(isInsidePacket: Bool) -> ClientError {
        if isInsidePacket { return .violation(.truncatedPacket, address: address) }
        if case .goodbye(_, byServer: false) = phase { return .closed(address: address) }
        return .closedByServer(address: address)
    }
}

// MARK: Writing

extension Conversation {
    mutating func write(into output: inout OutboundBytes, at now: Instant) {
        guard !isFinished else { return }
        writeSignsOfLife(into: &output, at: now)
        while !output.isFull, let next = waiting.first, mayStart(next.utterance), waiting.popFirst() != nil {
            start(next, into: &output, at: now)
        }
        leaveIfDone(into: &output, at: now)
    }

    private mutating func writeSignsOfLife(into output: inout OutboundBytes, at now: Instant) {
        while owedPongs > 0, !output.isFull {
            say(Conversation.pong, into: &output, at: now)
            owedPongs -= 1
        }
        if owesPing, !output.isFull {
            say(Conversation.ping, into: &output, at: now)
            expectations.expectHeartbeat()
            owesPing = false
        }
    }

    /// What nobody waits for leaves the queue in any case.
    private func mayStart(_ utterance: Utterance) -> Bool {
        guard utterance.expectsReply, !utterance.isAbandoned else { return true }
        return expectations.requestCount < configuration.requestWindow
    }

    private mutating func start(_ call: Waiting, into output: inout OutboundBytes, at now: Instant) {
        guard !call.utterance.isAbandoned else { return }
        switch call.utterance.purpose {
        case .reply(let waiter, let within):
            expectations.expectReply(
                to: call.utterance.kind, for: waiter, until: call.deadline, within: within, at: now)
        case .statement(let waiter):
            waiter.settle(.success(()))
        }
        say(call.utterance.packet, into: &output, at: now)
    }

    /// DISCONNECT only after the last reply: servers drop what they still owe when they see it (NPRO §6.1).
    private mutating func leaveIfDone(into output: inout OutboundBytes, at now: Instant) {
        guard phase == .leaving || phase == .dismissed, waiting.isEmpty, expectations.requestCount == 0 else { return }
        let isDismissed = phase == .dismissed
        if !isDismissed { say(Conversation.disconnect, into: &output, at: now) }
        phase = .goodbye(until: now + Nanoseconds(configuration.operationTimeout), byServer: isDismissed)
    }

    private mutating func say(_ packet: [UInt8], into output: inout OutboundBytes, at now: Instant) {
        output.append(packet)
        pulse.sent(at: now)
    }
}

// MARK: Time and end

extension Conversation {
    var deadline: Instant {
        if case .goodbye(let deadline, _) = phase { return deadline }
        return min(pulse.deadline, waitingDeadline, expectations.deadline)
    }

    mutating func expire(at now: Instant) throws(ClientError) {
        if case .goodbye(let deadline, _) = phase {
            guard deadline <= now else { return }
            throw .timeout(.goodbye, after: configuration.connectionTimeout, address: address)
        }
        expireWaiting(at: now)
        try expectations.expire(at: now)
        if pulse.isDead(at: now) { throw .unresponsive(address: address, silentFor: pulse.silence(at: now)) }
        if pulse.isPingDue(at: now) {
            owesPing = expectations.mayExpectHeartbeat
            pulse.pinged(at: now)
        }
    }

    /// Calls whose time is over before they could be sent; nothing is lost with them.
    private mutating func expireWaiting(at now: Instant) {
        guard waitingDeadline <= now else { return }
        for call in waiting.popAll(where: { $0.deadline <= now }) { call.utterance.failLate(address: address) }
        waitingDeadline = waiting.all.map(\.deadline).min() ?? .never
    }

    mutating func end(with error: ClientError) {
        for call in calls.end(with: error) ?? [] { call.fail(with: error) }
        for call in waiting.popAll() { call.utterance.fail(with: error) }
        expectations.failAll(with: error)
        arrivals.end(with: error)
        for farewell in farewells { farewell.settle(isWellEnded(error) ? .success(()) : .failure(error)) }
        farewells = []
    }

    /// After our goodbye it makes no difference how the server ends the connection, only that it does.
    private func isWellEnded(_ error: ClientError) -> Bool { isFinished && error.isEndOfConnection }
}
