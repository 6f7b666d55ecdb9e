// `apus serve --relay`: the relatives' flags and variables, in their order with the file and our own.

import ApusConfiguration
import TestSupport
import Testing

@Suite struct RelayModeTests {
    private static func overrides(_ flags: [String: String], hasIPv6: Bool = false) -> Overrides {
        var overrides = Overrides()
        var mode = RelayMode(hasIPv6: hasIPv6)
        for (name, text) in flags { mode.set(name, to: text) }
        overrides.relay = mode
        return overrides
    }

    private static let needed = ["exposed-address": "rels://relay.example.com", "auth-secret": "0123456789abcdef"]

    private func read(
        _ text: String = "", _ environment: [String: String] = [:], _ flags: [String: String] = [:],
        hasIPv6: Bool = false
    ) throws -> (configuration: Configuration, problems: [Problem]) {
        let all = Self.needed.merging(flags) { $1 }
        return try ApusConfigurationTests.read(
            text, environment: environment, overrides: Self.overrides(all, hasIPv6: hasIPv6))
    }

    private static func places(_ configuration: Configuration) -> [String] {
        configuration.listeners.map { "\($0.name) \($0.address)" }
    }

    // MARK: Defaults

    @Test func theDefaultsAreTheRelatives() throws {
        let (configuration, problems) = try read()
        #expect(problems.isEmpty, "\(problems.texts)")
        #expect(Self.places(configuration) == ["relay 0.0.0.0:443", "metrics 0.0.0.0:9090", "health 0.0.0.0:9000"])
        #expect(configuration.listeners.map { $0[ListenerKeys.answers] } == ["all", "metrics", "health"])
        #expect(configuration.relayInstanceURL == "rels://relay.example.com")
        #expect(configuration[DefenceKeys.maxConnectionsPerAddress] == nil)
        #expect(configuration[DefenceKeys.maxConnectionRatePerAddress] == nil)
        #expect(configuration[ServerKeys.maxConnections] == 65_536)
        #expect(configuration[ServerKeys.drainWindow] == .seconds(5))
        #expect(configuration[RelayKeys.livenessTimeout] == .seconds(45))
        // And nobody else's.
        #expect(Configuration()[ServerKeys.maxConnections] == 10_000)
        #expect(Configuration()[ServerKeys.drainWindow] == nil)
        #expect(Configuration().listeners.map(\.speaks) == [.packet])
    }

