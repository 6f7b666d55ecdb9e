// Two sessions that meet: what they agree on, and what they cannot agree on.

import ApusSecurity
import Testing

@Suite struct TLSHandshakeTests {
    @Test(arguments: TLSVersion.allCases)
    func bothSidesAgree(version: TLSVersion) throws {
        let pair = try makePair(client: { $0.only(version) })
        pair.run()
        pair.exchange()
        for end in [pair.client, pair.server] {
            #expect(end.isComplete)
            #expect(end.state == .open)
            #expect(end.session.version == version)
            #expect(!end.isResumed)
            #expect(end.session.applicationProtocol == nil)
        }
        #expect(pair.client.session.cipher == pair.server.session.cipher)
        #expect(pair.client.session.cipher == (version == .tls13 ? 0x1301 : 0xC02B))
        #expect(pair.client.session.peerCertificate?.subject == "CN=server,O=Apus tests")
        let pin = try CertificatePin(of: TestIdentities.shared.get().server)
        #expect(pair.client.session.peerCertificate?.pin == pin)
        #expect(pair.server.session.peerCertificate == nil)
    }

    @Test func everyKindOfKeyServes() throws {
        let identities = try TestIdentities.shared.get()
        for version in TLSVersion.allCases {
            for identity in [identities.server, identities.ed25519, identities.rsa] {
                let pair = try makePair(client: { $0.only(version) }, server: { $0.use(identity) })
                pair.run()
                pair.exchange()
            }
        }
    }

    /// Whether two ranges of versions meet, and where.
    @Test func versions() throws {
        let ranges = [(TLSVersion.tls12, TLSVersion.tls12), (.tls12, .tls13), (.tls13, .tls13)]
        for (clientMin, clientMax) in ranges {
            for (serverMin, serverMax) in ranges {
                let pair = try makePair(
                    client: { ($0.versionMin, $0.versionMax) = (clientMin, clientMax) },
                    server: { ($0.versionMin, $0.versionMax) = (serverMin, serverMax) })
                pair.run()
                let highest = min(clientMax, serverMax)
                if highest >= max(clientMin, serverMin) {
                    #expect(pair.client.session.version == highest)
                    #expect(pair.server.session.version == highest)
                } else {
                    #expect(pair.server.failure == .unsupportedVersion)
                    #expect(pair.client.failure == .alertReceived(70))
                }
            }
        }
    }

    /// RFC 8996: a client that knows nothing newer than TLS 1.1 gets protocol_version.
    @Test(arguments: [UInt8(1), 2])
    func olderVersionsAreRefused(minor: UInt8) throws {
        let pair = try makePair(client: { $0.only(.tls12) })
        _ = pair.client.turn()
        var hello = pair.client.outbound
        hello[10] = minor
        pair.server.inbound = hello
        _ = pair.server.turn()
        #expect(pair.server.failure == .unsupportedVersion)
        #expect(pair.server.outbound.suffix(2) == [2, 70])
    }

    @Test func ciphersAreHonoured() throws {
        let one = try makePair(client: { $0.cipherSuites = "TLS_CHACHA20_POLY1305_SHA256" })
        one.run()
        #expect(one.server.session.cipherName == "TLS_CHACHA20_POLY1305_SHA256")

        let other = try makePair(
            client: { $0.only(.tls12) }, server: { $0.cipherList = "ECDHE-ECDSA-AES256-GCM-SHA384" })
        other.run()
        #expect(other.client.session.cipherName == "ECDHE-ECDSA-AES256-GCM-SHA384")
    }

    /// A client that leads with ChaCha20 has no AES in hardware; otherwise the server's order counts.
    @Test func theServerPrefersUnlessTheClientLacksAES() throws {
        let reversed = try makePair(
            client: { $0.cipherSuites = "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256" })
        reversed.run()
        #expect(reversed.server.session.cipherName == "TLS_AES_128_GCM_SHA256")

        let without = try makePair(
            client: { $0.cipherSuites = "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256" })
        without.run()
        #expect(without.server.session.cipherName == "TLS_CHACHA20_POLY1305_SHA256")
    }

    @Test func noSharedCipher() throws {
        let suites = try makePair(
            client: { $0.cipherSuites = "TLS_AES_256_GCM_SHA384"; $0.only(.tls13) },
            server: { $0.cipherSuites = "TLS_AES_128_GCM_SHA256" })
        suites.run()
        #expect(suites.server.failure == .noSharedCipher)
        #expect(suites.client.failure == .alertReceived(40))

        let list = try makePair(
            client: { $0.cipherList = "ECDHE-ECDSA-AES256-GCM-SHA384"; $0.only(.tls12) },
            server: { $0.cipherList = "ECDHE-ECDSA-AES128-GCM-SHA256" })
        list.run()
        #expect(list.server.failure == .noSharedCipher)
    }

    /// What each side offers, and what comes of it; nil: a refusal.
    @Test func applicationProtocols() throws {
        let table: [(client: [String], server: [String], agreed: String??)] = [
            ([], [], .some(nil)), (["npro/1"], [], .some(nil)), ([], ["npro/1"], .some(nil)),
            (["npro/1"], ["npro/1"], "npro/1"), (["h2", "npro/1"], ["npro/1", "h2"], "npro/1"),
            (["h2"], ["npro/1"], .none), (["npro"], ["npro/1"], .none),
        ]
        for version in TLSVersion.allCases {
            for row in table {
                let pair = try makePair(
                    client: { $0.only(version); $0.applicationProtocols = row.client },
                    server: { $0.applicationProtocols = row.server })
                pair.run()
                guard let agreed = row.agreed else {
                    #expect(pair.server.failure == .noApplicationProtocol)
                    #expect(pair.client.failure == .alertReceived(120))
                    continue
                }
                #expect(pair.client.session.applicationProtocol == agreed)
                #expect(pair.server.session.applicationProtocol == agreed)
                pair.exchange()
            }
        }
    }

    @Test func theNameIsSentAndAnAddressIsNot() throws {
        for (name, isSent) in [("relay.test", true), ("127.0.0.1", false), ("::1", false)] {
            let client = try TLSEnd(clientContext { $0.serverName = name })
            _ = client.turn()
            let hello = String(decoding: client.outbound, as: Unicode.ASCII.self)
            #expect(hello.contains(name) == isSent)
        }
    }

    /// A context that is gone, or was replaced, changes nothing for a session that began with it.
    @Test func sessionsOutliveTheirContexts() throws {
        let pair = try makePair()  // The contexts end here.
        pair.run()
        pair.exchange()
        let identities = try TestIdentities.shared.get()
        let renewed = try TLSEnd(serverContext { $0.use(identities.rsa) })
        let second = TLSPair(client: try TLSEnd(clientContext()), server: renewed)
        second.run()
        #expect(second.client.session.peerCertificate?.subject == "CN=rsa,O=Apus tests")
        pair.exchange()
        #expect(pair.client.session.peerCertificate?.subject == "CN=server,O=Apus tests")
    }
}
