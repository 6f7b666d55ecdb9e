// What can be seen of the keys of [server]: who is let in, how long who waits, what is answered.

import ApusConfiguration
import ApusServer
import ApusWire
import Foundation
import Glibc
import Synchronization
import TestSupport

@testable import apus

extension KeyEffect {
    static let server = places + sizes + deadlines + [
        KeyEffect(ServerKeys.unknownCommand, ["'silence'": "pong", "'close'": "closed"]) { scene in
            try await scene.serve { server in
                let peer = try server.connect()
                try peer.send(.custom(command: "NOBODY", payload: []))
                return peer.fate()
            }
        },
        KeyEffect(ServerKeys.systemAliases, ["false": "Pong", "true": "Custom"]) { scene in
            try await scene.serve { server in
                let peer = try server.connect()
                try peer.send(.custom(command: "ECHO", payload: [1]), .ping)
                return try peer.read().map { "\($0.kind)" } ?? "closed"
            }
        },
    ]

    // MARK: Where it is, and how it is replaced

    private static let places = [
        KeyEffect(
            ServerKeys.address, ["'unix:$/a'": "true false", "'unix:$/b'": "false true"],
            given: ["listener.name": "", "listener.address": "", "listener.security": ""]
        ) { scene in
            try await scene.serve { _ in "\(scene.exists("a")) \(scene.exists("b"))" }
        },
        KeyEffect(ServerKeys.pidFile, ["'$/a.pid'": "a.pid", "'$/b.pid'": "b.pid"]) { scene in
            try await scene.serveAsProcess { server in
                let names = ["a.pid", "b.pid"]
                guard eventually({ names.contains(where: scene.exists) }) else { return "none" }
                let own = try names.filter {
                    try scene.exists($0) && scene.text(of: $0) == "\(server.command.processID)\n"
                }
                return own.joined(separator: " ")
            }
        },
        KeyEffect(ServerKeys.upgradeSocket, ["'$/a.sock'": "true false", "'$/b.sock'": "false true"]) { scene in
            try await scene.serveAsProcess { _ in
                _ = eventually { scene.exists("a.sock") || scene.exists("b.sock") }
                return "\(scene.exists("a.sock")) \(scene.exists("b.sock"))"
            }
        },
        KeyEffect(
            ServerKeys.upgradeTimeout, ["'100ms'": "given up", "'60s'": "waited for"],
            given: ["server.upgrade_socket": "'$/up.sock'"], probe: upgradeToOneThatHangs),
    ]

    /// The successor reads a key from a pipe: nobody writes to it, or one that is too short comes out after a while.
    private static let upgradeToOneThatHangs: Probe = { scene in
        try await scene.serveAsProcess { _ in
            guard eventually({ scene.exists("up.sock") }) else { return "no upgrade socket" }
            mkfifo(scene.file("pipe"), 0o600)
            _ = try scene.configure { configuration in
                configuration.set("listener.security", "'handshake'")
                configuration.set("handshake.psk_file", "'$/pipe'")
            }
            if scene.value == "'60s'" {
                Thread.detachNewThread {
                    // Returns when the successor reads.
                    let pipe = open(scene.file("pipe"), O_WRONLY | O_CLOEXEC)
                    usleep(300_000)
                    _ = write(pipe, "short", 5)
                    close(pipe)
                }
            }
            let deadline = Deadline(after: .seconds(patienceSeconds))
            let channel = try HandOverChannel.connect(to: scene.file("up.sock"))
            try channel.send(.upgrade, by: deadline)
            let answer = try channel.receive(by: deadline).message
            guard case .outcome(false, let text) = answer else { return "\(answer)" }
            return text.contains("exited with code 3") ? "waited for" : "given up"
        }
    }

    // MARK: How much

