// `apus config`, `apus check`, `apus serve --config`, and the section `client`: what they print and how they end.

import Foundation
import Glibc
import TestSupport
import Testing

@Suite struct ConfigurationVerbTests {
    /// In a folder that is gone after the test.
    private let scratch: TemporaryFolder

    init() throws { scratch = try TemporaryFolder() }

    private func file(_ text: String, name: String = "apus.toml") throws -> String {
        let path = scratch.file(name)
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        return path
    }

    // MARK: config

    @Test func thePageIsWhatTheVerbPrints() async throws {
        let page = UsageTests.repository.appendingPathComponent("docs/configuration.md")
        let docs = try await Command.run("config", "docs")
        #expect(docs.status == 0)
        let hint: Comment = "run: apus config docs > docs/configuration.md"
        #expect(docs.text == (try String(contentsOf: page, encoding: .utf8)), hint)
    }

    @Test func theDefaultFileIsChecked() async throws {
        let printed = try await Command.run("config", "default")
        let path = try file(printed.text)
        let check = try await Command.run("check", "--config", path, "--address", "unix:\(scratch.file("s"))")
        #expect((check.status, check.complaint) == (0, ""))
        #expect(check.lines.last == "\(path): ok")
        #expect(check.text.contains("memory of a shard: at most "))
        #expect(!FileManager.default.fileExists(atPath: scratch.file("s")))
    }

    @Test func originsAreShown() async throws {
        let secret = "[handshake]\npsk = \"0123456789abcdef\"\n"
        let path = try file("[server]\nshards = 2\nmax_connections = 7\n" + secret)
        let shown = try await Command.run(
            ["config", "show", "--origin", "--config", path, "--max-connections", "8"],
            environment: ["APUS_SERVER_IDLE_TIMEOUT": "5m"])
        #expect(shown.lines.contains("server.shards = 2  # \(path):2"))
        #expect(shown.lines.contains("server.max_connections = 8  # --max-connections"))
        #expect(shown.lines.contains("server.idle_timeout = \"300s\"  # APUS_SERVER_IDLE_TIMEOUT"))
        #expect(shown.lines.contains("server.unknown_command = \"silence\"  # default"))
        #expect(shown.lines.contains("handshake.psk = \"***\"  # \(path):5"))
        #expect(!shown.text.contains("0123456789abcdef"))
    }

    @Test func theVariableNamesTheFile() async throws {
        let path = try file("[server]\nshards = 2\n")
        let shown = try await Command.run(["config", "show", "--json"], environment: ["APUS_CONFIG": path])
        let settings = try #require(try shown.object()["settings"] as? [[String: String]])
        #expect(settings.contains { $0["path"] == "server.shards" && $0["value"] == "2" })
    }

    // MARK: check

