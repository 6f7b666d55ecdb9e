// Files, environment and flags together: who has the last word, and what is said about mistakes.

import ApusConfiguration
import Foundation
import TestSupport
import Testing

@Suite struct LoadingTests {
    // MARK: Order

    @Test func flagsBeatTheEnvironmentAndThatBeatsTheFile() throws {
        let text = "[server]\nshards = 2\nmax_connections = 20\nbackpressure_limit = 7\n"
        var overrides = Overrides()
        overrides.set(ServerKeys.shards, to: .integer(4))
        let environment = ["APUS_SERVER_SHARDS": "3", "APUS_SERVER_MAX_CONNECTIONS": "30"]
        let (configuration, problems) = try read(text, environment: environment, overrides: overrides)
        #expect(problems.isEmpty)
        #expect(configuration[ServerKeys.shards] == 4)
        #expect(configuration.origin(of: ServerKeys.shards) == .flag(name: "--shards"))
        #expect(configuration[ServerKeys.maxConnections] == 30)
        #expect(configuration[ServerKeys.backpressureLimit] == 7)
        #expect(configuration[ServerKeys.idleTimeout] == nil)
        #expect(configuration.origin(of: ServerKeys.idleTimeout) == .standard)
    }

    @Test func ourVariablesBeatTheInheritedOnes() {
        let environment = [
            "NETWORK_PROTOCOL_CONNECTION_TIMEOUT_MS": "1000", "NETWORK_PROTOCOL_SERVER_CONNECTION_TIMEOUT": "2s",
            "APUS_CLIENT_CONNECTION_TIMEOUT": "3s",
        ]
        let configuration = ConfigurationSources(environment: environment).read().configuration
        #expect(configuration[ServerKeys.connectionTimeout] == .seconds(2))
        #expect(configuration[ClientKeys.connectionTimeout] == .seconds(3))
    }

    @Test func theFourInheritedVariablesMeanWhatTheyMeant() {
        let environment = [
            "NETWORK_PROTOCOL_SERVER_ADDRESS": "127.0.0.1:4711", "NETWORK_PROTOCOL_BACKPRESSURE_LIMIT": "64",
            "NETWORK_PROTOCOL_CONNECTION_TIMEOUT_MS": "2500", "NETWORK_PROTOCOL_HEARTBEAT_INTERVAL_MS": "7500",
        ]
        let (configuration, problems) = ConfigurationSources(environment: environment).read()
        #expect(problems.isEmpty)
        #expect(configuration.listeners.map(\.address) == ["127.0.0.1:4711"])
        #expect(configuration[ServerKeys.backpressureLimit] == 64)
        #expect(configuration[ServerKeys.connectionTimeout] == .milliseconds(2500))
        #expect(configuration[ClientKeys.connectionTimeout] == .milliseconds(2500))
        #expect(configuration[ServerKeys.heartbeatInterval] == .milliseconds(7500))
        #expect(configuration[ClientKeys.heartbeatInterval] == .seconds(15))
    }

    @Test func anEmptyVariableIsUnset() {
        let problems = ConfigurationSources(environment: ["APUS_SERVER_SHARDS": ""]).read().problems
        #expect(problems.isEmpty)
    }

