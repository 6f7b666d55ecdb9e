// What can be seen of the keys of [client]: a verb that reads them, and a server that answers, is silent or goes away.

import ApusConfiguration
import ApusWire
import TestSupport

extension KeyEffect {
    /// How long the server waits before it goes away, where the client is to be less, or more, patient.
    private static let silenceMilliseconds: UInt32 = 600

    static let client = waits + reconnections

    private static let waits = [
        KeyEffect(
            ClientKeys.address, ["'unix:$/s'": "answered", "'unix:$/t'": "failed"],
            given: ["transport.encryption_enabled": "false"]
        ) { scene in
            let server = try ScriptedServer(at: scene.file("s")) { _, _ in .reply(.pong) }
            defer { server.stop() }
            return try await scene.run("ping", "--count", "1").status == 0 ? "answered" : "failed"
        },
        KeyEffect(ClientKeys.connectionTimeout, ["'100ms'": "given up", "'30s'": "closed by the server"]) { scene in
            try await failure(scene) { _ in .end(afterMilliseconds: silenceMilliseconds) }
        },
        KeyEffect(
            ClientKeys.responseTimeout, ["'100ms'": "given up", "'30s'": "closed by the server"],
            given: ["transport.encryption_enabled": "false", "client.auto_reconnect": "false"]
        ) { scene in
            try await failure(scene) { _ in .end(afterMilliseconds: silenceMilliseconds) }
        },
        KeyEffect(
            ClientKeys.operationTimeout, ["'100ms'": "given up", "'30s'": "left"],
            given: ["transport.encryption_enabled": "false"]
        ) { scene in
            try await failure(scene) { request in
                request == .ping ? .reply(.pong) : .end(afterMilliseconds: silenceMilliseconds)
            }
        },
        KeyEffect(
            ClientKeys.heartbeatInterval, ["'50ms'": "more than asked for", "'off'": "2"],
            given: ["transport.encryption_enabled": "false"]
        ) { scene in
            let server = try ScriptedServer(at: scene.file("s")) { _, request in
                request == .ping ? .reply(.pong) : .end(afterMilliseconds: 0)
            }
            defer { server.stop() }
            _ = try await ping(server, scene, count: 2)
            let pings = server.requests.count { $0 == .ping }
            return pings > 2 ? "more than asked for" : "\(pings)"
        },
    ]

    private static let reconnections = [
        KeyEffect(
            ClientKeys.autoReconnect, ["true": "2 connections, answered", "false": "1 connections, failed"],
            given: ["transport.encryption_enabled": "false", "client.reconnect_delay": "1"]
        ) { scene in
            try await reconnecting(scene) { connection in connection > 0 }.text
        },
        KeyEffect(
            ClientKeys.maxReconnectAttempts, ["1": "2 connections, failed", "4": "5 connections, failed"],
            given: ["transport.encryption_enabled": "false", "client.reconnect_delay": "1"]
        ) { scene in
            try await reconnecting(scene) { _ in false }.text
        },
        KeyEffect(
            ClientKeys.reconnectDelay, ["1": "at once", "'500ms'": "half a second"],
            given: ["transport.encryption_enabled": "false"]
        ) { scene in
            let arrivals = try await reconnecting(scene) { connection in connection > 0 }.arrivals
            guard arrivals.count == 2 else { return "\(arrivals.count) connections" }
            return arrivals[1] - arrivals[0] >= .milliseconds(450) ? "half a second" : "at once"
        },
    ]

    /// How a ping ended that a server kept waiting.
    private static func failure(
        _ scene: Scene, _ answer: @escaping @Sendable (Message) -> ScriptedServer.Answer
    ) async throws -> String {
        let server = try ScriptedServer(at: scene.file("s")) { _, request in answer(request) }
        defer { server.stop() }
        let finished = try await ping(server, scene)
        if finished.status == 0 { return "left" }
        return finished.complaint.contains("within") ? "given up" : "closed by the server"
    }

    /// A ping to a server that closes each connection at its first request unless `serves` says otherwise.
    private static func reconnecting(
        _ scene: Scene, _ serves: @escaping @Sendable (Int) -> Bool
    ) async throws -> (text: String, arrivals: [ContinuousClock.Instant]) {
        let server = try ScriptedServer(at: scene.file("s")) { connection, request in
            request == .ping && serves(connection) ? .reply(.pong) : .end(afterMilliseconds: 0)
        }
        defer { server.stop() }
        let finished = try await ping(server, scene)
        let outcome = finished.status == 0 ? "answered" : "failed"
        return ("\(server.arrivals.count) connections, \(outcome)", server.arrivals)
    }

    private static func ping(_ server: ScriptedServer, _ scene: Scene, count: Int = 1) async throws -> Finished {
        try await scene.run("ping", "--count", "\(count)", "--interval", "400ms") { configuration in
            configuration.set("client.address", "'\(server.address)'")
        }
    }
}
