// What can be seen of the keys of [admin], [logging] and [metrics]: by whoever asks, reads the log, or collects.

import ApusConfiguration
import ApusServer
import Foundation
import Glibc
import Synchronization
import TestSupport

extension KeyEffect {
    static let admin = [
        KeyEffect(
            AdminKeys.enabled, ["true": "served", "false": "nobody there"],
            given: ["admin.address": "'unix:$/a'", "admin.control_socket": "'off'"]
        ) { scene in
            try await served(scene, at: "a") ? "served" : "nobody there"
        },
        KeyEffect(
            AdminKeys.address, ["'unix:$/a'": "at a", "'unix:$/b'": "not at a"],
            given: ["admin.enabled": "true", "admin.control_socket": "'off'"]
        ) { scene in
            try await served(scene, at: "a") ? "at a" : "not at a"
        },
        KeyEffect(
            AdminKeys.controlSocket, ["'unix:$/a'": "obeyed at a", "'unix:$/b'": "not at a"],
            given: ["admin.enabled": "true", "admin.address": "'off'"]
        ) { scene in
            try await scene.serveAsProcess(listeners: 3) { _ in
                guard scene.exists("a") else { return "not at a" }
                let answer = try httpAnswer("POST", "/log-level?level=debug", at: "unix:\(scene.file("a"))")
                return answer.status == 200 ? "obeyed at a" : "\(answer)"
            }
        },
        KeyEffect(AdminKeys.allowedHosts, ["['edge.example']": "200", "['other.example']": "421"]) { scene in
            try await scene.serve { "\(try $0.get("/livez", host: "edge.example").status)" }
        },
        KeyEffect(AdminKeys.requestTimeout, ["'100ms'": "408", "'60s'": "200"]) { scene in
            try await requestWithPause(scene, "GET /livez HTTP/1.1\r\n", "Host: localhost\r\nConnection: close\r\n\r\n")
        },
        KeyEffect(AdminKeys.idleTimeout, ["'100ms'": "one answer", "'60s'": "two answers"]) { scene in
            try await scene.serve { server in
                let peer = try Peer(to: server.address(of: .admin))
                let request = Array("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)
                try peer.send(bytes: request)
                _ = try peer.readSome()
                usleep(400_000)
                do {
                    try peer.send(bytes: request)
                    return try peer.readSome().isEmpty ? "one answer" : "two answers"
                } catch is PeerError {
                    return "one answer"
                }
            }
        },
        KeyEffect(AdminKeys.stallLimit, ["'100ms'": "dead", "'60s'": "alive"], probe: stalledLoop),
    ]

    /// Whether somebody answers HTTP at this path.
    private static func served(_ scene: Scene, at name: String) async throws -> Bool {
        try await scene.serve { server in
            do {
                return try server.get("/livez", at: "unix:\(scene.file(name))").status == 200
            } catch is PeerError {
                return false
            }
        }
    }

    private static func requestWithPause(_ scene: Scene, _ first: String, _ second: String) async throws -> String {
        try await scene.serve { server in
            let peer = try Peer(to: server.address(of: .admin))
            try peer.send(bytes: Array(first.utf8))
            if scene.value == "'60s'" {
                usleep(300_000)
                try peer.send(bytes: Array(second.utf8))
            }
            return "\(try HTTPAnswer(from: peer).status)"
        }
    }

    /// A handler keeps its loop for a while.
    private static let stalledLoop: Probe = { scene in
        let isHeld = Atomic(false)
        return try await scene.serve { dispatcher in
            dispatcher.register(command: "HOLD") { _, _, reply in
                isHeld.store(true, ordering: .releasing)
                usleep(500_000)
                reply.pong()
            }
        } _: { server in
            let peer = try server.connect()
            try peer.send(.custom(command: "HOLD", payload: []))
            guard eventually({ isHeld.load(ordering: .acquiring) }) else { return "not held" }
            usleep(300_000)
            let isLive = server.handle.health.isLive
            return try peer.read() == .pong ? (isLive ? "alive" : "dead") : "no answer"
        }
    }
}

// MARK: - Logging

extension KeyEffect {
    static let logging = [
        KeyEffect(LoggingKeys.appName, ["'one'": "app=one", "'two'": "app=two"]) { scene in
            let log = try await logged(scene).complaint
            return log.firstMatch(of: /app=[a-z]+/).map { String($0.0) } ?? "no name"
        },
        KeyEffect(LoggingKeys.level, ["'info'": "drain told", "'error'": "silence"]) { scene in
            try await logged(scene).complaint.contains("draining for at most") ? "drain told" : "silence"
        },
        KeyEffect(
            LoggingKeys.toConsole, ["true": "console file", "false": "file"],
            given: ["logging.log_to_file": "true", "logging.log_file_path": "'$/log'"], probe: outputs),
        KeyEffect(
            LoggingKeys.toFile, ["true": "console file", "false": "console"],
            given: ["logging.log_file_path": "'$/log'"], probe: outputs),
        KeyEffect(
            LoggingKeys.filePath, ["'$/log'": "console file", "'$/other'": "console"],
            given: ["logging.log_to_file": "true"], probe: outputs),
        KeyEffect(LoggingKeys.json, ["true": "JSON", "false": "logfmt"]) { scene in
            let line = try await logged(scene).complaint.split(separator: "\n").first { $0.contains("draining") } ?? ""
            let object = line.hasPrefix("{") ? try JSONSerialization.jsonObject(with: Data(line.utf8)) : nil
            return object is [String: Any] ? "JSON" : line.hasPrefix("time=") ? "logfmt" : "neither"
        },
        KeyEffect(
            LoggingKeys.repeats, ["1": "held back", "20": "all"],
            given: ["admin.enabled": "true", "admin.address": "'off'", "admin.control_socket": "'unix:$/c'"]
        ) { scene in
            let reloads = 6
            return try await scene.serveAsProcess(listeners: 3) { server in
                for _ in 0..<reloads { _ = try httpAnswer("POST", "/reload", at: "unix:\(scene.file("c"))") }
                let log = server.stop().complaint
                let count = log.split(separator: "\n").count { $0.contains("eload applied") }
                return count == reloads ? "all" : count == 0 ? "none" : "held back"
            }
        },
    ]

