// What is not made, and what is not read.

import ApusSecurity
import TestSupport
import Testing

struct CertificateRefusalTests {
    private func node(
        by authority: Certificate, _ key: CertificateKey, names: [String] = ["a.example"], days: Int = 1,
        at now: Int64 = Issued.now
    ) throws -> Certificate {
        let subject = try CertificateSubject(name: "a", alternativeNames: names.map { try AlternativeName($0) })
        return try Certificate.node(
            subject, key: CertificateKey(.ed25519), validity: CertificateValidity(days: days, from: now),
            signedBy: authority, authorityKey: key, at: now)
    }

    @Test func anAuthorityOutsideItsTimeSignsNothing() throws {
        let issued = try Issued(.p256)
        let (from, to) = (issued.authority.validity.notBefore, issued.authority.validity.notAfter)
        let subject = issued.authority.summary.subject
        #expect(throws: CertificateError.authorityExpired(subject: subject, notAfter: to)) {
            try node(by: issued.authority, issued.authorityKey, at: to + 1)
        }
        #expect(throws: CertificateError.authorityNotYetValid(subject: subject, notBefore: from)) {
            try node(by: issued.authority, issued.authorityKey, at: from - 1)
        }
        #expect(try node(by: issued.authority, issued.authorityKey, at: to).validity.notAfter == to)
        #expect(try node(by: issued.authority, issued.authorityKey, at: from).validity.notBefore == from)
    }

    @Test func aNodeEndsWithItsAuthority() throws {
        let issued = try Issued(.p256)
        let long = try node(by: issued.authority, issued.authorityKey, days: 1000)
        #expect(long.validity == issued.authority.validity)
    }

    @Test func onlyAnAuthoritySigns() throws {
        let issued = try Issued(.p256)
        #expect(throws: CertificateError.notAnAuthority(subject: "CN=edge-1")) {
            try node(by: issued.node, issued.nodeKey)
        }
        #expect(throws: CertificateError.keyMismatch(subject: "CN=Test CA")) {
            try node(by: issued.authority, issued.nodeKey)
        }
        #expect(throws: CertificateError.keyMismatch(subject: "CN=Test CA")) {
            try node(by: issued.authority, try CertificateKey(.p256))
        }
    }

    @Test func aNodeHasANameThatPeersCanCheck() throws {
        let issued = try Issued(.p256)
        #expect(throws: CertificateError.noAlternativeName) {
            try node(by: issued.authority, issued.authorityKey, names: [])
        }
        let names = ["A.example", "a.example", "::1", "0::1"]
        let twice = try node(by: issued.authority, issued.authorityKey, names: names)
        #expect(twice.alternativeNames.map(\.description) == ["a.example", "::1"])
    }

    @Test(arguments: ["", " ", "a\nb", "a\u{0}b", "\u{7F}", String(repeating: "a", count: 65)])
    func someNamesAreNone(name: String) {
        #expect(throws: CertificateError.self) { try CertificateSubject(name: name) }
    }

    @Test func aNameMayBeInAnyScript() throws {
        let name = String(repeating: "ü", count: 64)
        let certificate = try Certificate.authority(
            CertificateSubject(name: name), key: CertificateKey(.ed25519),
            validity: CertificateValidity(days: 1, from: Issued.now))
        #expect(certificate.summary.subject == "CN=" + String(repeating: #"\C3\BC"#, count: 64))
    }

    @Test(arguments: [-1, 0, 36_501, .max]) func someDaysAreNone(days: Int) {
        #expect(throws: CertificateError.validity(days: days)) { try CertificateValidity(days: days, from: Issued.now) }
    }

    // MARK: Alternative names

    @Test(arguments: [
        "", ".", "a..b", ".a", "a.", "-a", "a-", "a_b", "a b", "münchen.example", "*", "*.a", "a.*.b", "a*.b.c",
        "10.0.0.256", "10.0.0", "1", "a:9000", "[::1]", "http://a", "a/b", "::g", "1:2:3:4:5:6:7:8:9", "a\u{0}b",
        "127.0.0.1\u{0}", String(repeating: "a", count: 64), String(repeating: "a.", count: 127),
    ])
    func theseAreNoNames(text: String) {
        #expect(throws: CertificateError.self) { try AlternativeName(text) }
    }

    @Test(arguments: [
        ("localhost", "localhost"), ("A.Example.ORG", "a.example.org"), ("*.a.b", "*.a.b"),
        ("xn--mnchen-3ya", "xn--mnchen-3ya"),
        ("10.0.0.1", "10.0.0.1"), ("0.0.0.0", "0.0.0.0"), ("::", "::"), ("::1", "::1"), ("fe80::", "fe80::"),
        ("2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"),
        ("1:0:0:2:0:0:0:3", "1:0:0:2::3"), ("::ffff:1.2.3.4", "::ffff:102:304"), ("1st.example", "1st.example"),
    ])
    func theseAre(text: String, expected: String) throws {
        #expect(try AlternativeName(text).description == expected)
    }

    // MARK: Reading

    @Test func whatIsNoCertificateIsNotRead() throws {
        let issued = try Issued(.ed25519)
        let key = try issued.nodeKey.copyPEM()
        let certificate = try issued.node.pem()
        for bytes in [[], Array("hello".utf8), key, Array(certificate.prefix(certificate.count / 2))] {
            #expect(throws: CertificateError.self) { try Certificate.read(.bytes(bytes)) }
        }
        for bytes in [[], certificate, Array(key.prefix(key.count / 2))] {
            #expect(throws: CertificateError.self) { try CertificateKey(reading: .bytes(bytes)) }
        }
        #expect(throws: CertificateError.self) { try Certificate.read(.file("/nonexistent/ca.pem")) }
    }

    @Test func anEncryptedKeyIsRefusedWithoutAQuestion() throws {
        guard OpenSSLCommand.isThere else { return }
        let (folder, key) = (try TemporaryFolder(), try CertificateKey(.p256))
        let plain = try folder.write(key.copyPEM(), as: "plain.key")
        let locked = folder.file("locked.key")
        #expect(try OpenSSLCommand.run(
            "pkey", "-in", plain, "-aes256", "-passout", "pass:secret", "-out", locked).status == 0)
        do {
            _ = try CertificateKey(reading: .file(locked))
            Issue.record("an encrypted key was read")
        } catch CertificateError.unreadable(let reason) {
            #expect(reason.contains("is encrypted") && reason.contains(locked))
        }
    }

    @Test func everyErrorIsASentence() {
        let errors: [CertificateError] = [
            .name("a", reason: "b"), .alternativeName("a", reason: "b"), .noAlternativeName, .validity(days: 0),
            .keyMismatch(subject: "a"), .notAnAuthority(subject: "a"), .authorityExpired(subject: "a", notAfter: 0),
            .authorityNotYetValid(subject: "a", notBefore: 0), .unreadable("a"),
            .library(operation: .sign, reason: "b"),
        ]
        #expect(Set(errors.map(\.description)).count == errors.count)
    }
}
