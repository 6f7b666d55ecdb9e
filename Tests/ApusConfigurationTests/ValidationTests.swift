// What is wrong between values.

import ApusConfiguration
import TestSupport
import Testing

@Suite struct ValidationTests {
    private static let tls = "security = \"tls\"\ncertificate = \"c\"\nkey = \"k\"\n"

    private static func listener(_ lines: String, name: String = "a", port: Int = 1) -> String {
        "[[listener]]\nname = \"\(name)\"\naddress = \"127.0.0.1:\(port)\"\n\(lines)\n"
    }

    @Test(arguments: [
        (listener("") + listener("", port: 2), "apus.toml:6: listener.name: a is taken by apus.toml:1: no two"),
        (listener("") + listener("", name: "b"),
            "apus.toml:7: listener.address: 127.0.0.1:1 is taken by apus.toml:1: no two"),
        ("[[listener]]\nname = \"a\"", "apus.toml:1: listener a: address: missing"),
        (listener("") + "[server]\naddress = \"127.0.0.1:2\"", "apus.toml:6: server.address: of no effect beside"),
        (listener("", name: "a b"), "apus.toml:2: listener a b: name: letters"),
        (listener("security = \"tls\""), "apus.toml:4: listener a: security: tls needs --tls-certificate"),
        (listener("certificate = \"c\""), "apus.toml:4: listener a: certificate: of no effect with security handshake"),
        (listener(tls + "psk_file = \"p\""), "apus.toml:7: listener a: psk_file: of no effect with security tls"),
        (listener(tls + "ca = \"x\""), "tls.verify_client: none, so ca and pinned_sha256 are of no effect"),
        (listener(tls + "verify_client = \"required\""), "listener a: verify_client: nothing to verify by"),
        (listener("psk_file = \"p\"\npsk = \"0123456789abcdef\""), "apus.toml:5: listener a: psk: beside psk_file"),
        (listener("protocol = \"admin\"\nsecurity = \"handshake\""), "security: admin speaks HTTP"),
        (listener("protocol = \"admin\"\nsession = \"packet\""), "session: only for protocol packet"),
        ("[transport]\ncompression_enabled = true\nencryption_enabled = false", "it is agreed on in NPRO's handshake"),
        ("[transport]\ncompression_enabled = false\n[handshake]\ncompression = [\"lz4\"]", "says the opposite"),
        ("[transport]\nmax_payload_size = 100\n", "transport.compression_threshold_bytes: above"),
        ("[logging]\nlog_to_console = false", "nothing would be logged anywhere"),
        ("[logging]\nlog_to_file = true", "apus.toml:2: logging.log_to_file: needs log_file_path"),
        ("[logging]\nlog_to_file = true\nlog_file_path = \"/nonexistent/x/y\"", "/nonexistent/x does not exist"),
        ("[admin]\ncontrol_socket = \"127.0.0.1:1\"", "who may open the socket may control the server"),
    ])
    func errors(text: String, problem: String) throws {
        let problems = try read(text).problems
        #expect(problems.contains { $0.severity == .error && $0.description.contains(problem) }, "\(problems.texts)")
    }

    @Test(arguments: [
        ("[server]\naddress = \"0.0.0.0:1\"\n[transport]\nencryption_enabled = false", "nothing protects 0.0.0.0:1"),
        (listener("security = \"none\"").replacing("127.0.0.1", with: "0.0.0.0"), "security: nothing protects"),
        ("[tls]\nca = \"x\"", "apus.toml:2: warning: tls.ca: of no effect: no listener has security tls"),
        ("[transport]\ncompression_level = 22", "22 counts as 19"),
        ("[server]\nbackpressure_limit = 5000", "5000 counts as 4096"),
        ("[logging]\nlog_file_path = \"x\"", "stays empty"),
        ("[admin]\nenabled = true\naddress = \"off\"\ncontrol_socket = \"off\"", "nothing is served"),
        ("[admin]\nenabled = true\naddress = \"0.0.0.0:9600\"", "others can reach it"),
        ("[metrics]\notlp_timeout = \"20s\"\notlp_interval = \"10s\"", "exports are skipped"),
    ])
    func warnings(text: String, problem: String) throws {
        let problems = try read(text).problems
        #expect(problems.errors.isEmpty, "\(problems.texts)")
        #expect(problems.texts.contains { $0.contains(problem) }, "\(problems.texts)")
    }