    @Test func aVariableThatIsNoOptionsIsAWarning() {
        let problems = ConfigurationSources(environment: ["APUS_SERVER_SHARD": "2", "APUS_OTHER": "1"]).read().problems
        #expect(problems.texts == [
            "APUS_SERVER_SHARD: warning: no option has this variable: did you mean APUS_SERVER_SHARDS?"
        ])
    }

    // MARK: Quantities

    @Test(arguments: [
        ("250", Duration.milliseconds(250)), ("\"250ms\"", .milliseconds(250)), ("\"5s\"", .seconds(5)),
        ("\"2m\"", .seconds(120)), ("\"1h\"", .seconds(3600)), ("\"250\"", .milliseconds(250)),
    ])
    func durations(toml: String, duration: Duration) throws {
        #expect(try read("[server]\nidle_timeout = \(toml)").configuration[ServerKeys.idleTimeout] == duration)
    }

    @Test(arguments: ["-1", "1.5", "\"5 s\"", "\"s\"", "\"\"", "\"99999999999999999999s\"", "\"9223372036854775807m\""])
    func noDurations(toml: String) throws {
        #expect(try read("[server]\nidle_timeout = \(toml)").problems.count == 1)
    }

    @Test(arguments: [("4096", 4096), ("\"64KiB\"", 64 << 10), ("\"1MiB\"", 1 << 20)])
    func sizes(toml: String, byteCount: Int) throws {
        let configuration = try read("[transport]\nmax_payload_size = \(toml)").configuration
        #expect(configuration[TransportKeys.maxPayloadSize] == byteCount)
    }

    @Test func off() throws {
        let configuration = try read("[server]\nheartbeat_interval = \"off\"").configuration
        #expect(configuration[ServerKeys.heartbeatInterval] == nil)
    }

    // MARK: Mistakes

    @Test func oneSyntaxErrorStandsAlone() throws {
        let problems = try read("[server]\nshard = 2\nmax_connections = \nidle_timeout = 0\n").problems
        #expect(problems.count == 1)
        #expect(problems.texts[0].hasPrefix("apus.toml:3: not TOML: "), "\(problems.texts)")
    }

    @Test func allOtherErrorsAreToldAtOnceInTheOrderOfTheFile() throws {
        let text = """
            [transport]
            max_payload_size = 0

            [sever]
            x = 1

            [server]
            shards = 0
            max_conections = 5
            idle_timeout = true
            log_level = "info"
            """
        let environment = ["APUS_LOGGING_LOG_LEVEL": "loud"]
        #expect(try read(text, environment: environment).problems.texts == [
            "apus.toml:2: transport.max_payload_size: 1 to 16777216, found 0",
            "apus.toml:4: sever: no such section: did you mean [server]?",
            "apus.toml:8: server.shards: 1 to 256, found 0",
            "apus.toml:9: server.max_conections: no such key: did you mean max_connections?",
            "apus.toml:10: server.idle_timeout: \"off\", or a duration such as \"250ms\", \"5s\" or milliseconds, "
                + "1ms to 86400s, found a boolean",
            "apus.toml:11: server.log_level: no such key here: did you mean logging.log_level, in the section "
                + "[logging]?",
            "APUS_LOGGING_LOG_LEVEL: logging.log_level: one of \"trace\", \"debug\", \"info\", \"notice\", \"warn\", "
                + "\"warning\", \"error\", \"critical\", "
                + "found \"loud\"",
        ])
    }

    @Test func aFileThatIsNotThere() {
        let problems = ConfigurationSources(file: "/nonexistent/apus.toml").read().problems
        #expect(problems.texts == ["/nonexistent/apus.toml: cannot be read: is it there, and may you read it?"])
    }

    @Test(arguments: [
        ("a\0b = 1\n", "apus.toml:1: not TOML: a zero byte"),
        ("\n[tls]\nkey = \"a\\u0000b\"\n", "apus.toml:3: a string with a zero byte in it: leave it out"),
    ])
    func zerosAreNotCutOff(text: String, problem: String) throws {
        #expect(try read(text).problems.texts.contains(problem))
    }

    @Test(arguments: [
        ("server = 1", "apus.toml:1: server: a table, found an integer: write [server]"),
        ("[listener]\nname = \"a\"", "apus.toml:1: listener: write [[listener]], once for each"),
        ("listener = [1]", "apus.toml:1: listener: a table, found an integer"),
        ("shards = 2", "apus.toml:1: shards: no such section: did you mean server.shards?"),
        ("[[listener]]\npins = []", "apus.toml:2: listener.pins: no such key: did you mean pinned_sha256 (TLS) or "
            + "pinned_keys (handshake)?"),
        ("[[listener]]\nprotocol = \"hub\"", "apus.toml:2: listener.protocol: hub is not in this version: it is "
            + "reserved; use packet, relay or admin"),
    ])
    func shapesThatAreNone(text: String, problem: String) throws {
        let texts = try read(text).problems.texts
        #expect(texts.contains(problem), "\(texts)")
    }

    // MARK: Inherited files

    private static let inherited = """
        [server]
        address = "127.0.0.1:9000"
        backpressure_limit = 32
        connection_timeout = 5000
        heartbeat_interval = 15000
        shutdown_timeout = 10000
        max_connections = 1000

        [client]
        address = "127.0.0.1:9000"
        connection_timeout = 5000
        operation_timeout = 3000
        response_timeout = 30000
        heartbeat_interval = 15000
        auto_reconnect = true
        max_reconnect_attempts = 3
        reconnect_delay = 1000

        [transport]
        compression_enabled = false
        encryption_enabled = true
        max_payload_size = 16777216
        compression_level = 6
        compression_threshold_bytes = 512

        [logging]
        app_name = "network-protocol"
        log_level = "info"
        log_to_console = true
        log_to_file = false
        json_format = false
        """

    @Test func anInheritedFileIsOnePacketListener() throws {
        let (configuration, problems) = try read(Self.inherited)
        #expect(problems.isEmpty)
        #expect(configuration.listeners.map(\.name) == ["edge"])
        #expect(configuration.listeners.map(\.security) == [.handshake])
        #expect(configuration[ClientKeys.responseTimeout] == .seconds(30))
        #expect(configuration[ServerKeys.maxConnections] == 1000)
    }

    /// Each line of it alone, and each section without one of its lines.
    @Test func anyPartOfAnInheritedFileIsValid() throws {
        var section = ""
        for line in Self.inherited.split(separator: "\n").map(String.init) {
            if line.hasPrefix("[") { section = line } else {
                #expect(try read("\(section)\n\(line)\n").problems.isEmpty, "\(line)")
                let rest = Self.inherited.replacing(line, with: "")
                #expect(try read(rest).problems.errors.isEmpty, "without \(line)")
            }
        }
    }

    // MARK: Nothing crashes it

    @Test func randomTextsAreReadOrRefused() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("LoadingTests seed \(seed)")
        var random = SeededGenerator(seed: seed)
        let rounds = ProcessInfo.processInfo.environment["APUS_TEST_ROUNDS"].flatMap { Int($0) } ?? 400
        for _ in 0..<rounds { _ = try read(RandomTOML.text(&random)) }
    }
}

/// Texts that look like configurations, and are damaged.
private enum RandomTOML {
    private static let pieces = [
        "[server]\n", "[[listener]]\n", "[listener]\n", "[tls", "]]\n", "shards", "name", " = ", "=", "\"edge\"", "'x'",
        "\"\"\"", "'''", "\n", "#", "1", "-0x", "1e999", "true", "[", "]", "{", "}", ",", ".", "\\u0000", "\\", "\u{0}",
        "\u{FEFF}", "é", "1979-05-27T07:32:00Z", "nan", "99999999999999999999", "address", "\"127.0.0.1:1\"", "\t",
        "\r\n",
        "a.b.c = 1\n", "\"quoted key\" = 1\n", "compression = [\"lz4\"]\n", "security = \"tls\"\n",
    ]

    static func text(_ random: inout SeededGenerator) -> String {
        var text = Bool.random(using: &random) ? DefaultFile.text.replacing("\n#", with: "\n") : ""
        if !text.isEmpty { text = String(text.prefix(Int.random(in: 0..<text.count, using: &random))) }
        for _ in 0..<Int.random(in: 0..<30, using: &random) { text += pieces.randomElement(using: &random) ?? "" }
        return text
    }
}
