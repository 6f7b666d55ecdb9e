// The verbs that talk, against servers that are what each test needs.

import ApusServer
import Foundation
import Glibc
import TestSupport
import Testing

/// A server inside this process, which can be given handlers.
private func withHandlers(
    _ register: (inout Dispatcher) -> Void, _ body: (String) async throws -> Void
) async throws {
    // As the verbs speak unless they are told otherwise.
    let listener = ListenerConfiguration(address: "127.0.0.1:0", security: .handshake(.init()))
    var server = Server(ServerConfiguration(listeners: [listener]))
    register(&server.dispatcher)
    let handle = try server.start()
    defer {
        handle.stop()
        handle.wait()
    }
    try await body(handle.boundAddresses[0])
}

@Suite struct VerbTests {
    @Test(arguments: loopbackAddresses + ["unix:"])
    func theVerbsTalkOverEveryKindOfAddress(listening: String) async throws {
        let folder = try TemporaryFolder()
        let address = listening == "unix:" ? "unix:" + folder.file("apus.sock") : listening
        let serving = try await blocking {
            try ServingCommand("--max-connections", "100", address: address, security: "handshake")
        }
        let ping = try await Command.run("ping", "--address", serving.address, "--count", "2", "--interval", "1ms")
        #expect(ping.status == 0)
        #expect(ping.lines.count == 3)
        #expect(ping.lines.last?.hasPrefix("\(serving.address): 2 sent, 2 answered, round trip min/mean/max ") == true)
        let echo = try await Command.run("echo", "grüße", "--address", serving.address)
        #expect((echo.status, echo.text, echo.complaint) == (0, "grüße\n", ""))
        #expect(try await blocking { serving.stop() }.status == 0)
    }

    @Test func pingPrintsOneObject() async throws {
        let serving = try await blocking { try ServingCommand(security: "handshake") }
        let arguments = ["ping", "--address", serving.address, "--count", "3", "--interval", "1ms", "--json"]
        let object = try await Command.run(arguments).object()
        #expect(object["kind"] as? String == "ping")
        #expect(object["sent"] as? Int == 3)
        #expect(object["received"] as? Int == 3)
        #expect((object["round_trips_us"] as? [Double])?.count == 3)
        #expect((object["round_trip_us"] as? [String: Double])?.keys.sorted() == ["max", "mean", "min"])
        #expect(try await blocking { serving.stop() }.status == 0)
    }

    @Test func pingSaysWhatIsMissing() async throws {
        // A server that answers the first PING and then leaves the connection to itself.
        try await withHandlers({ dispatcher in
            dispatcher.register(perShard: .ping) { _ in
                var count = 0
                return { _, _, reply in
                    count += 1
                    if count == 1 { reply.pong() }
                }
            }
        }) { address in
            let ping = try await Command.run(
                "ping", "--address", address, "--count", "3", "--interval", "1ms", "--timeout", "1s")
            #expect(ping.status == 1)
            #expect(ping.lines.last?.hasPrefix("\(address): 2 sent, 1 answered") == true)
            #expect(ping.complaint.contains("did not answer Ping within"))
        }
    }

    @Test func echoPrintsOneObject() async throws {
        let serving = try await blocking { try ServingCommand(security: "handshake") }
        let object = try await Command.run("echo", "a \"b\"", "--address", serving.address, "--json").object()
        #expect(object["text"] as? String == "a \"b\"")
        #expect(object["address"] as? String == serving.address)
        #expect(try await blocking { serving.stop() }.status == 0)
    }

    @Test func echoFailsWhenTheReplyDiffers() async throws {
        try await withHandlers({ dispatcher in
            dispatcher.register(.echo) { _, _, reply in reply.send(.echo("something else")) }
        }) { address in
            let echo = try await Command.run("echo", "hello", "--address", address)
            #expect((echo.status, echo.text) == (1, "something else\n"))
            #expect(echo.complaint == "apus: \(address) answered with another text\n")
        }
    }

    // MARK: send

    /// Answers BACK with the payload it got, and NAME with a text.
    private func register(_ dispatcher: inout Dispatcher) {
        dispatcher.register(command: "BACK") { message, _, reply in
            reply.sendCustom(command: message.command, content: message.content)
        }
        dispatcher.register(command: "TEXT") { _, _, reply in reply.send(.echo("a text")) }
        dispatcher.register(command: "PONG") { _, _, reply in reply.pong() }
    }