    private static let sizes = [
        KeyEffect(ServerKeys.shards, ["1": "1", "2": "2"]) { scene in
            try await scene.serve { "\(try $0.samples("apus_loop_turns_total").count)" }
        },
        KeyEffect(ServerKeys.maxConnections, ["1": "closed, connection_limit", "2": "pong, "]) { scene in
            try await scene.serve { server in
                let first = try server.connect()
                guard first.fate() == "pong" else { return "none at all" }
                let fate = try server.connect().fate()
                let refusals = try server.samples("apus_connections_refused_total").filter { $0.value > 0 }
                let reasons = refusals.compactMap { $0.labels.firstMatch(of: /reason="([a-z_]+)"/)?.1 }
                return "\(fate), \(reasons.joined())"
            }
        },
        KeyEffect(ServerKeys.backpressureLimit, ["1": "1", "3": "3"], probe: requestsUnderWay),
        KeyEffect(
            ServerKeys.maxOutstandingBytes, ["'64KiB'": "left unread", "'8MiB'": "all read"],
            given: ["listener.address": "'unix:$/s'"]
        ) { scene in
            try await scene.serve { server in
                let request = PacketEncoder.encode(.echo(String(repeating: "x", count: 10_000)))
                let requests = (0..<600).flatMap { _ in request }
                let sent = try server.connect().sendUntilStalled(requests)
                return sent == requests.count ? "all read" : "left unread"
            }
        },
        KeyEffect(
            ServerKeys.memoryBudget, ["'2MiB'": "memory_budget", "'256MiB'": "all answered"],
            given: ["transport.max_payload_size": "'256KiB'"], probe: manyUnfinishedPackets),
        KeyEffect(
            ServerKeys.maxHandshakeRate, ["1": "some refused", "1000": "all served"],
            given: ["listener.security": "'handshake'"]
        ) { scene in
            try await scene.serve { server in
                for _ in 0..<40 {
                    guard await answer(to: .handshake(.init()), at: server.address()) == "served" else {
                        return "some refused"
                    }
                }
                return "all served"
            }
        },
        KeyEffect(
            ServerKeys.maxHandshakesAtOnce, ["1": "refused", "2": "served"],
            given: ["listener.security": "'handshake'"]
        ) { scene in
            try await scene.serve { server in
                let silent = try server.connect()
                guard server.has(1, "apus_connections_open") else { return "not accepted" }
                defer { silent.close() }
                return await answer(to: .handshake(.init()), at: server.address())
            }
        },
    ]

    /// Handlers that wait until the test has counted them.
    private static let requestsUnderWay: Probe = { scene in
        let door = Door()
        return try await scene.serve { dispatcher in
            dispatcher.registerAsync(.command("SLOW")) { message, _ in
                await door.pass()
                return message
            }
        } _: { server in
            let peer = try server.connect()
            try peer.send(Array(repeating: .custom(command: "SLOW", payload: []), count: 8))
            // The one that goes beyond the limit is left undecoded, which counts as a pause.
            let isPaused = eventually { server.handle.metrics.pauses > 0 }
            let count = server.handle.metrics.asyncRequests
            door.open()
            return isPaused ? "\(count)" : "never paused"
        }
    }

    private static let manyUnfinishedPackets: Probe = { scene in
        try await scene.serve { server in
            let packet = PacketEncoder.encode(.echo(String(repeating: "x", count: 200_000)))
            let peers = try (0..<16).map { _ in try server.connect() }
            do {
                for peer in peers { try peer.send(bytes: Array(packet.dropLast())) }
                for peer in peers { try peer.send(bytes: Array(packet.suffix(1))) }
                let replies = try peers.compactMap { try $0.read() }
                if replies.count == peers.count { return "all answered" }
            } catch is PeerError {
                // One of them was closed; the server says why.
            }
            return try server.closeReason()
        }
    }

    // MARK: How long

    private static let deadlines = [
        KeyEffect(
            ServerKeys.connectionTimeout, ["'50ms'": "first_byte_timeout", "'60s'": "peer_finished"]
        ) { scene in
            try await scene.serve { server in
                let peer = try server.connect()
                return try server.closeReason(of: peer, outlasting: scene.value == "'60s'")
            }
        },
        KeyEffect(
            ServerKeys.handshakeTimeout, ["'100ms'": "handshake_timeout", "'60s'": "truncated"],
            given: ["listener.security": "'handshake'"]
        ) { scene in
            try await scene.serve { server in
                let peer = try server.connect()
                try peer.send(bytes: Array(PacketEncoder.encode(.ping).prefix(6)))
                return try server.closeReason(of: peer, outlasting: scene.value == "'60s'")
            }
        },
        KeyEffect(
            ServerKeys.idleTimeout, ["'60ms'": "idle_timeout", "'off'": "dead_peer"],
            given: ["server.heartbeat_interval": "'100ms'"]
        ) { scene in
            try await scene.serve { server in
                let peer = try server.connect()
                return peer.fate() == "pong" ? try server.closeReason(of: peer) : "no answer"
            }
        },
        KeyEffect(
            ServerKeys.heartbeatInterval, ["'50ms'": "pinged", "'off'": "left alone"],
            given: ["server.idle_timeout": "'400ms'"]
        ) { scene in
            try await scene.serve { server in
                let peer = try server.connect()
                guard peer.fate() == "pong" else { return "no answer" }
                return try peer.readToEnd().contains(.ping) ? "pinged" : "left alone"
            }
        },
    ]
}

/// Async handlers wait before it until it is opened.
private final class Door: Sendable {
    private let waiting = Mutex<[CheckedContinuation<Void, Never>]?>([])

    func pass() async {
        await withCheckedContinuation { continuation in
            let isOpen = waiting.withLock { waiting in
                waiting?.append(continuation)
                return waiting == nil
            }
            if isOpen { continuation.resume() }
        }
    }

    func open() {
        let passing = waiting.withLock { waiting in
            defer { waiting = nil }
            return waiting ?? []
        }
        passing.forEach { $0.resume() }
    }
}
