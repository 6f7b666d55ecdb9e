// Every state against every message: what is taken, and what is refused with which reason.

import ApusWire
import Testing

@testable import ApusSecurity

struct HandshakeStateTests {
    enum Stage: CaseIterable {
        case ready
        case waiting
        case established
        case refused
    }

    enum Input: CaseIterable {
        case ping, pong, initiation, response, confirm, echo, disconnect, custom, unknown
        case nothing, threeBytes, cutInitiation, oversize
    }

    /// What every state does with what is no handshake message.
    private func refusal(of input: Input) -> HandshakeRefusal {
        switch input {
        case .ping, .pong, .initiation, .response, .confirm, .echo, .disconnect, .custom, .unknown: .unexpectedMessage
        case .nothing, .threeBytes, .cutInitiation: .malformedMessage
        case .oversize: .oversizeMessage
        }
    }

    private func payload(_ input: Input, _ conversation: borrowing Conversation) -> [UInt8] {
        switch input {
        case .ping: HandshakeRole.encode(.ping)
        case .pong: HandshakeRole.encode(.pong)
        case .initiation: conversation.initiation
        case .response: conversation.response
        case .confirm: conversation.confirm
        case .echo: HandshakeRole.encode(.echo("hi"))
        case .disconnect: HandshakeRole.encode(.disconnect)
        case .custom: HandshakeRole.encode(.custom(command: "X", payload: [0xDE, 0xAD]))
        case .unknown: HandshakeRole.encode(.unknown(discriminant: 8))
        case .nothing: []
        case .threeBytes: [2, 0, 0]
        case .cutInitiation: Array(conversation.initiation.prefix(59))
        case .oversize: conversation.initiation + [UInt8](repeating: 0, count: 1024)
        }
    }

    /// A server in the stage, and the messages that belong to it.
    struct Conversation: ~Copyable {
        var client: ClientHandshake
        var server: ServerHandshake
        let replay = ReplayTable(handshakesPerSecond: 1)
        var initiation: [UInt8]
        var response: [UInt8]
        var confirm: [UInt8]

        /// Both roles as far as `stage`; the messages are those of this conversation as far as it has come, and
        /// otherwise those of another one.
        init(_ settings: HandshakeSettings, _ stage: Stage) throws {
            var client = ClientHandshake(settings)
            var server = ServerHandshake(settings)
            let initiation = client.start(wallMilliseconds: HandshakeRig.wall)
            var (response, confirm) = try Conversation.strangers(settings, replay)
            if stage != .ready { response = try server.reply(to: initiation, replay: replay) }
            if stage == .established || stage == .refused { confirm = try client.receive(response.span.bytes).confirm }
            if stage == .established { _ = try server.establish(confirm, replay: replay) }
            if stage == .refused {
                let ping = HandshakeRole.encode(.ping)
                let found = HandshakeStateTests.step(&server, ping, replay)
                #expect(found == .refused(.unexpectedMessage))
            }
            self.initiation = initiation
            self.response = response
            self.confirm = confirm
            self.client = client
            self.server = server
        }

        private static func strangers(
            _ settings: HandshakeSettings, _ replay: ReplayTable
        ) throws -> (response: [UInt8], confirm: [UInt8]) {
            var client = ClientHandshake(settings)
            var server = ServerHandshake(settings)
            let response = try server.reply(to: client.start(wallMilliseconds: HandshakeRig.wall), replay: replay)
            return (response, try client.receive(response.span.bytes).confirm)
        }
    }

    static let settings = [HandshakeSettings.plainV1, HandshakeSettings()]

    @Test(arguments: [0, 1], Stage.allCases) func serverTakesItsMessageOnly(kind: Int, stage: Stage) throws {
        for input in Input.allCases {
            var conversation = try Conversation(Self.settings[kind], stage)
            let payload = payload(input, conversation)
            let found = Self.step(&conversation.server, payload, conversation.replay)
            switch (stage, input) {
            case (.ready, .initiation): #expect(found == .reply)
            case (.waiting, .confirm):
                // The Confirm of another conversation.
                #expect(found == .refused(.wrongVerification))
            case (.established, _), (.refused, _): #expect(found == .refused(.unexpectedMessage), "\(input)")
            default: #expect(found == .refused(refusal(of: input)), "\(stage), \(input)")
            }
            if case .refused = found {
                // Refused once, for good.
                for again in [conversation.initiation, conversation.confirm] {
                    #expect(Self.step(&conversation.server, again, conversation.replay) == .refused(.unexpectedMessage))
                }
            }
        }
    }

    @Test(arguments: [0, 1]) func clientTakesItsMessageOnly(kind: Int) throws {
        for input in Input.allCases where input != .response {
            var conversation = try Conversation(Self.settings[kind], .waiting)
            let payload = payload(input, conversation)
            let found = Self.step(&conversation.client, payload)
            #expect(found == .refused(refusal(of: input)), "\(input)")
            // Refused once, for good: even the right answer comes too late.
            #expect(Self.step(&conversation.client, conversation.response) == .refused(.unexpectedMessage))
        }
        for input in Input.allCases {
            var conversation = try Conversation(Self.settings[kind], .established)
            let payload = payload(input, conversation)
            #expect(Self.step(&conversation.client, payload) == .refused(.unexpectedMessage), "\(input)")
        }
        var early = ClientHandshake(Self.settings[kind])
        let conversation = try Conversation(Self.settings[kind], .waiting)
        #expect(Self.step(&early, conversation.response) == .refused(.unexpectedMessage), "before Init")
    }

    @Test func theResponseToAnotherIsRefused() throws {
        for settings in Self.settings {
            var conversation = try Conversation(settings, .ready)
            let other = conversation.response
            #expect(Self.step(&conversation.client, other) == .refused(.wrongVerification))
        }
    }

    enum Found: Equatable {
        case reply
        case established
        case refused(HandshakeRefusal)
    }

    static func step(_ server: inout ServerHandshake, _ payload: [UInt8], _ replay: ReplayTable) -> Found {
        do throws(HandshakeRefusal) {
            switch try server.receive(payload.span.bytes, from: 1, at: HandshakeRig.now, replay: replay) {
            case .reply: return .reply
            case .established: return .established
            }
        } catch {
            return .refused(error)
        }
    }

    static func step(_ client: inout ClientHandshake, _ payload: [UInt8]) -> Found {
        do throws(HandshakeRefusal) {
            _ = try client.receive(payload.span.bytes)
            return .established
        } catch {
            return .refused(error)
        }
    }

    @Test func labelsAreDistinct() {
        #expect(Set(HandshakeRefusal.allCases.map(\.label)).count == HandshakeRefusal.allCases.count)
        #expect(HandshakeRefusal.allCases.allSatisfy { $0.description.count > 20 })
    }
}
