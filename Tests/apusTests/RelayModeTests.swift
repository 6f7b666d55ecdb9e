// `apus serve --relay` as a process: what it announces, what it answers, what it refuses, and `apus peers` beside it.

import Foundation
import Glibc
import TestSupport
import Testing

@testable import apus

@Suite struct RelayModeTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private var control: String { "unix:" + folder.file("c.sock") }

    /// On free ports of the loopback, with a control socket.
    private func serve(
        _ arguments: String..., environment: [String: String] = [:], lines: Int = 3
    ) throws -> (command: RunningCommand, lines: [String]) {
        let common = [
            "serve", "--relay=true", "-l", "127.0.0.1:0", "-H=127.0.0.1:0", "--shards", "1", "--admin",
            "--admin-address", "off", "--control-socket", control,
        ]
        let command = try RunningCommand(common + arguments, environment: environment)
        return (command, command.lines(lines))
    }

    private static let needed = ["--exposed-address", "relay.example.com:443", "--auth-secret=0123456789abcdef"]

    // MARK: Serving

    @Test func itAnnouncesAndAnswersAsItsRelativesDo() async throws {
        try await blocking {
            let environment = ["NB_AUTH_SECRET": "0123456789abcdef", "OZ_METRICS_PORT": "0"]
            let (command, lines) = try serve("-e", "relay.example.com:443", environment: environment)
            #expect(lines.first?.hasSuffix(" (relay, none, 1 shard)") == true, "\(lines)")
            #expect(lines.dropFirst().allSatisfy { $0.hasSuffix(" (admin, none, 1 shard)") })
            // The relay, the metrics on every interface, and last the health.
            let addresses = command.lines(5).map { String($0.split(separator: " ")[2]) }
            let health = try #require(addresses.last { $0.hasPrefix("127.0.0.1:") })
            let metrics = try #require(addresses.first { $0.hasPrefix("0.0.0.0:") })
            try expectHealth(at: health)
            try expectMetrics(at: metrics.replacing("0.0.0.0", with: "127.0.0.1"))
            command.signal(SIGTERM)
            #expect(command.finish().status == 0)
        }
    }

    private func expectHealth(at address: String) throws {
        let body = try get("/health", address)
        let object = try #require(try JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: Any])
        #expect(Set(object.keys) == ["status", "timestamp", "listeners", "certificate_valid"])
        #expect(object["status"] as? String == "healthy")
        #expect(object["listeners"] as? [String] == ["ws"])
        #expect(object["certificate_valid"] as? Bool == true)
        let time = try #require(object["timestamp"] as? String)
        #expect(time.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/) != nil)
        #expect(throws: StatusUnreachable.self) { try get("/metrics", address) }
    }

    private func expectMetrics(at address: String) throws {
        let text = try get("/metrics", address)
        for line in [
            "relay_peers{transport=\"ws\"} 0", "relay_peers_active 0", "relay_peers_idle 0",
            "relay_transfer_sent_bytes_total 0", "relay_peer_authentication_time_milliseconds_bucket{le=\"0.1\"} 0",
            "relay_peer_store_time_milliseconds_bucket{le=\"10000\"} 0",
            "apus_relay_logins_refused_total{reason=\"expired\"} 0", "# TYPE relay_peers_idle gauge",
        ] { #expect(text.contains("\n\(line)\n"), "\(line)") }
        for path in ["/status", "/", "/health", "/livez"] {
            #expect(throws: StatusUnreachable.self) { try get(path, address) }
        }
    }

    private func get(_ path: String, _ address: String) throws -> String {
        String(decoding: try StatusConnection(to: address).get(path), as: UTF8.self)
    }

    // MARK: Tokens

    @Test func anOpenRelaySaysSoLoudly() async throws {
        try await blocking {
            let (command, lines) = try serve(
                "-e", "x:1", "--metrics-port=0", "--insecure-allow-any-token=true", lines: 1)
            #expect(lines.first?.hasSuffix(" (relay, none, 1 shard, ANY TOKEN)") == true, "\(lines)")
            command.signal(SIGTERM)
            let complaint = command.finish().complaint
            #expect(complaint.contains("relay.insecure_allow_any_token: ANYBODY MAY CONNECT AS ANY PEER"))
        }
    }

    @Test func aSecretFileIsReadAndItsModeIsLookedAt() async throws {
        let path = folder.file("secret")
        try Data("0123456789abcdef\n".utf8).write(to: URL(fileURLWithPath: path))
        let check = ["check", "--relay", "-e", "x:1", "--auth-secret-file", path, "-l", "127.0.0.1:0"]
        let open = try await Command.run(check + ["--metrics-port", "0", "-H", "127.0.0.1:0"])
        #expect(open.status == 3)
        #expect(open.complaint.contains("--auth-secret-file: relay.auth_secret_file: \(path): others may read it"))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        let closed = try await Command.run(check + ["--metrics-port", "0", "-H", "127.0.0.1:0"])
        #expect(closed.status == 0, "\(closed.complaint)")
        try Data("\n".utf8).write(to: URL(fileURLWithPath: path))
        let empty = try await Command.run(check)
        #expect(empty.status == 3 && empty.complaint.contains("1 to 4096 bytes of UTF-8"), "\(empty.complaint)")
    }

    /// Whoever replaces the file need not tell the server.
    @Test func aReplacedSecretIsTakenOver() async throws {
        let path = folder.file("secret")
        try write("0123456789abcdef", to: path)
        try await blocking {
            let (command, _) = try serve("-e", "x:1", "--metrics-port=0", "--auth-secret-file", path)
            try write("fedcba9876543210", to: path)
            usleep(1_500_000)
            command.signal(SIGTERM)
            let complaint = command.finish().complaint
            #expect(complaint.contains("a certificate, key or secret has changed: reloading"), "\(complaint)")
            #expect(complaint.contains("reload: nothing changed but what files hold"), "\(complaint)")
        }
    }

    private func write(_ text: String, to path: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
    }

    // MARK: Refusals

    @Test(arguments: [
        (["--letsencrypt-domains", "a.example"], "--letsencrypt-domains: certificates are not fetched here"),
        (["-d", "/x"], "--letsencrypt-data-dir: certificates"), (["--enable-stun"], "--enable-stun: there is no STUN"),
        (["--cluster-headless=relay"], "--cluster-headless: relays of this version form no cluster"),
        (["--listen-address", "relay.example.com:1"], "--listen-address: listener relay: address: "),
        (["-c", "/nonexistent"], "--tls-cert-file: tls.certificate: without its private key"),
        (["--metrics-port", "many"], "--metrics-port: a port"),
        (["--exposed-address", "http://x"], "--exposed-address: relay.exposed_address: the scheme is rel or rels"),
    ])
    func whatCannotBeDoneIsRefused(arguments: [String], problem: String) async throws {
        let finished = try await Command.run(["serve", "--relay"] + Self.needed + arguments)
        #expect((finished.status, finished.text) == (3, ""))
        #expect(finished.complaint.contains(problem), "\(finished.complaint)")
    }

    /// As templates write what nobody filled in.
    @Test func anEmptyFlagIsNotGiven() async throws {
        let empty = [
            "--trusted-proxies=", "--log-file=", "--letsencrypt-domains=", "--letsencrypt-data-dir", "",
            "--health-listen-address=", "--tls-cert-file=", "-k", "", "--log-level=", "--cluster-headless=",
        ]
        let shown = try await Command.run(["config", "show", "--origin", "--relay"] + Self.needed + empty)
        #expect((shown.status, shown.complaint) == (0, ""))
        #expect(shown.lines.contains("listener.health.address = \"0.0.0.0:9000\"  # --relay"), "\(shown.text)")
        let needed = try await Command.run("serve", "--relay", "--exposed-address=x:1", "--auth-secret=")
        #expect(needed.status == 3)
        #expect(needed.complaint.contains("relay.auth_secret: missing"), "\(needed.complaint)")
    }

    @Test func theRelativesFlagsNeedTheMode() async throws {
        let finished = try await Command.run("serve", "--metrics-port", "1")
        #expect(finished.status == 2)
        #expect(finished.complaint.contains("--metrics-port goes with --relay"))
    }

    @Test func whatIsEffectiveIsShown() async throws {
        let shown = try await Command.run(
            ["config", "show", "--origin", "--relay", "-e=x:1", "-s", "0123456789abcdef"],
            environment: ["OZ_LOG_LEVEL": "debug", "APUS_SERVER_MAX_CONNECTIONS": "9"])
        #expect(shown.lines.contains("relay.exposed_address = \"x:1\"  # --exposed-address"))
        #expect(shown.lines.contains("relay.auth_secret = \"***\"  # --auth-secret"))
        #expect(shown.lines.contains("logging.log_level = \"debug\"  # OZ_LOG_LEVEL"))
        #expect(shown.lines.contains("server.max_connections = 9  # APUS_SERVER_MAX_CONNECTIONS"))
        #expect(shown.lines.contains("server.max_connections_per_address = \"off\"  # --relay"))
        #expect(shown.lines.contains("listener.relay.address = \"0.0.0.0:443\"  # --relay"))
    }

    // MARK: Peers

    @Test func nobodyIsListedWhereNobodyIs() async throws {
        try await blocking {
            let (command, _) = try serve("-e", "x:1", "-s", "0123456789abcdef", "--metrics-port=0")
            let peers = try RunningCommand(["peers", "--control", control]).finish()
            #expect((peers.status, peers.text) == (0, "no peers\n"), "\(peers.complaint)")
            let object = try RunningCommand(["peers", "--control", control, "--json"]).finish().object()
            #expect(object["connected"] as? Int == 0 && (object["peers"] as? [Any])?.isEmpty == true)
            command.signal(SIGTERM)
            #expect(command.finish().status == 0)
        }
    }

    @Test func peersOfNobodyAreARuntimeFailure() async throws {
        let finished = try await Command.run("peers", "--control", control)
        #expect(finished.status == 1 && finished.complaint.contains("does the server run"))
        #expect(try await Command.run("peers", "--limit", "0").status == 2)
        #expect(try await Command.run("peers", "--sort", "colour").status == 2)
    }
}