    /// A server that is started and drained.
    private static func logged(_ scene: Scene) async throws -> Finished {
        try await scene.serveAsProcess { $0.stop() }
    }

    private static let outputs: Probe = { scene in
        let finished = try await logged(scene)
        let isInFile = try scene.exists("log") && scene.text(of: "log").contains("draining")
        return [finished.complaint.contains("draining") ? "console" : "", isInFile ? "file" : ""]
            .filter { !$0.isEmpty }.joined(separator: " ")
    }
}

// MARK: - Metrics

extension KeyEffect {
    static let metrics = [
        KeyEffect(
            MetricsKeys.otlpAddress, ["'http://127.0.0.1:PORT/one'": "/one", "'http://127.0.0.1:PORT/two'": "/two"]
        ) { scene in
            let collector = try Collector(answers: Array(repeating: "200 OK", count: 10))
            _ = try await exported(scene, to: collector) { $0.stop() }
            return collector.requests.first.map { String($0.head.split(separator: " ")[1]) } ?? "nothing"
        },
        KeyEffect(MetricsKeys.otlpInterval, ["'1s'": "soon", "'1h'": "at the end"]) { scene in
            let collector = try Collector(answers: Array(repeating: "200 OK", count: 10))
            return try await exported(scene, to: collector) { server in
                if scene.value == "'1s'" { return eventually { !collector.requests.isEmpty } ? "soon" : "never" }
                usleep(1_200_000)
                let isEarly = !collector.requests.isEmpty
                _ = server.stop()
                return isEarly ? "soon" : collector.requests.isEmpty ? "never" : "at the end"
            }
        },
        KeyEffect(
            MetricsKeys.otlpTimeout, ["'100ms'": "given up", "'60s'": "waited for"],
            given: ["metrics.otlp_interval": "'1h'"]
        ) { scene in
            // It takes connections and says nothing.
            let collector = try Collector(answers: [])
            return try await exported(scene, to: collector) { server in
                if scene.value == "'100ms'" { return server.stop().status == 0 ? "given up" : "failed" }
                server.command.signal(SIGTERM)
                usleep(800_000)
                return server.stop(SIGKILL).status == -SIGKILL ? "waited for" : "given up"
            }
        },
        KeyEffect(
            MetricsKeys.resourceAttributes, ["['zone=north']": "north", "['zone=south']": "south"]
        ) { scene in
            let collector = try Collector(answers: Array(repeating: "200 OK", count: 10))
            _ = try await exported(scene, to: collector) { $0.stop() }
            let body = collector.requests.first?.body ?? ""
            return body.contains("\"north\"") ? "north" : body.contains("\"south\"") ? "south" : "nothing"
        },
    ]

    /// A server that exports to a collector of this test.
    private static func exported<Result>(
        _ scene: Scene, to collector: Collector, _ body: (ServedByProcess) async throws -> Result
    ) async throws -> Result {
        let address = scene.value.contains("PORT") ? scene.value : "'http://127.0.0.1:PORT/'"
        return try await scene.serveAsProcess { configuration in
            configuration.set("metrics.otlp_address", address.replacing("PORT", with: "\(collector.port)"))
        } _: { server in
            try await body(server)
        }
    }
}
