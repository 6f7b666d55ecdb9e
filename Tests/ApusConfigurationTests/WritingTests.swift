// Saving, showing, digests, reload reports.

import ApusConfiguration
import ConfigurationSamples
import Foundation
import TestSupport
import Testing

@Suite struct WritingTests {
    private static let full = """
        [[listener]]
        name = "edge"
        address = "127.0.0.1:1"
        psk = "a secret of 30 bytes or so…"

        [[listener]]
        name = "adm"
        protocol = "admin"
        address = "unix:/tmp/a \\"quoted\\" \\\\ path.sock"

        [server]
        shards = "auto"
        idle_timeout = "off"
        heartbeat_interval = 1500
        memory_budget = "512MiB"
        system_aliases = true

        [metrics]
        resource_attributes = ["a=b", "c=d=\\u0001"]
        """

    // MARK: Saving

    @Test(arguments: [full, "", "[server]\naddress = \"127.0.0.1:5\"\n", "[admin]\nenabled = true\n"])
    func whatIsSavedIsReadAgain(text: String) throws {
        let folder = try TemporaryFolder()
        let configuration = try read(text).configuration
        let path = folder.file("saved.toml")
        try configuration.save(to: path)
        let again = try Configuration.load(file: path)
        #expect(again.digest == configuration.digest)
        #expect(again.toml == configuration.toml)
        #expect(again.listeners.map(\.name) == configuration.listeners.map(\.name))
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
    }

    @Test func flagsAreSavedToo() throws {
        var overrides = Overrides()
        overrides.addresses = ["127.0.0.1:8", "127.0.0.1:9"]
        overrides.security = "none"
        overrides.set(ServerKeys.shards, to: .integer(3))
        let configuration = try read("", overrides: overrides).configuration
        let again = try read(configuration.toml).configuration
        #expect(again.digest == configuration.digest)
    }

    /// Every option alone.
    @Test func eachOptionSurvivesSaving() throws {
        for row in OptionTable.all where row.section != .listener {
            let configuration = try read(row.file(row.sample.toml)).configuration
            let again = try read(configuration.toml).configuration
            #expect(again.value(of: row) == configuration.value(of: row), "\(row.path)")
        }
    }

    @Test func aFileThatCannotBeWrittenIsTold() {
        #expect(throws: ConfigurationError.self) { try Configuration().save(to: "/nonexistent/apus.toml") }
    }

    // MARK: Secrets

    @Test func secretsAreNotShown() throws {
        let configuration = try read(Self.full).configuration
        let shown = configuration.shown.map { "\($0.path) \($0.value) \($0.origin)" }.joined()
        #expect(!shown.contains("30 bytes"))
        #expect(shown.contains("listener.edge.psk \"***\""))
        let other = try read(Self.full.replacing("30 bytes", with: "31 bytes")).configuration
        #expect(other.digest == configuration.digest)
        #expect(!"\(ReloadReport(from: configuration, to: other))".contains("bytes"))
        #expect(ReloadReport(from: configuration, to: other).changed.map(\.path) == ["listener.edge.psk"])
    }

    @Test(arguments: [(0o600, 0), (0o644, 1)])
    func aSecretThatOthersMayReadIsAWarning(mode: Int, count: Int) throws {
        let folder = try TemporaryFolder()
        let path = folder.file("apus.toml")
        try Data(Self.full.utf8).write(to: URL(fileURLWithPath: path))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        let problems = ConfigurationSources(file: path).read().problems.filter { $0.reason.contains("chmod 600") }
        #expect(problems.count == count)
    }

    @Test func aBadSecretIsNotShown() throws {
        let problems = try read("[handshake]\npsk = \"hush\"").problems
        #expect(problems.errors.count == 1)
        #expect(!problems.texts.joined().contains("hush"))
        let variable = ConfigurationSources(environment: ["APUS_HANDSHAKE_PSK": "hush"]).read().problems
        #expect(!variable.texts.joined().contains("hush"))
    }

    // MARK: Digest

    @Test func theDigestIsOfWhatIsEffective() throws {
        let standard = Configuration().digest
        #expect(standard.count == 64)
        for row in OptionTable.all where row.section != .listener {
            #expect(try read(row.file(row.sample.toml)).configuration.digest != standard, "\(row.path)")
        }
    }

    // MARK: Reload

    @Test func theReportSaysWhatAReloadDoes() throws {
        func configuration(_ shards: Int, _ idle: String, _ level: String) throws -> Configuration {
            let server = "[server]\nshards = \(shards)\nidle_timeout = \"\(idle)\"\n"
            return try read(server + "[logging]\nlog_level = \"\(level)\"\n").configuration
        }
        let old = try configuration(2, "1m", "info")
        var new = try configuration(3, "2m", "debug")
        try new.set(TransportKeys.maxPayloadSize, to: .byteCount(8 << 20))
        #expect("\(ReloadReport(from: old, to: new))" == """
            server.shards: 2 → 3 (needs restart)
            server.idle_timeout: "60s" → "120s" (applied)
            transport.max_payload_size: "16MiB" → "8MiB" (applied to new connections)
            logging.log_level: "info" → "debug" (applied)
            """)
        let grown = ReloadReport(from: old, to: new, needingRestart: ["idle_timeout", "max_connections"])
        #expect(grown.needsRestart.map(\.path) == ["server.shards", "server.idle_timeout"])
        #expect("\(ReloadReport(from: old, to: old))" == "nothing changed")
        #expect(ReloadReport(from: old, to: old).entries.allSatisfy { $0.outcome == .unchanged })
    }

    /// What waits for a restart waits through every reload, and no longer once the old value is back.
    @Test func whatNeedsARestartIsComparedWithTheStart() throws {
        let started = try read("[server]\nshards = 2\nidle_timeout = \"1m\"\n").configuration
        let next = try read("[server]\nshards = 3\nidle_timeout = \"2m\"\n").configuration
        let again = ReloadReport(from: next, to: next, startedWith: started)
        #expect("\(again)" == "server.shards: 2 → 3 (needs restart)")
        let back = ReloadReport(from: next, to: started, startedWith: started)
        #expect(back.changed.map(\.path) == ["server.idle_timeout"])
        let grown = ReloadReport(from: next, to: next, startedWith: started, needingRestart: ["idle_timeout"])
        #expect(grown.needsRestart.map(\.path) == ["server.shards", "server.idle_timeout"])
    }

    @Test func everyOptionIsReportedByItsClass() throws {
        for row in OptionTable.all where row.section != .listener {
            let new = try read(row.file(row.sample.toml)).configuration
            let entry = ReloadReport(from: Configuration(), to: new).changed.first { $0.path == row.path }
            let expected: ReloadReport.Outcome =
                switch row.reload {
                case .live, .eachRun: .applied
                case .newConnections: .appliedToNewConnections
                case .restart: .needsRestart
                }
            #expect(entry?.outcome == expected, "\(row.path)")
        }
    }

    @Test func listenersComeAndGoByName() throws {
        func listener(_ name: String, _ port: Int, _ rest: String = "") -> String {
            "[[listener]]\nname = \"\(name)\"\naddress = \"127.0.0.1:\(port)\"\n\(rest)\n"
        }
        let old = try read(listener("a", 1) + listener("b", 2)).configuration
        let new = try read(listener("b", 3, "security = \"none\"") + listener("c", 4)).configuration
        #expect(ReloadReport(from: old, to: new).changed.map { "\($0.path) \($0.outcome.rawValue)" } == [
            "listener.a applied", "listener.b.address applied", "listener.b.security applied to new connections",
            "listener.c applied",
        ])
    }
}
