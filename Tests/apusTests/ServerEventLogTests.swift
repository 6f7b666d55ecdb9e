// A server's events in its log: what an operator reads there, and what must never stand there.

import ApusClient
import ApusLogging
import ApusSecurity
import ApusServer
import ApusWire
import Foundation
import Logging
import TestSupport
import Testing

@testable import apus

@Suite(.serialized) struct ServerEventLogTests {
    private let folder: TemporaryFolder
    private let logs: Logs

    init() throws {
        folder = try TemporaryFolder()
        var settings = LogSettings()
        (settings.console, settings.json, settings.file) = (false, true, folder.file("log"))
        settings.level = .trace
        logs = try Logs.start(settings)
    }

    /// Everything that was written, once the log has ended.
    private func written() throws -> String {
        #expect(logs.close(within: .seconds(patienceSeconds)))
        return try String(contentsOfFile: folder.file("log"), encoding: .utf8)
    }

    private func records(_ text: String) throws -> [(message: String, level: String, metadata: [String: String])] {
        try text.split(separator: "\n").map { line in
            let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            let metadata = (object["metadata"] as? [String: Any] ?? [:]).mapValues { "\($0)" }
            return (
                try #require(object["message"] as? String), try #require(object["level"] as? String), metadata
            )
        }
    }

