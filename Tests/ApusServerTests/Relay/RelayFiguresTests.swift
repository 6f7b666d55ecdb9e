// What operators see of a relay: figures under its relatives' names and ours, /health, the list of peers, and admin
// listeners that answer only so much.

import ApusReactor
import ApusServer
import ApusWire
import Foundation
import TestSupport
import Testing

@Suite(.serialized) struct RelayFiguresTests {
    /// A relay and, second, an admin listener that answers everything.
    private func withFigures(
        _ scope: AdminScope = .all, shards: Int = 1, _ change: (inout ServerConfiguration) -> Void = { _ in },
        _ body: (RunningServer) throws -> Void
    ) async throws {
        try await withRelay(shards: shards) { configuration in
            var admin = ListenerConfiguration(name: "admin", address: "127.0.0.1:0", session: .admin)
            admin.adminPaths = scope
            configuration.listeners.append(admin)
            change(&configuration)
        } _: { try body($0) }
    }

    /// The value of a series; nil: there is none.
    private func value(_ series: String, _ server: RunningServer) throws -> Double? {
        let lines = try #require(try server.admin("/metrics")).body.split(separator: "\n")
        return lines.first { $0.hasPrefix(series + " ") }.flatMap { Double($0.dropFirst(series.count + 1)) }
    }

    private func object(_ path: String, _ server: RunningServer) throws -> [String: Any] {
        let body = try #require(try server.admin(path)).body
        return try #require(try JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: Any])
    }

    private func peerRows(_ countMax: Int, _ server: RunningServer) throws -> [[String: Any]] {
        try #require(try object("/status?peers=\(countMax)", server)["peers"] as? [[String: Any]])
    }

    // MARK: Metrics

