// What can be seen of the keys of [server] about drains: who is told to leave, who may still come, who is cut off.

import ApusConfiguration
import Glibc
import TestSupport

extension KeyEffect {
    static let drain = [
        KeyEffect(ServerKeys.shutdownTimeout, ["'20ms'": "cut off", "'60s'": "answered"]) { scene in
            try await draining(scene, SIGTERM)
        },
        KeyEffect(ServerKeys.drainLimit, ["'20ms'": "cut off", "'60s'": "answered"]) { scene in
            try await draining(scene, SIGUSR1)
        },
        KeyEffect(ServerKeys.drainDelay, ["0": "refused", "'60s'": "let in while not ready"], probe: comingLate),
        KeyEffect(
            ServerKeys.drainWindow, ["'off'": "all told at once", "'60s'": "told one after the other"],
            probe: beingTold),
    ]

    /// A peer that stays, and asks on for a while.
    private static func draining(_ scene: Scene, _ signal: Int32) async throws -> String {
        try await scene.serveAsProcess { server in
            let peer = try server.connect()
            guard peer.fate() == "pong" else { return "no answer" }
            server.command.signal(signal)
            guard try peer.read() == .disconnect else { return "not told" }
            for _ in 0..<20 {
                if peer.fate() == "closed" { return "cut off" }
                usleep(20_000)
            }
            return "answered"
        }
    }

    private static let comingLate: Probe = { scene in
        try await scene.serveAsProcess { server in
            let first = try server.connect()
            guard first.fate() == "pong" else { return "no answer" }
            server.command.signal(SIGTERM)
            guard scene.value == "0" else {
                // Readiness fails at once, and for as long as load balancers need to notice, all goes on.
                var isReady = true
                for _ in 0..<1000 where isReady {
                    isReady = try server.get("/readyz").status == 200
                    usleep(5_000)
                }
                if isReady { return "ready" }
                return try server.connect().fate() == "pong" ? "let in while not ready" : "refused"
            }
            return eventually { isRefused(by: server) } ? "refused" : "let in"
        }
    }

    private static func isRefused(by server: ServedByProcess) -> Bool {
        do {
            return try server.connect().fate() == "closed"
        } catch {
            return true
        }
    }

    /// Peers that ask once more when the drain has begun: who was told to leave reads that first.
    private static let beingTold: Probe = { scene in
        try await scene.serveAsProcess { server in
            let peers = try (0..<12).map { _ in try server.connect() }
            guard peers.allSatisfy({ $0.fate() == "pong" }) else { return "no answer" }
            server.command.signal(SIGTERM)
            guard eventually({ isRefused(by: server) }) else { return "no drain" }
            // Who accepts no more has not told everybody yet; of twelve in a minute none is told in so short a while.
            usleep(100_000)
            let first = peers.map { $0.fate(of: .echo("here")) }
            return first.allSatisfy { $0 == "Disconnect" } ? "all told at once" : "told one after the other"
        }
    }
}
