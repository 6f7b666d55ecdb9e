// The client's conversation without a socket: bytes and instants in, bytes out.

import ApusReactor
import ApusWire
import Testing

@testable import ApusClient

/// A conversation with its queue, and the clock in the test's hand.
private struct Talk {
    let calls = CallQueue<Call>(countMax: 1000)
    let arrivals = Arrivals(byteCountMax: 1000)
    var conversation: Conversation
    var output = [Message]()
    var now = Instant(nanoseconds: 1_000 * .second)

    init(_ change: (inout ClientConfiguration) -> Void = { _ in }) {
        var configuration = ClientConfiguration()
        change(&configuration)
        conversation = Conversation(address: "peer", configuration: configuration, calls: calls, arrivals: arrivals)
        conversation.opened(at: now)
    }

    mutating func request(_ message: Message, timeout: Duration = .seconds(30)) -> Waiter<Message> {
        let waiter = Waiter<Message>()
        post(message, .reply(waiter, within: timeout))
        return waiter
    }

    mutating func send(_ message: Message) -> Waiter<Void> {
        let waiter = Waiter<Void>()
        post(message, .statement(waiter))
        return waiter
    }

    mutating func disconnect() -> Waiter<Void> {
        let waiter = Waiter<Void>()
        _ = calls.post(.disconnect(waiter))
        conversation.attend(at: now)
        return waiter
    }

    private mutating func post(_ message: Message, _ purpose: Utterance.Purpose) {
        let packet = PacketEncoder.encode(message)
        _ = calls.post(.say(Utterance(kind: message.kind, packet: packet, purpose: purpose)))
        conversation.attend(at: now)
    }

    mutating func receive(_ messages: Message...) throws(ClientError) {
        let bytes = messages.flatMap(PacketEncoder.encode)
        let consumed = try conversation.receive(bytes.span.bytes, at: now)
        #expect(consumed == bytes.count)
    }

    /// What it says now.
    mutating func written() -> [Message] {
        var outbound = OutboundBytes()
        conversation.write(into: &outbound, at: now)
        var messages: [Message] = []
        while case let bytes = outbound.nextSend(), !bytes.isEmpty {
            messages += decodeAll(Array(bytes))
            outbound.sent(bytes.count)
        }
        return messages
    }

    mutating func advance(by duration: Duration) throws(ClientError) {
        now = now + Nanoseconds(duration)
        try conversation.expire(at: now)
    }

    private func decodeAll(_ bytes: [UInt8]) -> [Message] {
        var (messages, offset) = ([Message](), 0)
        while case .packet(let payload) = PacketDecoder().step(bytes.span.bytes, at: offset) {
            do {
                messages.append(try Message(decoding: bytes.span.bytes.extracting(payload)))
            } catch {
                Issue.record("the client wrote what is no message: \(error)")
            }
            offset = payload.upperBound
        }
        return messages
    }
}

extension Waiter {
    /// The outcome of a waiter that is settled.
    fileprivate func outcome() async -> Outcome {
        precondition(isSettled, "nobody has settled it")
        do throws(ClientError) {
            return .success(try await value())
        } catch {
            return .failure(error)
        }
    }
}