    /// Keys, payloads, command names and garbage that a run has seen stand nowhere in a log that keeps everything.
    @Test func noSecretAndNoPayloadIsLogged() async throws {
        let secrets = Secrets()
        let handle = try start(secrets)
        try await talk(to: handle.boundAddresses[0], nil, secrets)
        try await talk(to: handle.boundAddresses[1], .handshake(handshake(secrets.key)), secrets)
        await #expect(throws: (any Error).self) {
            try await talk(to: handle.boundAddresses[1], .handshake(handshake(secrets.wrongKey)), secrets)
        }
        try await blocking {
            for address in handle.boundAddresses {
                let peer = try Peer(to: address)
                try peer.send(bytes: Array(secrets.garbage.utf8))
                #expect(try peer.read() == nil)
            }
        }
        #expect(eventually { handle.metrics.openConnections == 0 })
        StateDump(of: handle).log(to: logs.logger("apus"))
        let dump = StateDump(of: handle).text
        handle.shutdown(timeout: .milliseconds(100))
        handle.wait()
        let text = try written()
        for form in secrets.forms { #expect(!text.contains(form) && !dump.contains(form), "\(form) was logged") }
        // The run was one that has much to tell.
        let messages = Set(try records(text).map(\.message))
        for message in [
            "listening", "connection opened", "connection established", "connection closed", "handler failed",
            "draining", "ended", "state: connections", "state: closed",
        ] { #expect(messages.contains(message), "\(message) is missing") }
    }

    private func start(_ secrets: Secrets) throws -> ServerHandle {
        var server = Server(
            ServerConfiguration(listeners: [
                ListenerConfiguration(name: "plain", address: "127.0.0.1:0"),
                ListenerConfiguration(
                    name: "sealed", address: "127.0.0.1:0", security: .handshake(handshake(secrets.key))),
            ]))
        server.configuration.eventSink = ServerEventLog(logs, peerLevel: .critical)
        server.dispatcher.registerAsync(.command("THROW")) { message, _ in throw Complaint(message: message) }
        return try server.start()
    }

    /// Send what must not be logged.
    private func talk(to address: String, _ security: ClientSecurity?, _ secrets: Secrets) async throws {
        var configuration = ClientConfiguration()
        configuration.security = security
        let client = try await Client.connect(to: address, configuration: configuration)
        #expect(try await client.request(.echo(secrets.payload)) == .echo(secrets.payload))
        for command in [secrets.command, "THROW"] {
            try await client.send(.custom(command: command, payload: Array(secrets.payload.utf8)))
        }
        client.close()
    }

    @Test func recordsHaveTheirParticulars() async throws {
        var server = Server(ServerConfiguration(address: "127.0.0.1:0"))
        server.configuration.maxConnections = 1
        server.configuration.eventSink = ServerEventLog(logs)
        let handle = try server.start()
        try await blocking {
            let first = try Peer(to: handle.boundAddresses[0])
            #expect(try first.request(.echo("x")) == .echo("x"))
            let second = try Peer(to: handle.boundAddresses[0])
            #expect(eventually { handle.metrics.refused[.connectionLimit] == 1 })
            second.close()
            first.finishSending()
            #expect(try first.read() == nil)
        }
        #expect(eventually { handle.metrics.openConnections == 0 })
        handle.stop()
        handle.wait()
        let records = try records(try written())
        let refused = try #require(records.first { $0.message == "connection refused" })
        #expect(refused.level == "warning" && refused.metadata["reason"] == "connection_limit")
        #expect(refused.metadata["peer"]?.hasPrefix("127.0.0.1:") == true)
        let closed = try #require(records.first { $0.message == "connection closed" })
        #expect(closed.level == "debug" && closed.metadata["reason"] == "peer_finished")
        #expect(closed.metadata["received_bytes"] == closed.metadata["sent_bytes"])
        #expect(closed.metadata["listener"] == "edge" && closed.metadata["loop"] == "0")
        let opened = try #require(records.first { $0.message == "connection opened" })
        #expect(opened.metadata["connection"] == closed.metadata["connection"])
        #expect(opened.metadata["peer"] == closed.metadata["peer"])
    }

    /// Which id flaps, as `apus peers` shows it, who has just taken it, and why somebody else was not let in.
    @Test func aRelaysPeersAreNamed() async throws {
        var server = Server(ServerConfiguration(address: "127.0.0.1:0"))
        server.configuration.listeners[0].session = .relay
        server.configuration.relay = RelayConfiguration(instanceURL: "rel://relay", secrets: [RelayClient.secret])
        server.configuration.relay?.flapCount = 2
        server.configuration.eventSink = ServerEventLog(logs)
        let handle = try server.start()
        try await blocking {
            let clients = try (0..<4).map { _ in try RelayClient.peer("bob", to: handle.boundAddresses[0]) }
            #expect(eventually { handle.metrics.relay.flappings == 1 && handle.metrics.relay.replacements == 3 })
            let stranger = try RelayClient("stranger", to: handle.boundAddresses[0])
            try stranger.send([2, 6])
            #expect(try stranger.readToEnd() == [.closeFrame(1008, "bad_version")])
            _ = clients
        }
        handle.stop()
        handle.wait()
        let records = try records(try written())
        let flapping = try #require(records.first { $0.message == "a peer id flaps" })
        #expect(flapping.level == "warning" && flapping.metadata["peer_id"] == "\(PeerID(hashing: "bob"))")
        #expect(flapping.metadata["peer"]?.hasPrefix("127.0.0.1:") == true && flapping.metadata["connection"] != nil)
        let refused = try #require(records.first { $0.message == "relay login refused" })
        #expect(refused.level == "warning" && refused.metadata["reason"] == "auth_bad_version")
        #expect(refused.metadata["advice"]?.contains("version") == true)
    }

    @Test func theLevelDecidesWhatShardsNoteDown() {
        let sink = ServerEventLog(logs)
        let expected: [(Logger.Level, ServerEvent.Severity?)] = [
            (.trace, .debug), (.debug, .debug), (.info, .info), (.notice, .notice), (.warning, .warning),
            (.error, .error), (.critical, nil),
        ]
        for (level, severity) in expected {
            logs.setLevel(level)
            #expect(sink.severityMin == severity)
        }
        logs.close()
    }

    private func handshake(_ text: String) -> HandshakeSettings {
        var settings = HandshakeSettings()
        settings.presharedKey = PresharedKey(Array(text.utf8).span.bytes)
        return settings
    }
}

/// What a run has seen.
private struct Secrets {
    let key = "key-5f1f0c2a9d7e4b68"
    let wrongKey = "wrong-0d9b6a7c3e5f1824"
    let payload = "payload-7a1c9e3b"
    let command = "COMMAND3C5A"
    let garbage = "garbage-8e2d4f60"

    /// As they are, in base 64 and in hexadecimal digits.
    var forms: [String] {
        [key, wrongKey, payload, command, garbage].flatMap { secret in
            let bytes = Data(secret.utf8)
            return [secret, bytes.base64EncodedString(), bytes.map { String(format: "%02x", $0) }.joined()]
        }
    }
}

/// An error that tells what it should not.
private struct Complaint: Error {
    let message: Message
}
