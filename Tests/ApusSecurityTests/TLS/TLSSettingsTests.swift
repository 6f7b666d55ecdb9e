// Mistakes of whoever configures: found at start, in words, and without a byte of a key.

import ApusSecurity
import Testing
import TestSupport

@Suite struct TLSSettingsTests {
    let identities: TestIdentities

    init() throws { identities = try TestIdentities.shared.get() }

    private func problem(_ change: (inout TLSSettings) -> Void) throws -> String {
        var settings = try serverSettings()
        change(&settings)
        return settings.problems().joined(separator: "\n")
    }

    private func clientProblem(_ change: (inout TLSSettings) -> Void) throws -> String {
        var settings = try clientSettings()
        change(&settings)
        return settings.problems().joined(separator: "\n")
    }

    @Test func goodSettingsHaveNoProblem() throws {
        #expect(try problem { _ in } == "")
        #expect(try clientProblem { _ in } == "")
        #expect(try problem { $0.cipherList = "ECDHE+AESGCM:!SHA384" } == "")
    }

    @Test func serversMistakes() throws {
        #expect(try problem { $0.certificateChain = nil }.contains("certificate chain: missing"))
        #expect(try problem { $0.privateKey = nil }.contains("private key: missing"))
        #expect(try problem { $0.serverName = "a" }.contains("server name: only a client"))
        // In the public Rust crate each of these two silently meant no client authentication, or always.
        #expect(try problem { $0.clientVerification = .required }.contains("nothing to verify by"))
        #expect(try problem { $0.authorities = .system }.contains("of no effect"))
    }

    @Test func clientsMistakes() throws {
        #expect(try clientProblem { $0.authorities = .none }.contains("nothing to verify the server by"))
        #expect(try clientProblem { $0.privateKey = identities.client.key }.contains("one without the other"))
        #expect(try clientProblem { $0.clientVerification = .optional }.contains("only for servers"))
        #expect(try clientProblem { $0.serverName = "a b" }.contains("printable ASCII"))
        #expect(try clientProblem { $0.serverName = "" }.contains("printable ASCII"))
    }

    @Test func boundsAndLists() throws {
        #expect(try problem { ($0.versionMin, $0.versionMax) = (.tls13, .tls12) }.contains("versions"))
        #expect(try problem { $0.ticketCount = 9 }.contains("ticket count: 0 to 8"))
        #expect(try problem { $0.applicationProtocols = [""] }.contains("1 to 255 bytes"))
        #expect(try problem { $0.applicationProtocols = ["a", "a"] }.contains("each once"))
        let lists = [
            ("", "names no cipher"), ("ECDHE-ECDSA-AES128-GCM-SHA256:NONSENSE", "\"NONSENSE\" names no cipher"),
            ("ALL:@SECLEVEL=0", "names no cipher"), ("aNULL", "leaves no cipher"), ("eNULL", "leaves no cipher"),
            ("TLS_AES_128_GCM_SHA256", "names no cipher"),
        ]
        for (list, complaint) in lists { #expect(try problem { $0.cipherList = list }.contains(complaint), "\(list)") }
        for suites in ["", "TLS_AES_128_GCM_SHA256:", "ECDHE-ECDSA-AES128-GCM-SHA256", "tls_aes_128_gcm_sha256"] {
            #expect(try problem { $0.cipherSuites = suites }.contains("is none of TLS 1.3"))
        }
    }

    private func complaint(_ change: (inout TLSSettings) -> Void) throws -> String {
        var settings = try serverSettings()
        change(&settings)
        do throws(TLSConfigurationError) {
            _ = try TLSMaterial(settings)
            return ""
        } catch {
            return error.description
        }
    }

    @Test func filesThatAreNotWhatTheyShouldBe() throws {
        let folder = try TemporaryFolder()
        #expect(try complaint { _ in } == "")
        #expect(try complaint { $0.certificateChain = .file(folder.file("none")) }.contains("cannot be opened"))
        #expect(try complaint { $0.certificateChain = identities.server.key }.contains("holds no certificate"))
        #expect(try complaint { $0.certificateChain = .bytes([]) }.contains("given bytes"))
        #expect(try complaint { $0.privateKey = identities.server.chain }.contains("holds no private key"))
        #expect(try complaint { $0.privateKey = identities.client.key }.contains("not the key of the first"))
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        #expect(
            try complaint { $0.certificateChain = .bytes(Array(broken.utf8)) }
                .contains("certificate 1 cannot be read"))
        // An encrypted key is a mistake that is told, not a question on the terminal.
        let encrypted = folder.file("encrypted.key")
        try openssl(
            ["pkey", "-in", identities.server.keyPath, "-aes256", "-passout", "pass:secret", "-out", encrypted])
        #expect(try complaint { $0.privateKey = .file(encrypted) }.contains("is encrypted"))
    }

    @Test func certificatesAreSummarised() throws {
        let material = try TLSMaterial(serverSettings())
        let summary = try #require(material.certificate)
        #expect(summary.subject == "CN=server,O=Apus tests")
        #expect(summary.pin == (try CertificatePin(of: identities.server)))
        #expect(summary.notAfter - summary.notBefore == 2 * 86_400)
        #expect(summary.notBefore > 1_700_000_000)
        let client = try TLSMaterial(clientSettings())
        #expect(client.certificate == nil)
    }

    @Test func pinsAreRead() throws {
        let bytes = [UInt8](0..<32)
        let pin = try #require(CertificatePin(sha256: bytes))
        #expect(pin.description == "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
        #expect(CertificatePin(hex: pin.description.uppercased()) == pin)
        #expect(CertificatePin(hex: pin.description + "00") == nil)
        #expect(CertificatePin(hex: pin.description.dropLast() + "g") == nil)
        #expect(CertificatePin(hex: "") == nil)
        #expect(CertificatePin(sha256: [1]) == nil)
    }

    /// However it is printed.
    @Test func keysAreNotPrinted() throws {
        let secret = "-----BEGIN PRIVATE KEY-----"
        var settings = try serverSettings()
        settings.privateKey = .bytes(Array(secret.utf8), name: "node.key")
        var dumped = ""
        dump(settings, to: &dumped)
        for text in [dumped, "\(settings)", String(reflecting: settings), String(describing: settings.privateKey)] {
            #expect(!text.contains("45, 45, 45") && !text.contains("PRIVATE"))
            #expect(text.contains("node.key"))
        }
    }

    @Test func labelsAndSentences() {
        let failures: [TLSFailure] = [
            .certificateRequired, .certificateUnverified(20), .certificateExpired, .certificateNotYetValid, .wrongName,
            .wrongPin, .badSignature, .unsupportedVersion, .noSharedCipher, .noApplicationProtocol, .notTLS,
            .handshakeFailed(100), .badRecord, .alertReceived(48), .protocolViolation(100), .truncated, .outOfMemory,
        ]
        let labels = failures.map(\.label.description)
        #expect(Set(labels).count == failures.count)
        #expect(labels.allSatisfy { $0.allSatisfy { $0.isLowercase || $0 == "_" } })
        #expect(failures.allSatisfy { $0.description.count > 15 })
        #expect(TLSFailure.certificateUnverified(20).description.contains("unable to get local issuer"))
        #expect(TLSFailure.alertReceived(48).description.contains("unknown CA"))
        #expect(TLSFailure.handshakeFailed(100).description.contains("app data in handshake"))
    }
}
