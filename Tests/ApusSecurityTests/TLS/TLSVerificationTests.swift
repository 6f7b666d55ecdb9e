// Who is believed: authorities, names, dates, pins, and the proof of the key that nothing waives.

import ApusSecurity
import Testing

@Suite struct TLSVerificationTests {
    let identities: TestIdentities

    init() throws { identities = try TestIdentities.shared.get() }

    /// What the client makes of a server that shows `identity`.
    private func verdict(
        _ version: TLSVersion, on identity: TestIdentity, _ change: (inout TLSSettings) -> Void = { _ in }
    ) throws -> TLSFailure? {
        let pair = try makePair(
            client: {
                $0.only(version)
                change(&$0)
            }, server: { $0.use(identity) })
        pair.run()
        if pair.client.isComplete { pair.exchange() } else { #expect(!pair.server.isComplete) }
        return pair.client.failure
    }

    @Test(arguments: TLSVersion.allCases)
    func serversCertificates(version: TLSVersion) throws {
        #expect(try verdict(version, on: identities.server) == nil)
        #expect(try verdict(version, on: identities.foreign)?.label.description == "certificate_unverified")
        #expect(try verdict(version, on: identities.selfSigned)?.label.description == "certificate_unverified")
        #expect(try verdict(version, on: identities.expired) == .certificateExpired)
        // A certificate that is its own authority.
        let itself = TLSAuthorities.pem(identities.selfSigned.chain)
        #expect(try verdict(version, on: identities.selfSigned) { $0.authorities = itself } == nil)
        // The private authority is not one of the system's.
        #expect(
            try verdict(version, on: identities.server) { $0.authorities = .system }?.label.description
                == "certificate_unverified")
    }

    @Test(arguments: TLSVersion.allCases)
    func names(version: TLSVersion) throws {
        let good = ["relay.test", "RELAY.test", "a.wild.test", "127.0.0.1"]
        let bad = ["other.test", "wild.test", "a.b.wild.test", "127.0.0.2", "::1", "server"]
        for name in good { #expect(try verdict(version, on: identities.server) { $0.serverName = name } == nil) }
        for name in bad { #expect(try verdict(version, on: identities.server) { $0.serverName = name } == .wrongName) }
    }

    @Test func aSessionMaySayAnotherName() throws {
        let context = try clientContext { $0.serverName = nil }
        #expect(throws: TLSConfigurationError.self) { _ = try TLSSession(context) }
        #expect(throws: TLSConfigurationError.self) { _ = try TLSSession(context, serverName: "a\0b") }
        let client = try TLSEnd(clientContext())
        client.session = try TLSSession(context, serverName: "other.test")
        let pair = TLSPair(client: client, server: try TLSEnd(serverContext()))
        pair.run()
        #expect(client.failure == .wrongName)
    }

    /// A pin is checked as well as the chain, or instead of one; never instead of the proof.
    @Test(arguments: TLSVersion.allCases)
    func pins(version: TLSVersion) throws {
        let (right, wrong) = (try CertificatePin(of: identities.server), try CertificatePin(of: identities.client))
        #expect(try verdict(version, on: identities.server) { $0.pins = [right] } == nil)
        #expect(try verdict(version, on: identities.server) { $0.pins = [wrong, right] } == nil)
        #expect(try verdict(version, on: identities.server) { $0.pins = [wrong] } == .wrongPin)
        // The right pin does not make up for a foreign chain or a wrong name.
        let foreign = try CertificatePin(of: identities.foreign)
        #expect(
            try verdict(version, on: identities.foreign) { $0.pins = [foreign] }?.label.description
                == "certificate_unverified")
        #expect(
            try verdict(version, on: identities.server) {
                $0.pins = [right]
                $0.serverName = "other.test"
            } == .wrongName)
    }

    @Test(arguments: TLSVersion.allCases)
    func pinsWithoutAnAuthority(version: TLSVersion) throws {
        func pinOnly(_ identity: TestIdentity) throws -> (inout TLSSettings) -> Void {
            let pin = try CertificatePin(of: identity)
            return {
                $0.authorities = .none
                $0.serverName = nil
                $0.pins = [pin]
            }
        }
        #expect(try verdict(version, on: identities.selfSigned, pinOnly(identities.selfSigned)) == nil)
        #expect(try verdict(version, on: identities.foreign, pinOnly(identities.foreign)) == nil)
        #expect(try verdict(version, on: identities.server, pinOnly(identities.selfSigned)) == .wrongPin)
        #expect(try verdict(version, on: identities.expired, pinOnly(identities.expired)) == .certificateExpired)
    }

    /// Whoever copies a certificate has no key to it. The public Rust crate let such a peer in.
    @Test(arguments: TLSVersion.allCases)
    func aPinnedCertificateWithoutItsKey(version: TLSVersion) throws {
        let pin = try CertificatePin(of: identities.stolen)
        #expect(pin == (try CertificatePin(of: identities.server)))
        #expect(try verdict(version, on: identities.stolen) == .badSignature)
        #expect(try verdict(version, on: identities.stolen) { $0.pins = [pin] } == .badSignature)
        #expect(
            try verdict(version, on: identities.stolen) {
                $0.authorities = .none
                $0.pins = [pin]
            } == .badSignature)
    }

    // MARK: Clients' certificates

    /// What the server makes of a client that shows `identity`.
    private func clientVerdict(
        _ version: TLSVersion, _ verification: ClientVerification, on identity: TestIdentity?,
        pins: [CertificatePin] = []
    ) throws -> TLSFailure? {
        let pair = try makePair(
            client: {
                $0.only(version)
                if let identity { $0.use(identity) }
            },
            server: {
                guard verification != .none else { return }
                $0.clientVerification = verification
                $0.authorities = .pem(identities.authority.chain)
                $0.pins = pins
            })
        pair.run()
        if let failure = pair.server.failure {
            // In TLS 1.3 the client was done before the server looked at its certificate.
            if case .alertReceived = pair.client.failure {} else { Issue.record("\(failure), and the client unaware") }
            return failure
        }
        pair.exchange()
        let isShown = identity != nil && verification != .none
        #expect((pair.server.session.peerCertificate?.subject == "CN=client,O=Apus tests") == isShown)
        return nil
    }

    @Test(arguments: TLSVersion.allCases)
    func clientsCertificates(version: TLSVersion) throws {
        #expect(try clientVerdict(version, .none, on: nil) == nil)
        #expect(try clientVerdict(version, .none, on: identities.client) == nil)
        #expect(try clientVerdict(version, .optional, on: nil) == nil)
        #expect(try clientVerdict(version, .optional, on: identities.client) == nil)
        #expect(try clientVerdict(version, .required, on: identities.client) == nil)
        #expect(try clientVerdict(version, .required, on: nil) == .certificateRequired)
        for verification in [ClientVerification.optional, .required] {
            #expect(try clientVerdict(version, verification, on: identities.expired) == .certificateExpired)
            #expect(
                try clientVerdict(version, verification, on: identities.foreign)?.label.description
                    == "certificate_unverified")
            #expect(try clientVerdict(version, verification, on: identities.stolen) == .badSignature)
        }
        let (right, wrong) = (try CertificatePin(of: identities.client), try CertificatePin(of: identities.server))
        #expect(try clientVerdict(version, .required, on: identities.client, pins: [right]) == nil)
        #expect(try clientVerdict(version, .required, on: identities.client, pins: [wrong]) == .wrongPin)
    }
}
