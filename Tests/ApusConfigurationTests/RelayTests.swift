// [relay] and the listeners that speak it: what is taken, what is refused and where, which secret counts.

import ApusConfiguration
import TestSupport
import Testing

@Suite struct RelayTests {
    private static let listener = "[[listener]]\nname = \"r\"\nprotocol = \"relay\"\naddress = \"127.0.0.1:1\"\n"
    private static let tls = "security = \"tls\"\ncertificate = \"c\"\nkey = \"k\"\n"
    private static let secret = "auth_secret = \"supersecret-supersecret\"\n"
    private static let exposed = "exposed_address = \"relay.example.com:443\"\n"

    private static let whole = exposed + secret

    private static func relay(_ lines: String) -> String { listener + "[relay]\n" + lines }

    // MARK: Addresses

    @Test(arguments: [
        ("relay.example.com", false, "rel://relay.example.com"),
        ("relay.example.com:8443", true, "rels://relay.example.com:8443"),
        ("rel://relay.example.com:80", false, "rel://relay.example.com:80"),
        ("rels://relay.example.com:443", false, "rels://relay.example.com:443"),
        ("RELS://Relay.Example.com", false, "rels://Relay.Example.com"),
        ("rels://192.0.2.1:443/relay", true, "rels://192.0.2.1:443/relay"),
        ("rels://host:443/relay?a=b&c", true, "rels://host:443/relay?a=b&c"),
        ("rels://host/%7Erelay", true, "rels://host/%7Erelay"),
        ("[2001:db8::1]:443", true, "rels://[2001:db8::1]:443"),
        ("[2001:db8::1]", false, "rel://[2001:db8::1]"),
        ("bücher.example:443", true, "rels://b%C3%BCcher.example:443"),
    ])
    func theInstanceURLIsWhatTheRelativesSay(text: String, isTLS: Bool, url: String) throws {
        let listener = isTLS ? Self.listener + Self.tls : Self.listener
        let configuration = try read(
            listener + "[relay]\nexposed_address = \"\(text)\"\n" + Self.secret).configuration
        #expect(configuration.relayInstanceURL == url)
    }

    @Test(arguments: [
        ("http://relay.example.com", "the scheme is rel or rels (with TLS), found \"http\""),
        ("rels://rels://relay.example.com", "has two ://"), ("rels://", "names no host"), ("", "names no host"),
        (":443", "names no host"), ("rels://:443", "names no host"), ("host:0", "\"0\" is no port"),
        ("host:", "\"\" is no port"), ("host:70000", "\"70000\" is no port"), ("host:https", "is no port"),
        ("user@host:443", "has no user"), ("2001:db8::1:443", "ambiguous"), ("[2001:db8::1]x:443", "ambiguous"),
        ("[fe80::1%eth0]:443", "of one interface"), ("a b", "no name of a host"), ("a\\tb", "no name of a host"),
        ("host%41", "no name of a host"), ("host/a b", "the path has bytes"), ("host/%4", "the path has bytes"),
        ("host/#x", "the path has bytes"), ("host?ü", "the query has bytes"),
    ])
    func anAddressThatCannotBeUsedIsToldWithItsLine(text: String, reason: String) throws {
        let problems = try read(Self.relay(Self.secret + "exposed_address = \"\(text)\"")).problems
        let place = "apus.toml:7: relay.exposed_address: "
        let isTold = problems.texts.contains { $0.hasPrefix(place) && $0.contains(reason) }
        #expect(isTold, "\(problems.texts)")
    }

    @Test func aLongAddressDoesNotFitItsMessage() throws {
        for (count, isGood) in [(8183, true), (8184, false)] {
            let text = String(repeating: "a", count: count)
            let problems = try read(Self.relay(Self.secret + "exposed_address = \"\(text)\"")).problems
            #expect(problems.errors.isEmpty == isGood)
        }
    }

    // MARK: Problems

    private static let mistakes: [(text: String, problem: String)] = [
        (relay(secret), "apus.toml:1: relay.exposed_address: missing"),
        (relay(exposed), "apus.toml:1: relay.auth_secret: missing"),
        (listener + "session = \"packet\"\n[relay]\n" + whole,
            "apus.toml:5: listener r: session: only for protocol packet"),
        (listener + "answers = \"health\"\n[relay]\n" + whole, "answers: only for protocol admin"),
        (listener + "security = \"handshake\"\n[relay]\n" + whole, "relay speaks WebSocket"),
        (listener + tls + "[relay]\nexposed_address = \"rel://x:1\"\n" + secret,
            "apus.toml:9: relay.exposed_address: rel:// is without TLS"),
        (relay(whole + "auth_secret_file = \"/s\""), "apus.toml:7: relay.auth_secret: beside auth_secret_file"),
        (relay(exposed + "previous_auth_secret_file = \"/s\"\ninsecure_allow_any_token = true"),
            "apus.toml:7: relay.previous_auth_secret_file: without auth_secret"),
        (relay(whole + "liveness_timeout = \"25s\""), "not above relay.health_interval"),
        (relay(whole + "backlog_per_peer = \"2MiB\"\nbacklog_budget = \"1MiB\""), "above relay.backlog_budget"),
        (relay(whole + "max_subscriptions_per_peer = 2000\nmax_subscriptions = 1024"),
            "above relay.max_subscriptions"),
        (relay(whole + "allowed_origins = [\"same_host\", \"https://a.example\"]"), "same_host alone"),
        (relay(whole) + "[server]\naddress = \"127.0.0.1:2\"", "server.address: of no effect beside"),
        ("[[listener]]\nprotocol = \"admin\"\naddress = \"127.0.0.1:1\"\nproxy_protocol = true",
            "proxy_protocol: only for protocol packet or relay"),
    ]

