// What the command says when it is asked for help, or asked wrongly.

import Foundation
import Testing

@Suite struct UsageTests {
    static let verbs: [[String]] = [
        [], ["serve"], ["ping"], ["echo"], ["send"], ["bench"], ["bench", "packet"], ["bench", "relay"],
        ["bench", "connect"], ["bench", "idle"], ["certs"], ["certs", "ca"], ["certs", "node"],
        ["certs", "self-signed"], ["certs", "show"], ["certs", "identity"], ["version"], ["check"], ["config"],
        ["config", "default"], ["config", "docs"],
        ["config", "show"], ["top"], ["peers"], ["reload"], ["drain"], ["log-level"], ["upgrade"], ["doctor"],
        ["token"], ["token", "mint"], ["token", "check"],
    ]

    @Test(arguments: verbs)
    func everyVerbHasHelpWithAnExample(verb: [String]) async throws {
        let help = try await Command.run(verb + ["--help"])
        #expect((help.status, help.complaint) == (0, ""))
        #expect(help.lines.contains { $0.hasPrefix("  apus \(verb.joined(separator: " "))") })
    }

    /// Flags that are options are on the page of the options.
    @Test func theDocumentsNameEveryFlag() async throws {
        let document = try ["docs/cli.md", "docs/configuration.md"].map { page in
            try String(contentsOf: UsageTests.repository.appendingPathComponent(page), encoding: .utf8)
        }.joined()
        for verb in UsageTests.verbs {
            let help = try await Command.run(verb + ["--help"])
            for flag in help.text.matches(of: /--[a-z-]+/) {
                let isNamed = document.contains("`\(flag.output)")
                #expect(isNamed, "docs/cli.md and configuration.md lack \(flag.output) of \(verb)")
            }
        }
    }

    static let repository = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    @Test func theVersionIsANumber() async throws {
        let version = try await Command.run("version")
        #expect(version.status == 0)
        #expect(version.text.wholeMatch(of: /apus \d+\.\d+\.\d+\n/) != nil)
        let object = try await Command.run("version", "--json").object()
        #expect("apus \(object["version"] as? String ?? "")\n" == version.text)
    }

    @Test(arguments: [
        ["no-such-verb"], ["serve", "--no-such-flag"], ["serve", "stray"], ["echo"], ["send"], ["ping", "--count"],
        ["ping", "--count", "0"], ["ping", "--interval", "5q"], ["ping", "--timeout=-5s"], ["ping", "--timeout", "s"],
        ["ping", "--timeout", "99999999999999999999s"], ["ping", "--timeout", "9223372036854775807m"],
        ["serve", "--shards", "many"], ["serve", "--unknown-command", "shout"], ["serve", "--max-payload-size", "1MB"],
        ["bench", "idle"], ["bench", "packet", "--seconds", "long"], ["bench", "relay", "--placement", "elsewhere"],
    ])
    func whatCannotBeReadIsAUsageError(arguments: [String]) async throws {
        let finished = try await Command.run(arguments)
        #expect((finished.status, finished.text) == (2, ""))
        #expect(finished.complaint.contains("Error: "))
    }