    @Test func strictTakesWarningsForErrors() throws {
        var configuration = Configuration()
        try configuration.set(TransportKeys.compressionLevel, to: .integer(20))
        #expect(configuration.validate().count == 1)
        #expect(throws: ConfigurationError.self) { try configuration.validateStrict() }
        #expect(throws: ConfigurationError.self) {
            try ConfigurationSources(environment: ["APUS_TRANSPORT_COMPRESSION_LEVEL": "20"]).load(strict: true)
        }
        _ = try ConfigurationSources(environment: ["APUS_TRANSPORT_COMPRESSION_LEVEL": "20"]).load()
    }

    @Test func theDefaultsAreValid() { #expect(Configuration().validate().isEmpty) }

    @Test func moreThan64Listeners() throws {
        let text = (1...65).map { Self.listener("", name: "n\($0)", port: $0) }.joined()
        #expect(try read(text).problems.texts.contains { $0.contains("at most 64, found 65") })
    }

    // MARK: Listeners

    @Test func aListenerHasItsOwnOrItsSections() throws {
        let text = """
            [tls]
            certificate = "shared.pem"
            key = "shared.key"
            [[listener]]
            name = "a"
            address = "127.0.0.1:1"
            security = "tls"
            [[listener]]
            name = "b"
            address = "127.0.0.1:2"
            security = "tls"
            certificate = "own.pem"
            """
        let listeners = try read(text).configuration.listeners
        #expect(listeners.map { $0[TLSKeys.certificate] } == ["shared.pem", "own.pem"])
        #expect(listeners.map { $0[TLSKeys.key] } == ["shared.key", "shared.key"])
    }

    @Test func flagsSayWhereAndHow() throws {
        let text = Self.listener("psk_file = \"p\"") + Self.listener("", name: "b", port: 2)
        var overrides = Overrides()
        overrides.addresses = ["127.0.0.1:7", "127.0.0.1:8", "127.0.0.1:9"]
        overrides.security = "none"
        overrides.set(HandshakeKeys.presharedKeyFile, to: .text("q"))
        let configuration = try read(text, overrides: overrides).configuration
        #expect(configuration.listeners.map(\.name) == ["a", "b", "edge-3"])
        #expect(configuration.listeners.map(\.address) == overrides.addresses)
        #expect(configuration.listeners.map(\.security) == [.none, .none, .none])
        #expect(configuration.listeners[0][HandshakeKeys.presharedKeyFile] == "q")
    }

    @Test func adminListenersComeBehindThePacketOnes() throws {
        let configuration = try read("[admin]\nenabled = true").configuration
        #expect(configuration.listeners.map(\.name) == ["edge", "admin", "control"])
        #expect(configuration.listeners.map(\.speaks) == [.packet, .admin, .admin])
        #expect(configuration.listeners[2].address == "unix:/run/apus/control.sock")
        #expect(Configuration().listeners.map(\.name) == ["edge"])
    }

    @Test func compressionIsWhatIsNamedOrBoth() throws {
        let listener = Self.listener("")
        func offered(_ text: String) throws -> [String] {
            try read(text + listener).configuration.listeners[0].compression
        }
        #expect(try offered("") == [])
        #expect(try offered("[transport]\ncompression_enabled = true\n") == ["lz4", "zstd"])
        #expect(try offered("[handshake]\ncompression = [\"zstd\"]\n") == ["zstd"])
        let own = Self.listener("compression = []") + "[transport]\ncompression_enabled = true\n"
        #expect(try read(own).configuration.listeners[0].compression == [])
    }
}