@Suite struct ConversationTests {
    @Test func theWindowBoundsWhatIsUnanswered() async throws {
        var talk = Talk { $0.requestWindow = 2 }
        let replies = (0..<4).map { talk.request(.echo("\($0)")) }
        #expect(talk.written() == [.echo("0"), .echo("1")])
        try talk.receive(.echo("0"))
        #expect(talk.written() == [.echo("2")])
        try talk.receive(.echo("1"), .echo("2"))
        #expect(talk.written() == [.echo("3")])
        try talk.receive(.echo("3"))
        for (index, reply) in replies.enumerated() { #expect(await reply.outcome() == .success(.echo("\(index)"))) }
    }

    @Test func aStatementBehindAFullWindowKeepsItsPlace() throws {
        var talk = Talk { $0.requestWindow = 1 }
        _ = talk.request(.echo("a"))
        _ = talk.request(.echo("b"))
        let sent = talk.send(.custom(command: "LATER", payload: []))
        #expect(talk.written() == [.echo("a")])
        #expect(!sent.isSettled)
        try talk.receive(.echo("a"))
        #expect(talk.written() == [.echo("b"), .custom(command: "LATER", payload: [])])
        #expect(sent.isSettled)
    }

    @Test func aServersPingIsAnsweredBeforeWhatWaits() throws {
        var talk = Talk()
        let reply = talk.request(.echo("a"))
        #expect(talk.written() == [.echo("a")])
        _ = talk.request(.echo("b"))
        try talk.receive(.ping)
        #expect(!reply.isSettled)
        #expect(talk.written() == [.pong, .echo("b")])
    }

    @Test func aFloodOfPingsIsNotAnsweredWithAFlood() throws {
        var talk = Talk()
        for _ in 0..<1000 { try talk.receive(.ping) }
        #expect(talk.written().count == 64)
    }

    @Test func aCancelledRequestKeepsItsPlaceInTheOrder() async throws {
        var talk = Talk()
        let (first, second) = (talk.request(.echo("a")), talk.request(.echo("b")))
        #expect(talk.written().count == 2)
        first.settle(.failure(.cancelled))
        try talk.receive(.echo("a"), .echo("b"))
        #expect(await first.outcome() == .failure(.cancelled))
        #expect(await second.outcome() == .success(.echo("b")))
    }

    @Test func aRequestThatIsCancelledBeforeItIsSentIsNotSent() throws {
        var talk = Talk { $0.requestWindow = 1 }
        _ = talk.request(.echo("a"))
        talk.request(.echo("b")).settle(.failure(.cancelled))
        _ = talk.request(.echo("c"))
        #expect(talk.written() == [.echo("a")])
        try talk.receive(.echo("a"))
        #expect(talk.written() == [.echo("c")])
    }

    // MARK: Heartbeats

    @Test func silenceIsAnsweredWithAPingAndItsPongIsHidden() async throws {
        var talk = Talk { $0.heartbeatInterval = .seconds(15) }
        let reply = talk.request(.custom(command: "SLOW", payload: []))
        #expect(talk.written().count == 1)
        try talk.advance(by: .seconds(15))
        #expect(talk.written() == [.ping])
        // Not the reply to SLOW, though it is the first message after it.
        try talk.receive(.pong)
        #expect(!reply.isSettled)
        try talk.receive(.custom(command: "SLOW", payload: [1]))
        #expect(await reply.outcome() == .success(.custom(command: "SLOW", payload: [1])))
    }

    @Test func theCallersPingGetsItsOwnPong() async throws {
        var talk = Talk()
        try talk.advance(by: .seconds(15))
        let reply = talk.request(.ping)
        #expect(talk.written() == [.ping, .ping])
        try talk.receive(.pong)
        #expect(!reply.isSettled)
        try talk.receive(.pong)
        #expect(await reply.outcome() == .success(.pong))
    }

    @Test func aServerSilentForFourIntervalsIsGivenUp() throws {
        var talk = Talk { $0.heartbeatInterval = .seconds(15) }
        for _ in 0..<3 {
            try talk.advance(by: .seconds(15))
            #expect(talk.written() == [.ping])
        }
        #expect(throws: ClientError.unresponsive(address: "peer", silentFor: .seconds(60))) {
            try talk.advance(by: .seconds(15))
        }
    }

    @Test func anyByteIsASignOfLife() throws {
        var talk = Talk { $0.heartbeatInterval = .seconds(15) }
        for _ in 0..<8 {
            try talk.advance(by: .seconds(14))
            let header = Array(PacketEncoder.encode(.ping).prefix(3))
            #expect(try talk.conversation.receive(header.span.bytes, at: talk.now) == 0)
        }
    }

    @Test func withoutAnIntervalNothingIsDue() {
        let talk = Talk { $0.heartbeatInterval = nil }
        #expect(talk.conversation.deadline == .never)
    }

    @Test func timeDoesNotStandStill() throws {
        // The deadline after an expiry lies ahead, or the loop would spin.
        var talk = Talk()
        _ = talk.request(.echo("a"), timeout: .seconds(3))
        _ = talk.written()
        for _ in 0..<10 {
            let deadline = talk.conversation.deadline
            #expect(deadline > talk.now)
            talk.now = deadline
            do { try talk.conversation.expire(at: deadline) } catch { return }
            _ = talk.written()
        }
        Issue.record("the reply is never missed")
    }

    // MARK: Timeouts