    @Test(arguments: mistakes)
    func errors(text: String, problem: String) throws {
        let problems = try read(text).problems
        #expect(problems.contains { $0.severity == .error && $0.description.contains(problem) }, "\(problems.texts)")
    }

    private static let doubts: [(text: String, problem: String)] = [
        (relay(whole + "insecure_allow_any_token = true"), "apus.toml:8: warning: relay.insecure_allow"),
        (relay(exposed + "auth_secret = \"short\""), "apus.toml:7: warning: relay.auth_secret: short"),
        ("[relay]\n" + exposed, "apus.toml:2: warning: relay.exposed_address: of no effect: no listener has protocol"),
        (relay(whole).replacing("127.0.0.1", with: "0.0.0.0"), "tokens come over 0.0.0.0:1"),
    ]

    @Test(arguments: doubts)
    func warnings(text: String, problem: String) throws {
        let problems = try read(text).problems
        #expect(problems.errors.isEmpty, "\(problems.texts)")
        #expect(problems.texts.contains { $0.contains(problem) }, "\(problems.texts)")
    }

    @Test(arguments: [
        relay(whole), listener + tls + "[relay]\n" + whole,
        relay("exposed_address = \"rels://x\"\n" + secret).replacing("127.0.0.1", with: "0.0.0.0"),
        "[[listener]]\nname = \"h\"\nprotocol = \"admin\"\naddress = \"0.0.0.0:1\"\nanswers = \"health\"",
    ])
    func whatIsMeantIsNoProblem(text: String) throws {
        // The file of a test may be read by others.
        let texts = try read(text).problems.texts.filter { !$0.contains("others may read this file") }
        #expect(texts.isEmpty)
    }

    // MARK: Listeners

    @Test func aRelayListenerStandsInForThePacketListener() throws {
        let configuration = try read(Self.relay(Self.whole)).configuration
        #expect(configuration.listeners.map(\.speaks) == [.relay])
        #expect(configuration.listeners[0].security == .none)
        let protected = try read(
            Self.relay(Self.whole) + "[tls]\ncertificate = \"c\"\nkey = \"k\"").configuration
        #expect(protected.listeners[0].security == .tls)
        #expect(protected.relayInstanceURL == "rels://relay.example.com:443")
    }

    @Test func addressFlagsMeanTheRelayWhereThereIsNoPacketListener() throws {
        var overrides = Overrides()
        overrides.addresses = ["127.0.0.1:7", "127.0.0.1:8"]
        let configuration = try read(Self.relay(Self.whole), overrides: overrides).configuration
        #expect(configuration.listeners.map(\.name) == ["r", "relay-2"])
        #expect(configuration.listeners.map(\.address) == overrides.addresses)
        let both = Self.relay(Self.whole) + "[[listener]]\naddress = \"127.0.0.1:2\"\n"
        let mixed = try read(both, overrides: overrides).configuration
        #expect(mixed.listeners.map(\.address) == overrides.addresses + ["127.0.0.1:1"])
        #expect(mixed.listeners.map(\.speaks) == [.packet, .packet, .relay])
    }

    // MARK: Secrets

    @Test func theStrongerSourceNamesTheSecret() throws {
        let file = Self.relay(Self.exposed + "auth_secret_file = \"/one\"")
        #expect(try read(file).configuration.relaySecret == .file(path: "/one"))
        let (named, problems) = try read(file, environment: ["APUS_RELAY_AUTH_SECRET": "0123456789abcdef"])
        #expect(named.relaySecret == .text("0123456789abcdef"))
        #expect(problems.isEmpty)
        var overrides = Overrides()
        overrides.set(RelayKeys.authSecretFile, to: .text("/two"))
        let flagged = try read(
            Self.relay(Self.whole), environment: ["APUS_RELAY_AUTH_SECRET": "0123456789abcdef"],
            overrides: overrides)
        #expect(flagged.configuration.relaySecret == .file(path: "/two"))
        #expect(flagged.problems.errors.isEmpty, "\(flagged.problems.texts)")
    }

    @Test func secretsAreNeverShown() throws {
        let text = Self.relay(Self.whole + "previous_auth_secret = \"supersecret-previous\"")
        let configuration = try read(text).configuration
        let shown = configuration.shown.map(\.value).joined()
        #expect(!shown.contains("supersecret"))
        let other = try read(text.replacing("supersecret", with: "supersecreT")).configuration
        #expect(other.digest == configuration.digest)
        let report = ReloadReport(from: configuration, to: other)
        #expect(report.changed.map(\.path) == ["relay.auth_secret", "relay.previous_auth_secret"])
        #expect(report.changed.allSatisfy { $0.outcome == .appliedToNewConnections })
        #expect(!report.description.contains("supersecre"))
        let bad = try read(Self.relay(Self.exposed + "auth_secret = \"\""))
        #expect(bad.problems.texts.contains { $0.contains("relay.auth_secret: a string of 1 to 4096 bytes") })
    }
}