    @Test func everyInterfaceIsTwoListenersWhereThereIsIPv6() throws {
        let (configuration, problems) = try read("", [:], ["health-listen-address": "[::1]:9"], hasIPv6: true)
        #expect(problems.isEmpty, "\(problems.texts)")
        #expect(
            Self.places(configuration) == [
                "relay 0.0.0.0:443", "relay-ipv6 [::]:443", "metrics 0.0.0.0:9090", "metrics-ipv6 [::]:9090",
                "health [::1]:9",
            ])
    }

    /// As Go listens: for both families on either wildcard.
    @Test(arguments: [":5", "0.0.0.0:5", "[::]:5", "[0:0::0]:5", "[::ffff:0.0.0.0]:5"])
    func aWildcardIsEveryInterfaceOfBothFamilies(address: String) throws {
        let flags = ["listen-address": address, "health-listen-address": address.replacing(":5", with: ":6")]
        for (hasIPv6, places) in [
            (true, ["relay 0.0.0.0:5", "relay-ipv6 [::]:5", "health 0.0.0.0:6", "health-ipv6 [::]:6"]),
            (false, ["relay 0.0.0.0:5", "health 0.0.0.0:6"]),
        ] {
            let (configuration, problems) = try read("", [:], flags, hasIPv6: hasIPv6)
            #expect(problems.isEmpty, "\(problems.texts)")
            #expect(Self.places(configuration).filter { !$0.hasPrefix("metrics") } == places)
        }
    }

    // MARK: Each flag, and each variable of the same name

    /// A flag, its value, and a fact about what comes of it.
    private typealias Effect = @Sendable (Configuration) -> String
    private static let effects: [(flag: String, text: String, effect: Effect, is: String)] =
        [
            ("listen-address", "127.0.0.1:5", { $0.listeners[0].address }, "127.0.0.1:5"),
            ("listen-address", "localhost:5", { $0.listeners[0].address }, "127.0.0.1:5"),
            ("listen-address", ":5", { $0.listeners[0].address }, "0.0.0.0:5"),
            ("listen-address", "0.0.0.0:5", { $0.listeners[0].address }, "0.0.0.0:5"),
            ("listen-address", "[::]:5", { $0.listeners[0].address }, "0.0.0.0:5"),
            ("listen-address", "[::1]:5", { $0.listeners[0].address }, "[::1]:5"),
            ("exposed-address", "rels://a:1", { $0.relayInstanceURL ?? "" }, "rels://a:1"),
            ("auth-secret", "sixteen-or-more-bytes", { "\($0.relaySecret == .text("sixteen-or-more-bytes"))" }, "true"),
            ("tls-cert-file", "/c", { $0[TLSKeys.certificate] ?? "" }, "/c"),
            ("tls-key-file", "/k", { $0[TLSKeys.key] ?? "" }, "/k"),
            ("metrics-port", "7", { $0.listeners[1].address }, "0.0.0.0:7"),
            ("health-listen-address", "127.0.0.1:7", { $0.listeners[2].address }, "127.0.0.1:7"),
            ("health-listen-address", "[::]:7", { $0.listeners[2].address }, "0.0.0.0:7"),
            ("trusted-proxies", "10.1.2.3/8, 192.0.2.1", { "\($0[RelayLimitKeys.trustedProxies])" },
                "[\"10.0.0.0/8\", \"192.0.2.1\"]"),
            ("trusted-proxies", "2001:db8::1/32", { "\($0[RelayLimitKeys.trustedProxies])" }, "[\"2001:db8::/32\"]"),
            ("log-level", "panic", { $0[LoggingKeys.level] }, "critical"),
            ("log-level", "DEBUG", { $0[LoggingKeys.level] }, "debug"),
            ("log-file", "console", { "\($0[LoggingKeys.toConsole]) \($0[LoggingKeys.toFile])" }, "true false"),
            ("log-file", "/tmp/r.log", { "\($0[LoggingKeys.toConsole]) \($0[LoggingKeys.filePath] ?? "")" },
                "false /tmp/r.log"),
        ]

    @Test(arguments: effects.indices)
    func aFlagAndItsVariablesDoTheSame(index: Int) throws {
        let (flag, text, effect, expected) = Self.effects[index]
        let variable = flag.replacing("-", with: "_").uppercased()
        #expect(effect(try read("", [:], [flag: text]).configuration) == expected)
        guard Self.needed[flag] == nil else {
            // The flag that `read` needs would win.
            let others = Self.needed.filter { $0.key != flag }
            let found = try ApusConfigurationTests.read(
                "", environment: ["NB_\(variable)": text], overrides: Self.overrides(others))
            #expect(effect(found.configuration) == expected)
            return
        }
        for prefix in ["NB_", "OZ_"] {
            #expect(effect(try read("", [prefix + variable: text]).configuration) == expected, "\(prefix)")
        }
        // Empty is unset, and without the mode nobody looks.
        #expect(effect(try read("", ["NB_\(variable)": ""]).configuration) == effect(try read().configuration))
    }

    @Test func theVariablesMeanNothingWithoutTheMode() throws {
        let environment = ["NB_LOG_LEVEL": "debug", "OZ_AUTH_SECRET": "x", "NB_ENABLE_STUN": "true"]
        let (configuration, problems) = try ApusConfigurationTests.read("", environment: environment)
        #expect(problems.isEmpty)
        #expect(configuration[LoggingKeys.level] == "info")
        #expect(configuration.relaySecret == nil)
    }

    @Test func theThresholdMultipliesTheTimeout() throws {
        let found = try read("", ["OZ_RELAY_HC_ATTEMPT_THRESHOLD": "3"])
        #expect(found.problems.isEmpty)
        #expect(found.configuration[RelayKeys.livenessTimeout] == .seconds(135))
    }

    // MARK: Precedence

    @Test func flagsBeatTheEnvironmentThatBeatsTheFileThatBeatsTheMode() throws {
        let file = "[logging]\nlog_level = \"error\"\n[server]\nmax_connections = 5\n"
        func level(_ environment: [String: String], _ flags: [String: String] = [:]) throws -> String {
            try read(file, environment, flags).configuration[LoggingKeys.level]
        }
        #expect(try level([:]) == "error")
        #expect(try level(["NB_LOG_LEVEL": "trace"]) == "trace")
        #expect(try level(["NB_LOG_LEVEL": "trace", "APUS_LOGGING_LOG_LEVEL": "debug"]) == "debug")
        #expect(try level(["APUS_LOGGING_LOG_LEVEL": "debug"], ["log-level": "warn"]) == "warn")
        #expect(try read(file).configuration[ServerKeys.maxConnections] == 5)
    }

    @Test func ourVariablesBeatTheRelatives() throws {
        let secret = "0123456789abcdef"
        func source(_ environment: [String: String]) throws -> (SecretSource?, [String]) {
            let overrides = Self.overrides(["exposed-address": "rels://relay.example.com"])
            let found = try ApusConfigurationTests.read("", environment: environment, overrides: overrides)
            return (found.configuration.relaySecret, found.problems.texts)
        }
        for prefix in ["NB_", "OZ_"] {
            let file = try source([prefix + "AUTH_SECRET": "short", "APUS_RELAY_AUTH_SECRET_FILE": "/s"])
            #expect(file.0 == .file(path: "/s"))
            // Nor is what is not used looked at.
            #expect(file.1 == [])
            let text = try source([prefix + "AUTH_SECRET": "another", "APUS_RELAY_AUTH_SECRET": secret])
            #expect(text.0 == .text(secret) && text.1 == [], "\(text)")
        }
        let doubled = try source(["APUS_RELAY_AUTH_SECRET": secret, "APUS_RELAY_AUTH_SECRET_FILE": "/s"])
        #expect(doubled.1.count == 1 && doubled.1[0].contains("beside auth_secret_file"), "\(doubled)")
    }

    @Test func theFilesListenersKeepTheirPlacesUnlessSomebodySaysOtherwise() throws {
        let file = """
            [[listener]]
            name = "edge"
            protocol = "relay"
            address = "127.0.0.1:11"
            [[listener]]
            name = "metrics"
            protocol = "admin"
            address = "127.0.0.1:12"
            """
        #expect(
            Self.places(try read(file).configuration)
                == ["edge 127.0.0.1:11", "metrics 127.0.0.1:12", "health 0.0.0.0:9000"])
        let moved = try read(file, ["NB_METRICS_PORT": "9"], ["listen-address": ":10"], hasIPv6: true).configuration
        #expect(
            Self.places(moved).prefix(4)
                == ["edge 0.0.0.0:10", "edge-ipv6 [::]:10", "metrics 0.0.0.0:9", "metrics-ipv6 [::]:9"])
        #expect(moved.listeners[2][ListenerKeys.answers] == "all")
    }

    @Test func variablesThatDisagreeAreAnError() throws {
        let found = try read("", ["NB_LOG_LEVEL": "debug", "OZ_LOG_LEVEL": "info"])
        let problem = "NB_LOG_LEVEL: logging.log_level: OZ_LOG_LEVEL says otherwise: leave one of them out"
        #expect(found.problems.errors.texts == [problem])
        #expect(try read("", ["NB_LOG_LEVEL": "debug", "OZ_LOG_LEVEL": "debug"]).problems.isEmpty)
    }

    // MARK: Refusals

    @Test(arguments: [
        ("letsencrypt-domains", "a.example", "ACME client"), ("letsencrypt-data-dir", "/d", "ACME client"),
        ("letsencrypt-email", "a@example.com", "ACME client"), ("letsencrypt-aws-route53", "true", "ACME client"),
        ("enable-stun", "true", "--enable-stun=false"), ("enable-stun", "yes", "true or false, found \"yes\""),
        ("cluster-headless", "relay", "form no cluster"), ("cluster-port", "7090", "form no cluster"),
        ("cluster-auth-secret", "s", "form no cluster"), ("metrics-port", "99999", "a port, 0 to 65535"),
        ("log-level", "loud", "one of \"trace\""), ("log-file", "syslog", "there is no syslog"),
        ("trusted-proxies", "proxy.example", "addresses, or networks"),
        ("trusted-proxies", "::ffff:10.0.0.0/104", "addresses, or networks"),
        ("trusted-proxies", "10.0.0.0/08", "addresses, or networks"),
    ])
    func whatIsNotThereIsRefusedWithTheFix(flag: String, text: String, reason: String) throws {
        let variable = "OZ_" + flag.replacing("-", with: "_").uppercased()
        let both = [("--\(flag)", try read("", [:], [flag: text])), (variable, try read("", [variable: text]))]
        for (name, found) in both {
            let isTold = found.problems.errors.texts.contains { $0.hasPrefix("\(name): ") && $0.contains(reason) }
            #expect(isTold, "\(found.problems.texts)")
        }
    }

    @Test(arguments: [
        ("letsencrypt-aws-route53", "false"), ("enable-stun", "false"), ("enable-stun", "0"), ("cluster-port", "0"),
        ("letsencrypt-domains", ""),
    ])
    func askingForNothingIsNoProblem(flag: String, text: String) throws {
        #expect(try read("", [:], [flag: text]).problems.isEmpty)
    }

    @Test(arguments: ["stun-ports", "stun-log-level", "pod-ip"])
    func whatHasNoEffectIsToldAndNoError(flag: String) throws {
        let problems = try read("", [:], [flag: "1"]).problems
        #expect(problems.map(\.severity) == [.warning])
        #expect(problems.texts[0].hasPrefix("--\(flag): warning: of no effect without --"))
    }

    @Test(arguments: [
        ("listen-address", "relay.example.com:443", "listener relay: address: relay.example.com is no numeric address"),
        ("listen-address", "443", "has no port"), ("listen-address", ":::443", "is ambiguous"),
        ("listen-address", "[::]", "has no port"), ("health-listen-address", ":99999", "is no port"),
    ])
    func anAddressThatCannotBeBoundIsToldWithItsFlag(flag: String, text: String, reason: String) throws {
        let texts = try read("", [:], [flag: text]).problems.errors.texts
        #expect(texts.contains { $0.hasPrefix("--\(flag): ") && $0.contains(reason) }, "\(texts)")
    }

    /// Whoever comes from a relative knows its flags alone, and one slip is one complaint.
    @Test(arguments: [
        (["tls-cert-file": "/c"], [:],
            "--tls-cert-file: tls.certificate: without its private key: name that with --tls-key-file"),
        (["tls-key-file": "/k"], [:],
            "--tls-key-file: tls.key: without its certificate: name that with --tls-cert-file"),
        ([:], ["OZ_TLS_CERT_FILE": "/c"],
            "OZ_TLS_CERT_FILE: tls.certificate: without its private key: name that with --tls-key-file"),
    ] as [([String: String], [String: String], String)])
    func halfOfACertificateIsToldOnce(flags: [String: String], environment: [String: String], problem: String) throws {
        let problems = try read("", environment, flags, hasIPv6: true).problems
        #expect(problems.texts == [problem])
    }

    @Test func tlsWithoutACertificateNamesTheFlagsOfTheMode() throws {
        var overrides = Self.overrides(Self.needed)
        overrides.security = "tls"
        let texts = try ApusConfigurationTests.read("", overrides: overrides).problems.errors.texts
        #expect(texts.count == 1)
        let reason = "--security: listener relay: security: tls needs --tls-cert-file and --tls-key-file"
        #expect(texts.first?.hasPrefix(reason) == true, "\(texts)")
    }

    @Test func everyRelativeIsDocumented() {
        for option in RelativeOption.all {
            let variable = option.name.replacing("-", with: "_").uppercased()
            #expect(Documentation.markdown.contains("`NB_\(variable)`"))
            #expect(Documentation.markdown.contains("`OZ_\(variable)`"))
        }
    }
}