    @Test func aShortTimeoutEndsTheWaitOnly() async throws {
        var talk = Talk()
        let (first, second) = (talk.request(.echo("a"), timeout: .seconds(1)), talk.request(.echo("b")))
        _ = talk.written()
        try talk.advance(by: .seconds(1))
        #expect(
            await first.outcome() == .failure(.timeout(.reply(to: .echo), after: .seconds(1), address: "peer")))
        try talk.receive(.echo("a"), .echo("b"))
        #expect(await second.outcome() == .success(.echo("b")))
    }

    @Test func aMissingReplyEndsTheConnection() async throws {
        var talk = Talk {
            $0.responseTimeout = .seconds(10)
            $0.heartbeatInterval = nil
        }
        let reply = talk.request(.custom(command: "NOBODY", payload: []), timeout: .seconds(10))
        _ = talk.written()
        #expect(throws: ClientError.timeout(.earlierReply, after: .seconds(10), address: "peer")) {
            try talk.advance(by: .seconds(10))
        }
        #expect(
            await reply.outcome() == .failure(.timeout(.reply(to: .custom), after: .seconds(10), address: "peer")))
    }

    @Test func aRequestThatWasNeverSentTimesOutAlone() async throws {
        var talk = Talk { $0.requestWindow = 1 }
        let first = talk.request(.echo("a"))
        let second = talk.request(.echo("b"), timeout: .seconds(1))
        #expect(talk.written() == [.echo("a")])
        try talk.advance(by: .seconds(2))
        #expect(
            await second.outcome() == .failure(.timeout(.reply(to: .echo), after: .seconds(1), address: "peer")))
        try talk.receive(.echo("a"))
        #expect(await first.outcome() == .success(.echo("a")))
        #expect(talk.written() == [])
    }

    // MARK: Leaving

    @Test func disconnectIsSaidAfterTheLastReply() async throws {
        var talk = Talk { $0.requestWindow = 1 }
        let replies = [talk.request(.echo("a")), talk.request(.echo("b"))]
        let left = talk.disconnect()
        let late = talk.request(.echo("late"))
        #expect(await late.outcome() == .failure(.closed(address: "peer")))
        #expect(talk.written() == [.echo("a")])
        try talk.receive(.echo("a"))
        #expect(talk.written() == [.echo("b")])
        #expect(!talk.conversation.isFinished)
        try talk.receive(.echo("b"))
        #expect(talk.written() == [.disconnect])
        #expect(talk.conversation.isFinished)
        #expect(!left.isSettled)
        talk.conversation.end(with: talk.conversation.reasonToEnd(isInsidePacket: false))
        #expect(await left.outcome().isSuccess)
        for reply in replies { #expect(await reply.outcome().isSuccess) }
    }

    @Test func aServerThatNeverFinishesIsLeftAtLast() async throws {
        var talk = Talk { $0.connectionTimeout = .seconds(5) }
        let left = talk.disconnect()
        #expect(talk.written() == [.disconnect])
        let expected = ClientError.timeout(.goodbye, after: .seconds(5), address: "peer")
        #expect(throws: expected) { try talk.advance(by: .seconds(5)) }
        talk.conversation.end(with: expected)
        #expect(await !left.outcome().isSuccess)
    }

    @Test func aServerThatLeavesStillAnswersWhatItHas() async throws {
        var talk = Talk { $0.requestWindow = 1 }
        let (sent, waiting) = (talk.request(.echo("a")), talk.request(.echo("b")))
        _ = talk.written()
        try talk.receive(.disconnect)
        #expect(await waiting.outcome() == .failure(.closedByServer(address: "peer")))
        #expect(await talk.request(.echo("c")).outcome() == .failure(.closedByServer(address: "peer")))
        #expect(talk.written() == [])
        try talk.receive(.echo("a"))
        #expect(await sent.outcome() == .success(.echo("a")))
        #expect(talk.written() == [])
        #expect(talk.conversation.isFinished)
    }

    @Test func theEndFailsWhoeverWaits() async throws {
        var talk = Talk { $0.requestWindow = 1 }
        let waiting = [talk.request(.echo("a")), talk.request(.echo("b"))]
        let left = talk.disconnect()
        _ = talk.written()
        let error = ClientError.connectionLost(address: "peer")
        talk.conversation.end(with: error)
        for waiter in waiting { #expect(await waiter.outcome() == .failure(error)) }
        #expect(await !left.outcome().isSuccess)
        #expect(talk.calls.fate == error)
    }

    // MARK: Messages nobody asked for

    @Test func whatAnswersNoRequestIsReceived() async throws {
        var talk = Talk()
        _ = talk.send(.ping)
        #expect(talk.written() == [.ping])
        try talk.receive(.pong, .custom(command: "PUSH", payload: [7]))
        #expect(try await talk.arrivals.next() == .pong)
        talk.conversation.end(with: .closedByServer(address: "peer"))
        // What came before the end is still there.
        #expect(try await talk.arrivals.next() == .custom(command: "PUSH", payload: [7]))
        await #expect(throws: ClientError.closedByServer(address: "peer")) { try await talk.arrivals.next() }
    }

    @Test func unreadMessagesAreBounded() throws {
        var talk = Talk()
        let first = Message.echo(String(repeating: "x", count: 5000))
        // One is always admitted.
        try talk.receive(first)
        #expect(throws: ClientError.self) { try talk.receive(.echo("y")) }
    }

    // MARK: Violations

    @Test func whatIsNoPacketOrNoMessageEndsTheConnection() {
        let wrong: [([UInt8], ClientError.ServerViolation)] = [
            (Array("HTTP".utf8), .packet(.magic(offset: 0, found: 0x48))),
            (Array("NPRO".utf8) + [2], .packet(.version(2))),
            (Array("NPRO".utf8) + [1, 0, 0, 0, 2, 0, 0], .message(.truncated(kind: nil, needed: 4, found: 2))),
        ]
        for (bytes, violation) in wrong {
            var talk = Talk()
            #expect(throws: ClientError.violation(violation, address: "peer")) {
                try talk.conversation.receive(bytes.span.bytes, at: talk.now)
            }
        }
    }

    @Test func aStreamThatEndsInsideAPacketIsAViolation() {
        let talk = Talk()
        #expect(
            talk.conversation.reasonToEnd(isInsidePacket: true) == .violation(.truncatedPacket, address: "peer"))
    }
}

extension Result {
    fileprivate var isSuccess: Bool {
        switch self {
        case .success: true
        case .failure: false
        }
    }
}
