// What is made is what was asked for, by our own reading and by openssl's.

import ApusSecurity
import Foundation
import TestSupport
import Testing

/// An authority and a node of it, as every test needs them.
struct Issued {
    static let now = Int64(Date().timeIntervalSince1970)

    let authority: Certificate
    let authorityKey: CertificateKey
    let node: Certificate
    let nodeKey: CertificateKey

    init(_ kind: CertificateKey.Kind, authorityKind: CertificateKey.Kind = .p256, at now: Int64 = now) throws {
        authorityKey = try CertificateKey(authorityKind)
        authority = try Certificate.authority(
            CertificateSubject(name: "Test CA"), key: authorityKey, validity: CertificateValidity(days: 10, from: now))
        nodeKey = try CertificateKey(kind)
        let texts = ["edge.example.org", "*.example.net", "192.0.2.7", "2001:db8::7"]
        let names = try texts.map { try AlternativeName($0) }
        node = try Certificate.node(
            CertificateSubject(name: "edge-1", alternativeNames: names), key: nodeKey,
            validity: CertificateValidity(days: 5, from: now), signedBy: authority, authorityKey: authorityKey, at: now)
    }
}

struct CertificateTests {
    @Test(arguments: CertificateKey.Kind.allCases, CertificateKey.Kind.allCases)
    func anAuthoritySignsANode(kind: CertificateKey.Kind, authorityKind: CertificateKey.Kind) throws {
        let issued = try Issued(kind, authorityKind: authorityKind)
        #expect(issued.authority.isAuthority && !issued.node.isAuthority)
        #expect((issued.node.summary.subject, issued.node.issuer) == ("CN=edge-1", "CN=Test CA"))
        #expect(issued.node.isSigned(by: issued.authority) && !issued.authority.isSigned(by: issued.node))
        #expect(issued.node.belongs(to: issued.nodeKey) && !issued.node.belongs(to: issued.authorityKey))
        #expect(issued.node.alternativeNames.map(\.description)
            == ["edge.example.org", "*.example.net", "192.0.2.7", "2001:db8::7"])
        #expect(issued.authority.alternativeNames.isEmpty)
        #expect(issued.node.keyKind == (kind == .p256 ? "EC" : "ED25519"))
        #expect(issued.node.summary.notBefore == Issued.now - 300)
        #expect(issued.node.summary.notAfter == Issued.now + 5 * 86_400)
    }

    @Test(arguments: CertificateKey.Kind.allCases)
    func opensslVerifiesThem(kind: CertificateKey.Kind) throws {
        guard OpenSSLCommand.isThere else { return }
        let (folder, issued) = (try TemporaryFolder(), try Issued(kind))
        let authority = try folder.write(issued.authority.pem(), as: "ca.pem")
        let node = try folder.write(issued.node.pem(), as: "node.pem")
        for purpose in ["sslserver", "sslclient"] {
            let verified = try OpenSSLCommand.run(
                "verify", "-x509_strict", "-check_ss_sig", "-purpose", purpose, "-CAfile", authority, node)
            #expect((verified.status, verified.text) == (0, "\(node): OK\n"))
        }
        for (option, name, status) in [
            ("-verify_hostname", "edge.example.org", 0), ("-verify_hostname", "a.example.net", 0),
            ("-verify_hostname", "edge-1", 2), ("-verify_ip", "192.0.2.7", 0), ("-verify_ip", "192.0.2.8", 2),
            ("-verify_ip", "2001:db8:0::7", 0),
        ] {
            let verified = try OpenSSLCommand.run("verify", "-CAfile", authority, option, name, node)
            #expect(verified.status == Int32(status), "\(option) \(name): \(verified.text)")
        }
        let stranger = try folder.write(try Issued(kind).authority.pem(), as: "other.pem")
        #expect(try OpenSSLCommand.run("verify", "-CAfile", stranger, node).status == 2)
    }

    @Test func opensslReadsTheExtensions() throws {
        guard OpenSSLCommand.isThere else { return }
        let (folder, issued) = (try TemporaryFolder(), try Issued(.p256))
        let node = try OpenSSLCommand.run(
            "x509", "-noout", "-text", "-in", try folder.write(issued.node.pem(), as: "node.pem")).text
        for expected in [
            "Version: 3 ", "Basic Constraints: critical\n                CA:FALSE\n",
            "Key Usage: critical\n                Digital Signature\n",
            "TLS Web Server Authentication, TLS Web Client Authentication\n",
            "DNS:edge.example.org, DNS:*.example.net, IP Address:192.0.2.7, IP Address:2001:DB8:0:0:0:0:0:7\n",
            "Subject Key Identifier", "Authority Key Identifier", "ecdsa-with-SHA256", "prime256v1",
        ] { #expect(node.contains(expected), "\(expected) is not in \(node)") }
        let authority = try OpenSSLCommand.run(
            "x509", "-noout", "-text", "-in", try folder.write(issued.authority.pem(), as: "ca.pem")).text
        for expected in [
            "Basic Constraints: critical\n                CA:TRUE, pathlen:0\n",
            "Key Usage: critical\n                Certificate Sign, CRL Sign\n", "Subject Key Identifier",
        ] { #expect(authority.contains(expected), "\(expected) is not in \(authority)") }
    }

    @Test func thePinIsOpenSSLsFingerprint() throws {
        guard OpenSSLCommand.isThere else { return }
        let (folder, issued) = (try TemporaryFolder(), try Issued(.ed25519))
        let printed = try OpenSSLCommand.run(
            "x509", "-noout", "-fingerprint", "-sha256", "-in", try folder.write(issued.node.pem(), as: "node.pem"))
        let digits = printed.text.split(separator: "=").last.map { $0.filter { $0 != ":" && $0 != "\n" } }
        #expect(digits?.lowercased() == issued.node.summary.pin.description)
    }

    /// Trusted by being given to the peer, as a server and as a client.
    @Test(arguments: CertificateKey.Kind.allCases)
    func aSelfSignedCertificateVouchesForItself(kind: CertificateKey.Kind) throws {
        let key = try CertificateKey(kind)
        let subject = try CertificateSubject(name: "localhost", alternativeNames: [AlternativeName("localhost")])
        let certificate = try Certificate.selfSigned(
            subject, key: key, validity: CertificateValidity(days: 1, from: Issued.now))
        #expect(certificate.isSigned(by: certificate) && !certificate.isAuthority)
        #expect(certificate.issuer == certificate.summary.subject)
        guard OpenSSLCommand.isThere else { return }
        let folder = try TemporaryFolder()
        let path = try folder.write(certificate.pem(), as: "self.pem")
        let verified = try OpenSSLCommand.run(
            "verify", "-purpose", "sslserver", "-verify_hostname", "localhost", "-CAfile", path, path)
        #expect((verified.status, verified.text) == (0, "\(path): OK\n"))
    }

    // MARK: PEM

    @Test(arguments: CertificateKey.Kind.allCases)
    func whatIsWrittenIsReadBack(kind: CertificateKey.Kind) throws {
        let issued = try Issued(kind)
        let chain = try issued.node.pem() + issued.authority.pem()
        let read = try Certificate.read(.bytes(chain))
        #expect(read.map(\.summary) == [issued.node.summary, issued.authority.summary])
        #expect(try read[0].pem() == issued.node.pem())
        #expect(read[0].alternativeNames == issued.node.alternativeNames)
        let text = try issued.nodeKey.copyPEM()
        #expect(String(decoding: text, as: UTF8.self).hasPrefix("-----BEGIN PRIVATE KEY-----\n"))
        let key = try CertificateKey(reading: .bytes(text))
        #expect(read[0].belongs(to: key) && !read[1].belongs(to: key))
        #expect(try key.copyPEM() == text)
    }

    @Test func keysAndSerialNumbersAreNeverTheSame() throws {
        let issued = try (0..<4).map { _ in try Issued(.ed25519) }
        #expect(Set(try issued.map { try $0.nodeKey.copyPEM() }).count == 4)
        #expect(Set(issued.map(\.node.summary.pin)).count == 4)
        let again = try Certificate.authority(
            CertificateSubject(name: "Test CA"), key: issued[0].authorityKey,
            validity: CertificateValidity(days: 10, from: Issued.now))
        // Same name, same key; what differs is the serial number, and with it the signature.
        #expect(again.summary.pin != issued[0].authority.summary.pin)
        guard OpenSSLCommand.isThere else { return }
        let folder = try TemporaryFolder()
        let path = try folder.write(again.pem(), as: "ca.pem")
        let serial = try OpenSSLCommand.run("x509", "-noout", "-serial", "-in", path).text
        #expect(serial.wholeMatch(of: /serial=[4-7][0-9A-F]{31}\n/) != nil, "\(serial)")
    }

    @Test func aKeyPrintsNothing() throws {
        let key = try CertificateKey(.p256)
        var dumped = ""
        dump(key, to: &dumped)
        #expect("\(key)\(String(reflecting: key))" == "private keyprivate key")
        #expect(!dumped.contains("Pointer") && !dumped.contains("0x"))
    }
}
