// `apus bench` against `apus serve` with a relay: what scripts read, and what people do.

import Glibc
import TestSupport
import Testing

@Suite struct BenchRelayTests {
    private static let secret = "0123456789abcdef0123456789abcdef"

    /// A relay on two shards, and the flags by which the generator finds it.
    private func serve() throws -> (command: RunningCommand, flags: [String]) {
        let command = try RunningCommand([
            "serve", "--relay", "-l", "127.0.0.1:0", "-H", "127.0.0.1:0", "--metrics-port", "0", "--shards", "2",
            "-e", "relay.example.com:80", "-s", BenchRelayTests.secret,
        ])
        let address = command.lines(1).first?.split(separator: " ").dropFirst(2).first.map(String.init) ?? ""
        let access = ["--address", address, "--auth-secret", BenchRelayTests.secret]
        return (command, access + ["--server-pid", "\(command.processID)"])
    }

    private func stop(_ command: RunningCommand) {
        command.signal(SIGTERM)
        #expect(command.finish().status == 0)
    }

    @Test func whatScriptsRead() async throws {
        let (command, flags) = try await blocking { try serve() }
        let object = try await Command.run(
            ["bench", "relay", "--pairs", "2", "--window", "4", "--size", "16", "--seconds", "0.2", "--json"] + flags
                + ["--exposed", "rel://relay.example.com:80"]
        ).object()
        #expect(object["kind"] as? String == "relay" && object["direction"] as? String == "one")
        let (sent, delivered) = (object["sent"] as? Int ?? 0, object["delivered"] as? Int ?? 0)
        #expect(delivered > 0 && sent == delivered + (object["lost"] as? Int ?? -1))
        #expect((object["errors"] as? [String: Int])?.values.reduce(0, +) == 0)
        #expect((object["server"] as? [String: Any])?["cpu_us_per_message"] != nil)
        let idle = try await Command.run(
            ["bench", "idle", "--session", "relay", "--connections", "30", "--baseline", "10", "--json"] + flags
        ).object()
        #expect(idle["session"] as? String == "relay" && idle["alive"] as? Int == 30)
        try await blocking { stop(command) }
    }

    @Test func itSpeaksToPeopleToo() async throws {
        let (command, flags) = try await blocking { try serve() }
        let placed = ["--placement", "different", "--pairs", "2", "--both-ways"]
        for more in [["--rate", "1000"], placed] {
            let relay = try await Command.run(
                ["bench", "relay", "--seconds", "0.2", "--warmup", "0"] + more + flags)
            #expect((relay.status, relay.complaint) == (0, ""))
            #expect(relay.lines.contains { $0.hasPrefix("delivered ") })
            #expect(relay.lines.contains { $0.hasPrefix("in all ") })
            #expect(relay.lines.contains { $0.hasPrefix("open loop ") } == more.contains("--rate"))
        }
        let login = try await Command.run(["bench", "connect", "--session", "relay", "--seconds", "0.2"] + flags)
        #expect((login.status, login.complaint) == (0, ""))
        #expect(login.lines.contains { $0.hasPrefix("logins ") })
        try await blocking { stop(command) }
    }
}