    @Test func allErrorsAreToldWithTheirLines() async throws {
        let path = try file("[server]\nshards = 0\nshart = 1\n[logging]\nlog_level = \"loud\"\n")
        for verb in [["check"], ["serve"], ["config", "show"]] {
            let finished = try await Command.run(verb + ["--config", path, "--shutdown-timeout", "0ms"])
            #expect((finished.status, finished.text) == (3, ""), "\(verb)")
            for problem in [
                "apus: \(path):2: server.shards: 1 to 256, found 0\n",
                "apus: \(path):3: server.shart: no such key: did you mean shards?\n",
                "apus: \(path):5: logging.log_level: ",
                "apus: --shutdown-timeout: server.shutdown_timeout: 1ms to 86400s, found 0ms\n",
            ] { #expect(finished.complaint.contains(problem), "\(verb): \(finished.complaint)") }
        }
    }

    @Test func strictRefusesWarnings() async throws {
        let path = try file("[transport]\ncompression_level = 22\n")
        let here = ["--address", "unix:\(scratch.file("s"))"]
        #expect(try await Command.run(["check", "--config", path] + here).status == 0)
        let strict = try await Command.run(["check", "--strict", "--config", path] + here)
        #expect(strict.status == 3)
        #expect(strict.complaint.contains("\(path):2: warning: transport.compression_level: 22 counts as 19"))
    }

    @Test func whatIsServedIsToldAndWhatIsTakenCannotBeBound() async throws {
        let serving = try await blocking { try ServingCommand("--address", "unix:\(scratch.file("s"))") }
        for address in [serving.address, "unix:\(scratch.file("s"))"] {
            let check = try await Command.run("check", "--address", address)
            #expect(check.status == 0, "\(check.complaint)")
            #expect(check.text.contains("\(address) is held by a running apus (process \(serving.command.processID))"))
        }
        _ = try await blocking { serving.stop() }
        let taken = try TakenPort()
        let check = try await Command.run("check", "--address", "127.0.0.1:\(taken.port)", "--json")
        #expect(check.status == 4)
        #expect(try check.object()["ok"] as? Bool == false)
    }

    /// The last export reads the exporter's own metrics: neither may wait for the other.
    @Test func aCollectorThatIsNotThereKeepsNobodyFromEnding() async throws {
        let metrics = "otlp_address = \"http://127.0.0.1:9\"\notlp_interval = \"1s\"\notlp_timeout = \"1s\"\n"
        let path = try file("[metrics]\n" + metrics)
        let serving = try await blocking {
            try ServingCommand("--config", path, "--address", "unix:\(scratch.file("s"))")
        }
        let finished = try await blocking { serving.stop() }
        #expect(finished.status == 0)
    }

    @Test func placesThatCannotBeBound() async throws {
        try Data().write(to: URL(fileURLWithPath: scratch.file("file")))
        for (address, problem) in [
            ("unix:/nonexistent/s", "does not exist"), ("unix:\(scratch.file("file"))", "is no socket"),
            ("192.0.2.1:9000", "is no address of this host"),
        ] {
            let check = try await Command.run("check", "--address", address)
            #expect(check.status == 4)
            #expect(check.complaint.contains(problem), "\(check.complaint)")
        }
    }

    @Test func filesAreLookedAt() async throws {
        for name in ["a", "b"] {
            _ = try await Command.run("certs", "self-signed", name, "--san", "localhost", "--out", scratch.path)
        }
        let text = """
            [[listener]]
            address = "127.0.0.1:0"
            security = "tls"
            certificate = "\(scratch.file("a.pem"))"
            key = "\(scratch.file("b.key"))"
            [[listener]]
            name = "two"
            address = "127.0.0.1:0"
            psk_file = "/nonexistent/psk"
            """
        let path = scratch.file("apus.toml")
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        let check = try await Command.run("check", "--config", path)
        #expect(check.status == 3)
        #expect(check.complaint.contains("\(path):5: listener edge: key: private key"), "\(check.complaint)")
        #expect(check.complaint.contains("\(path):9: listener two: psk_file: /nonexistent/psk: cannot be read"))
    }

    @Test func digestsAreEqualForEqualConfigurations() async throws {
        let path = try file("[server]\naddress = \"127.0.0.1:0\"\nidle_timeout = 60000\n")
        let other = try file(
            "# the same\n[server]\nidle_timeout = \"1m\"\naddress = '127.0.0.1:0'\n", name: "other.toml")
        let digests = try await [path, other].asyncMap { path in
            try await Command.run("check", "--json", "--config", path).object()["digest"] as? String
        }
        #expect(digests[0] != nil && digests[0] == digests[1])
    }

    // MARK: serve

    @Test func aFileIsServed() async throws {
        let path = try file("")
        let text = """
            [server]
            shards = 1
            shutdown_timeout = "50ms"
            [[listener]]
            name = "one"
            address = "127.0.0.1:0"
            security = "none"
            [[listener]]
            name = "two"
            address = "unix:\(scratch.file("s"))"
            """
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        try await blocking {
            let running = try RunningCommand(["serve", "--config", path])
            let lines = running.lines(2)
            #expect(lines.last == "listening on unix:\(scratch.file("s")) (packet, handshake, 1 shard)")
            let peer = try Peer(to: String(lines[0].split(separator: " ")[2]))
            #expect(try peer.request(.echo("a")) == .echo("a"))
            running.signal(SIGTERM)
            let finished = running.finish()
            #expect(finished.status == 6)
            #expect(finished.complaint.contains("draining for at most 50ms"))
            peer.close()
        }
    }

    @Test func anInheritedFileAndItsVariablesAreServed() async throws {
        let path = try file("[server]\nmax_connections = 5\n[transport]\nencryption_enabled = false\n")
        try await blocking {
            let running = try RunningCommand(
                ["serve", "--config", path], environment: ["NETWORK_PROTOCOL_SERVER_ADDRESS": "127.0.0.1:0"])
            #expect(running.lines(1).first?.contains("(packet, none, ") == true)
            running.signal(SIGTERM)
            #expect(running.finish().status == 0)
        }
    }

    // MARK: client

    @Test func theClientSectionSaysWhereAndHowLong() async throws {
        let serving = try await blocking { try ServingCommand() }
        let text = "[client]\naddress = \"\(serving.address)\"\nresponse_timeout = 50\n"
        let path = try file(text + "[transport]\nencryption_enabled = false\n")
        let ping = try await Command.run("ping", "--count", "1", "--config", path)
        #expect(ping.status == 0)
        #expect(ping.text.contains("pong from \(serving.address)"))
        let send = try await Command.run("send", "--command", "NOBODY", "--config", path)
        #expect((send.status, send.complaint.contains("within 50ms")) == (1, true), "\(send.complaint)")
        _ = try await blocking { serving.stop() }
    }

    @Test func aLostConnectionIsMadeAgainUnlessThatIsOff() async throws {
        let address = "unix:\(scratch.file("s"))"
        try await blocking {
            let first = try ServingCommand(address: address)
            let arguments = ["ping", "--security", "none", "--address", address, "--count", "30", "--interval", "100ms"]
            let environment = ["APUS_CLIENT_RECONNECT_DELAY": "300ms", "APUS_CLIENT_MAX_RECONNECT_ATTEMPTS": "1000"]
            let off = try RunningCommand(
                ["ping", "--security", "none", "--address", address, "--count", "1000", "--interval", "100ms"],
                environment: ["APUS_CLIENT_AUTO_RECONNECT": "false"])
            #expect(!off.lines(1).isEmpty)
            // Last: it is done after three seconds, and the server has to end before.
            let steady = try RunningCommand(arguments, environment: environment)
            #expect(!steady.lines(1).isEmpty)
            _ = first.stop()
            let second = try ServingCommand(address: address)
            let finished = steady.finish()
            #expect(finished.status == 0, "\(finished.complaint)")
            #expect(finished.complaint.contains("connecting again, attempt 1 of 1000"))
            #expect(off.finish().status == 1)
            _ = second.stop()
        }
    }
}

/// A port that this process listens on.
private final class TakenPort {
    private let descriptor: Int32
    let port: UInt16

    struct NoPort: Error {}

    init() throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(INADDR_LOOPBACK).bigEndian
        var count = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = descriptor
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, count) | listen(descriptor, 1) | getsockname(descriptor, address, &count)
            }
        }
        port = UInt16(bigEndian: address.sin_port)
        guard result == 0 else { throw NoPort() }
    }

    deinit { close(descriptor) }
}

extension Array {
    fileprivate func asyncMap<Result>(_ body: (Element) async throws -> Result) async throws -> [Result] {
        var results: [Result] = []
        for element in self { results.append(try await body(element)) }
        return results
    }
}