    @Test func figuresAreToldUnderBothNames() async throws {
        try await withFigures { server in
            let alice = try RelayClient.peer("alice", to: server.address)
            let bob = try RelayClient.peer("bob", to: server.address)
            try alice.send([1, 2, 3, 4], to: bob.id)
            #expect(try bob.read() == .transport(alice.id, [1, 2, 3, 4]))
            for (series, expected) in [
                ("relay_peers{transport=\"ws\"}", 2), ("apus_relay_peers", 2), ("relay_peers_active", 1),
                ("relay_peers_idle", 1), ("relay_transfer_received_bytes_total", 42),
                ("relay_transfer_sent_bytes_total", 42), ("relay_peer_authentication_time_milliseconds_count", 2),
                ("relay_peer_authentication_time_milliseconds_bucket{le=\"+Inf\"}", 2),
                ("relay_peer_store_time_milliseconds_count", 2), ("apus_relay_logins_total", 2),
                ("apus_relay_messages_received_total", 1), ("apus_relay_messages_delivered_total", 1),
                ("apus_relay_logins_refused_total{reason=\"bad_signature\"}", 0), ("relay_peer_reconnections_total", 0),
            ] { #expect(try value(series, server) == Double(expected), "\(series)") }
            let status = try #require(try object("/status", server)["relay"] as? [String: Any])
            #expect(status["peers"] as? Int == 2 && status["received_bytes"] as? Int == 42)
        }
    }

    /// The relatives lose count of peers that are replaced: theirs no longer add up.
    @Test(arguments: [1, 2]) func activeAndIdleAddUpThroughReplacements(shards: Int) async throws {
        try await withFigures(shards: shards) { server in
            for _ in 0..<5 {
                let alice = try RelayClient.peer("alice", to: server.address)
                // Every loop has heard of it then.
                try alice.pingThrough()
                try alice.send([7], to: alice.id)
                #expect(try alice.read() == .transport(alice.id, [7]))
            }
            let last = try RelayClient.peer("alice", to: server.address)
            #expect(eventually { server.metrics.relay.peers == 1 && server.metrics.relay.peersActive == 0 })
            #expect(try value("relay_peers_idle", server) == 1)
            try last.pingThrough()
            try last.send([7], to: last.id)
            #expect(try last.read() == .transport(last.id, [7]))
            #expect(server.metrics.relay.peersActive == 1)
        }
    }

    @Test func aRefusedLoginIsCountedUnderItsReason() async throws {
        try await withFigures { server in
            let eve = try RelayClient("eve", to: server.address)
            var auth = eve.auth()
            auth[auth.count - 20] ^= 1
            try eve.send(auth)
            guard case .closeFrame(1008, "bad_signature") = try eve.read() else {
                Issue.record("no close frame with the reason")
                return
            }
            #expect(try value("apus_relay_logins_refused_total{reason=\"bad_signature\"}", server) == 1)
            #expect(try value("relay_peers{transport=\"ws\"}", server) == 0)
        }
    }

    @Test func aServerWithoutRelayHasNoFiguresOfOne() async throws {
        try await withAdmin { server in
            let metrics = try server.admin("/metrics")
            #expect(metrics?.body.contains("relay_peers") == false)
            #expect(try server.admin("/status")?.body.contains("\"relay\":") == false)
        }
    }

    // MARK: Health

    @Test func healthIsInNetBirdsShape() async throws {
        try await withFigures { server in
            let healthy = try object("/health", server)
            #expect(Set(healthy.keys) == ["status", "timestamp", "listeners", "certificate_valid"])
            #expect(healthy["status"] as? String == "healthy" && healthy["listeners"] as? [String] == ["ws"])
            server.handle.withdrawReadiness("asked to leave")
            #expect(try server.admin("/health")?.status == 503)
            let unhealthy = try object("/health", server)
            #expect(unhealthy["status"] as? String == "unhealthy")
            #expect(unhealthy["reasons"] as? [String] == ["asked to leave"])
        }
    }

    @Test func healthOfADrainNamesNoListener() async throws {
        try await withFigures { server in
            let alice = try RelayClient.peer("alice", to: server.address)
            let operatorPeer = try AdminPeer(to: server.adminAddress)
            #expect(try operatorPeer.request("/health")?.status == 200)
            server.handle.shutdown(timeout: .seconds(60))
            // Who stays keeps the endpoint.
            #expect(eventually { !server.handle.health.isReady })
            if let drained = try operatorPeer.request("/health") {
                #expect(drained.status == 503 && drained.body.contains("\"listeners\":[]"), "\(drained.body)")
            }
            alice.peer.close()
        }
    }

    // MARK: Scopes

    @Test(arguments: [
        (AdminScope.metrics, ["/metrics"]), (.health, ["/health", "/livez", "/readyz"]),
        (.all, ["/metrics", "/health", "/livez", "/readyz", "/status", "/"]),
    ])
    func aListenerAnswersItsPathsAlone(scope: AdminScope, there: [String]) async throws {
        try await withFigures(scope) { server in
            for path in ["/metrics", "/health", "/livez", "/readyz", "/status", "/"] {
                let status = try server.admin(path)?.status
                #expect(status == (there.contains(path) ? 200 : 404), "\(path)")
            }
            if scope != .all { #expect(try server.admin("/drain", method: "POST")?.status == 404) }
        }
    }

    // MARK: Peers

    @Test(arguments: [1, 3]) func everyPeerIsListedOnce(shards: Int) async throws {
        try await withFigures(shards: shards) { server in
            let names = (0..<9).map { "peer \($0)" }
            let peers = try names.map { try RelayClient.peer($0, to: server.address) }
            // One that is nobody yet.
            let stranger = try RelayClient("stranger", to: server.address)
            let rows = try peerRows(100, server)
            #expect(rows.count == 9)
            #expect(Set(rows.compactMap { $0["peer_id"] as? String }) == Set(peers.map(\.id.description)))
            let isWhole = rows.allSatisfy { row in
                row["listener"] as? String == "edge" && (row["peer"] as? String)?.hasPrefix("127.0.0.1:") == true
                    && row["age_seconds"] is Double && row["received_bytes"] as? Int ?? 0 > 100
                    && row["sent_bytes"] as? Int ?? 0 > 100 && row["queued_bytes"] is Int
            }
            #expect(isWhole, "\(rows)")
            #expect(try peerRows(4, server).count == 4)
            stranger.peer.close()
        }
    }

    /// Most of what waits for a peer that does not read is behind its connection's buffers.
    @Test func whatWaitsInTheBacklogIsQueued() async throws {
        try await withFigures { configuration in
            configuration.relay?.messageAgeMax = .seconds(60)
        } _: { server in
            let slow = try RelayClient.peer("slow", to: server.address, receiveBufferByteCount: 4096)
            let alice = try RelayClient.peer("alice", to: server.address)
            // Sixteen megabytes: more than the kernel takes for one that does not read, and the default backlog.
            let datagram = [UInt8](repeating: 3, count: 8000)
            for _ in 0..<2000 { try alice.send(datagram, to: slow.id) }
            func queued(_ rows: [[String: Any]]) -> Int {
                rows.first { $0["peer_id"] as? String == slow.id.description }?["queued_bytes"] as? Int ?? 0
            }
            #expect(eventually { server.metrics.dropped[.peerBacklogFull] ?? 0 > 0 })
            #expect(queued(try peerRows(10, server)) > 900_000)
            let top = try #require(try object("/status?connections=5", server)["top"] as? [String: Any])
            #expect(queued(try #require(top["by_queue"] as? [[String: Any]])) > 900_000)
        }
    }

    @Test func theListHasBounds() async throws {
        try await withFigures { server in
            let rows = try peerRows(1, server)
            #expect(rows.isEmpty)
            for count in ["0", "10001", "x", "-1"] {
                #expect(try server.admin("/status?peers=\(count)")?.status == 400)
            }
            #expect(try server.admin("/status")?.body.contains("\"peers\":[") == false)
        }
    }

    /// The connections that `apus top` shows say who they are too.
    @Test func theBusiestSayWhoTheyAre() async throws {
        try await withFigures { server in
            let alice = try RelayClient.peer("alice", to: server.address)
            let body = try #require(try server.admin("/status?connections=5")).body
            #expect(body.contains("\"peer_id\":\"\(alice.id)\""))
        }
    }
}