    @Test(arguments: [["serve"], ["ping"], ["bench", "idle"]])
    func securityNamesWhatThereIs(verb: [String]) async throws {
        let finished = try await Command.run(verb + ["--security", "rot13"])
        #expect((finished.status, finished.text) == (2, ""))
        #expect(finished.complaint.contains("'rot13'"))
        for kind in ["none", "handshake", "tls"] { #expect(finished.complaint.contains(kind)) }
    }

    @Test(arguments: [
        (["serve", "--security", "tls"], "needs --tls-certificate and --tls-key"),
        (["serve", "--security", "tls", "--compression", "lz4"], "agreed on in NPRO's handshake"),
        (["serve", "--security", "none", "--compression", "zstd"], "agreed on in NPRO's handshake"),
        (["ping", "--tls", "--compression", "lz4"], "agreed on in NPRO's handshake"),
        (["echo", "x", "--security", "none", "--psk-file", "psk"], "--psk-file with --security none"),
        (["serve", "--verify-client"], "--verify-client with --security handshake"),
        (["ping", "--security", "none", "--pin", "00"], "--pin with --security none"),
        (["serve", "--security", "none", "--pin", "00"], "--pin with --security none"),
        (["serve", "--pin", "00"], "64 hexadecimal digits"),
        (["serve", "--psk-file", "/nonexistent/psk"], "cannot be read"),
        (["bench", "packet", "--compression", "lz4"], "the load generator has none"),
        (["bench", "relay", "--security", "handshake"], "relays speak TLS or nothing"),
        (["bench", "relay", "--auth-secret", "x", "--auth-secret-file", "y"], "give one of them"),
        (["bench", "relay", "--size", "8783"], "size is 8783"),
        (["bench", "relay", "--placement", "same"], "server-pid"),
        (["bench", "connect", "--exposed", "rel://x"], "add --session relay"),
        (["bench", "connect", "--session", "relay", "--resume"], "not with --session relay"),
        (["serve", "--max-handshake-rate", "0"], "max_handshake_rate"),
        (["serve", "--handshake-timeout", "0"], "handshake_timeout"),
    ])
    func whatCannotProtectIsAnInvalidConfiguration(arguments: [String], problem: String) async throws {
        let finished = try await Command.run(arguments)
        #expect((finished.status, finished.text) == (3, ""))
        #expect(finished.complaint.contains(problem), "\(finished.complaint)")
    }

    @Test(arguments: [
        (["--shards", "0"], "shards: 1 to 256, found 0"),
        (["--max-connections", "0"], "max_connections"),
        (["--address", "localhost"], "has no port"),
        (["--address", "unix:"], "names no path"),
        (["--address", "::1:9000"], "brackets"),
        // Two thousand minutes, so the unit was read.
        (["--connection-timeout", "2000m"], "found 120000s"),
        (["--idle-timeout", "0ms"], "idle_timeout"),
        (["--heartbeat-interval", "0"], "heartbeat_interval"),
        (["--shutdown-timeout", "172800s"], "shutdown_timeout"),
        (["--max-outstanding-bytes", "1KiB"], "max_outstanding_bytes: 4096 to"),
        (["--max-payload-size", "17MiB"], "found \(17 << 20)"),
    ])
    func whatCannotBeServedIsAnInvalidConfiguration(flags: [String], problem: String) async throws {
        let serve = try await Command.run(["serve"] + flags)
        #expect((serve.status, serve.text) == (3, ""))
        #expect(serve.complaint.contains(problem))
    }

    @Test func allProblemsAreToldTogether() async throws {
        let serve = try await Command.run("serve", "--shards", "0", "--max-connections", "0")
        #expect(serve.complaint.contains("shards"))
        #expect(serve.complaint.contains("max_connections"))
    }

    private static let connecting = [
        ["ping"], ["echo", "x"], ["send", "--command", "X"], ["bench", "packet"], ["bench", "connect"],
        ["bench", "relay"], ["bench", "connect", "--session", "relay"],
    ]

    @Test func anAddressThatCannotBeReadIsInvalidEverywhere() async throws {
        for verb in UsageTests.connecting {
            let finished = try await Command.run(verb + ["--address", "nowhere"])
            #expect(finished.status == 3, "\(verb)")
            #expect(finished.complaint.contains("nowhere"))
        }
    }

    @Test func nobodyListensIsARuntimeFailure() async throws {
        for verb in UsageTests.connecting {
            let finished = try await Command.run(verb + ["--address", "unix:/nonexistent/apus.sock"])
            #expect(finished.status == 1, "\(verb)")
            #expect(finished.complaint.contains("unix:/nonexistent/apus.sock"))
        }
    }
}