    @Test func sendPrintsThePayloadAsItIs() async throws {
        let folder = try TemporaryFolder()
        let bytes: [UInt8] = [0, 0xFF, 10, 13, 0x41]
        try Data(bytes).write(to: URL(fileURLWithPath: folder.file("payload")))
        try await withHandlers(register) { address in
            func send(_ payload: String, input: [UInt8] = []) async throws -> Finished {
                try await Command.run(
                    ["send", "--command", "BACK", "--payload", payload, "--address", address], input: input)
            }
            #expect(try await send("a text").output == Array("a text".utf8))
            #expect(try await send("@\(folder.file("payload"))").output == bytes)
            #expect(try await send("@-", input: bytes).output == bytes)
            #expect(try await send("@@name").output == Array("@name".utf8))
            #expect(try await send("").output == [])
            let missing = try await send("@\(folder.file("missing"))")
            #expect(missing.status == 1)
            #expect(missing.complaint.contains("cannot read \(folder.file("missing"))"))
        }
    }

    @Test func sendTakesOtherRepliesToo() async throws {
        try await withHandlers(register) { address in
            let text = try await Command.run("send", "--command", "TEXT", "--address", address)
            #expect((text.status, text.text) == (0, "a text"))
            let pong = try await Command.run("send", "--command", "PONG", "--address", address)
            #expect((pong.status, pong.text) == (0, ""))
            #expect(pong.complaint == "apus: the reply is Pong, which has no payload\n")
        }
    }

    @Test func sendPrintsOneObject() async throws {
        try await withHandlers(register) { address in
            let object = try await Command.run(
                "send", "--command", "BACK", "--payload", "hi", "--address", address, "--json").object()
            #expect(object["reply"] as? String == "Custom")
            #expect(object["reply_command"] as? String == "BACK")
            #expect(object["payload_base64"] as? String == "aGk=")
        }
    }

    @Test func anUnknownCommandIsMetWithSilence() async throws {
        let serving = try await blocking { try ServingCommand(security: "handshake") }
        let send = try await Command.run(
            "send", "--command", "NOBODY", "--address", serving.address, "--timeout", "2s")
        #expect(send.status == 1)
        #expect(send.complaint.contains("did not answer NOBODY within 2s: a server is silent about commands"))
        #expect(try await blocking { serving.stop() }.status == 0)
    }

    @Test func anUnknownCommandMayCloseTheConnection() async throws {
        let serving = try await blocking { try ServingCommand("--unknown-command", "close", security: "handshake") }
        let send = try await Command.run("send", "--command", "NOBODY", "--address", serving.address)
        #expect(send.status == 1)
        #expect(send.complaint.contains("\(serving.address) closed the connection"))
        #expect(try await blocking { serving.stop() }.status == 0)
    }

    @Test func systemAliasesAnswerCustomCommands() async throws {
        let serving = try await blocking { try ServingCommand("--system-aliases", security: "handshake") }
        let send = try await Command.run(
            "send", "--command", "ECHO", "--payload", "again", "--address", serving.address)
        #expect((send.status, send.text) == (0, "again"))
        #expect(try await blocking { serving.stop() }.status == 0)
    }

    // MARK: bench

    @Test func benchPacketPrintsWhatScriptsRead() async throws {
        let serving = try await blocking { try ServingCommand(security: "handshake") }
        let object = try await Command.run(
            "bench", "packet", "--address", serving.address, "--connections", "2", "--depth", "4", "--size", "8",
            "--seconds", "0.1", "--warmup", "0", "--json", "--server-pid", "\(serving.command.processID)"
        ).object()
        #expect(object["kind"] as? String == "packet")
        #expect(object["size"] as? Int == 8)
        #expect((object["messages"] as? Int ?? 0) > 0)
        #expect((object["errors"] as? [String: Int])?.values.reduce(0, +) == 0)
        #expect((object["latency_us"] as? [String: Any])?["p99_9"] != nil)
        #expect((object["server"] as? [String: Any])?["cpu_us_per_message"] != nil)
        #expect(try await blocking { serving.stop() }.status == 0)
    }

    @Test func benchSpeaksToPeopleToo() async throws {
        let serving = try await blocking { try ServingCommand(security: "handshake") }
        let packet = try await Command.run(
            "bench", "packet", "--address", serving.address, "--seconds", "0.1", "--warmup", "0", "--rate", "1000")
        #expect((packet.status, packet.complaint) == (0, ""))
        #expect(packet.lines.contains { $0.hasPrefix("latency ") })
        #expect(packet.lines.contains { $0.hasPrefix("open loop ") })
        let connect = try await Command.run("bench", "connect", "--address", serving.address, "--seconds", "0.1")
        #expect((connect.status, connect.complaint) == (0, ""))
        #expect(connect.lines.contains { $0.hasPrefix("connects ") })
        let idle = try await Command.run(
            "bench", "idle", "--address", serving.address, "--connections", "20", "--baseline", "10",
            "--server-pid", "\(serving.command.processID)")
        #expect((idle.status, idle.complaint) == (0, ""))
        #expect(idle.lines.contains { $0.hasPrefix("each ") })
        #expect(try await blocking { serving.stop() }.status == 0)
    }
}
