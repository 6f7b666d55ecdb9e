// Who sits between two peers, or pretends to be one: alters, cuts, takes away, repeats, and has no key.

import ApusWire
import Testing

@testable import ApusSecurity

struct HandshakeAttackTests {
    /// All that the extension has: pre-shared key, identities, compression.
    private var full: HandshakeRig {
        HandshakeRig(
            client: .with {
                $0.presharedKey = TestKeys.presharedKey
                $0.identity = TestKeys.client
                $0.pinnedPeers = [TestKeys.server.publicKey]
                $0.compression = [1, 2]
            },
            server: .with {
                $0.presharedKey = TestKeys.presharedKey
                $0.identity = TestKeys.server
                $0.pinnedPeers = [TestKeys.client.publicKey]
                $0.compression = [2]
            },
            replay: ReplayTable(handshakesPerSecond: 1000))
    }

    private var bare: HandshakeRig { HandshakeRig(replay: ReplayTable(handshakesPerSecond: 1000)) }

    private var plain: HandshakeRig {
        HandshakeRig(client: .plainV1, server: .plainV1, replay: ReplayTable(handshakesPerSecond: 1000))
    }

    private func byteCount(_ flight: Flight, _ rig: HandshakeRig) -> Int {
        var (rig, count) = (rig, 0)
        rig.alter = { if $0 == flight { count = $1.count } }
        guard case .established = rig.run() else {
            Issue.record("an honest handshake failed")
            return 0
        }
        return count
    }

    private func isRefused(_ outcome: Outcome) -> Bool {
        if case .refused = outcome { true } else { false }
    }

    // MARK: Altered and cut

    /// With the extension, no bit of any message can be changed. One bit of each byte, another in each pass.
    @Test(arguments: Flight.allCases) func everyAlteredByteIsRefused(flight: Flight) {
        for rig in [full, bare] {
            for offset in 0..<byteCount(flight, rig) {
                for bit in [offset % 8, (offset + 5) % 8] {
                    var rig = rig
                    rig.alter = { if $0 == flight { $1[offset] ^= 1 << bit } }
                    #expect(isRefused(rig.run()), "\(flight), byte \(offset), bit \(bit)")
                }
            }
        }
    }

    /// Version 1 notices what its key depends on, by the key; its timestamp it does not cover (NPRO §2.2).
    @Test(arguments: Flight.allCases) func versionOneCoversItsKeysAndNonces(flight: Flight) {
        for bit in 0..<byteCount(flight, plain) * 8 {
            var rig = plain
            rig.alter = { if $0 == flight { $1 = $1.flipping(bit: bit) } }
            let outcome = rig.run()
            let isTimestamp = flight == .initiation && (36..<44).contains(bit / 8)
            // X25519 ignores the top bit of a public key (RFC 7748 §5).
            let isIgnored = flight != .confirm && bit == 35 * 8 + 7
            if isTimestamp || isIgnored {
                #expect(outcome != .differentKeys, "\(flight), bit \(bit)")
            } else {
                #expect(isRefused(outcome) || outcome == .differentKeys, "\(flight), bit \(bit)")
            }
        }
    }

    @Test(arguments: Flight.allCases) func everyCutIsRefused(flight: Flight) {
        for rig in [full, bare, plain] {
            for count in 0..<byteCount(flight, rig) {
                var rig = rig
                rig.alter = { if $0 == flight { $1 = Array($1.prefix(count)) } }
                #expect(isRefused(rig.run()), "\(flight), \(count) bytes")
            }
        }
    }

    @Test(arguments: Flight.allCases) func addedBytesAreRefused(flight: Flight) {
        for rig in [full, bare] {
            var rig = rig
            rig.alter = { if $0 == flight { $1.append(0) } }
            #expect(isRefused(rig.run()), "\(flight)")
        }
    }

    /// Version 1 ignores bytes behind a message (NPRO §1.2).
    @Test(arguments: Flight.allCases) func versionOneIgnoresTrailingBytes(flight: Flight) {
        var rig = plain
        rig.alter = { if $0 == flight { $1 += [1, 2, 3] } }
        let facts = SessionFacts(isV1: true)
        #expect(rig.run() == .established(client: facts, server: facts))
        // Also before a server that looks for an extension there.
        rig.server = .init()
        #expect(rig.run() == .established(client: facts, server: facts))
    }

    // MARK: Downgrade

    private func messageByteCount(_ flight: Flight) -> Int {
        switch flight {
        case .initiation: 60
        case .response: 84
        case .confirm: 36
        }
    }

    @Test(arguments: Flight.allCases) func takingTheExtensionAwayIsNoticed(flight: Flight) {
        for rig in [full, bare] {
            var rig = rig
            rig.client.allowsV1 = true
            rig.server.allowsV1 = true
            rig.alter = { if $0 == flight { $1 = Array($1.prefix(messageByteCount(flight))) } }
            #expect(rig.run() == .refused(by: flight == .response ? .client : .server, .strippedExtension))
        }
    }

    /// Who also changes the nonces, so that nothing tells, has changed the key: only an attacker with keys of his own,
    /// which version 1 cannot tell from a peer, makes two peers of the extension speak version 1.
    @Test func hidingTheExtensionCostsTheKey() {
        var rig = bare
        var seen: (client: [UInt8], server: [UInt8]) = ([], [])
        rig.alter = { flight, payload in
            payload = Array(payload.prefix(messageByteCount(flight)))
            switch flight {
            case .initiation:
                seen.client = Array(payload[44..<60])
                payload[59] ^= 1
            case .response:
                payload[52..<84] = SHA256.hash(seen.client.span.bytes)[...]
            case .confirm: break
            }
        }
        #expect(rig.run() == .differentKeys)
    }

    @Test func plainPeersAreRefusedWhereProofIsAsked() {
        for (asks, refusal) in [(full.client, Side.client), (full.server, .server)] {
            var rig = plain
            if refusal == .client { rig.client = asks } else { rig.server = asks }
            #expect(rig.run() == .refused(by: refusal, .plainV1))
            rig.client.allowsV1 = true
            rig.server.allowsV1 = true
            let facts = SessionFacts(isV1: true)
            #expect(rig.run() == .established(client: facts, server: facts), "allowed")
        }
    }

    /// A later version's additions are ignored, and covered.
    @Test func laterVersionsAreAnsweredAsThisOne() throws {
        let replay = ReplayTable(handshakesPerSecond: 1)
        var client = ClientHandshake(.init())
        var server = ServerHandshake(.init())
        var initiation = client.start(wallMilliseconds: HandshakeRig.wall)
        initiation[64] = 2
        initiation += [9, 9, 9]
        let response = try server.reply(to: initiation, replay: replay)
        #expect(response[88] == 1)
        // This client did not say that, so it notices.
        #expect(throws: HandshakeRefusal.wrongProof) { _ = try client.receive(response.span.bytes) }
    }

    @Test func impossibleExtensionsAreRefused() {
        let cases: [(Flight, Side, String, (inout [UInt8]) -> Void)] = [
            (.initiation, .server, "version 0", { $0[64] = 0 }),
            (.initiation, .server, "more algorithms than there are bytes", { $0[66] = 1 }),
            (.initiation, .server, "too many algorithms", { $0[66] = 17; $0 += [UInt8](repeating: 3, count: 17) }),
            (.initiation, .server, "algorithm 0", { $0[66] = 1; $0 += [0] }),
            (.response, .client, "another version", { $0[88] = 2 }),
            (.response, .client, "an unknown flag", { $0[89] = 4 }),
            (.response, .client, "a pre-shared key that we do not have", { $0[89] = 1 }),
            (.response, .client, "an algorithm that we did not offer", { $0[90] = 2 }),
            (.response, .client, "a reserved byte", { $0[91] = 1 }),
            (.response, .client, "an identity without room", { $0[89] = 2 }),
            (.confirm, .server, "another version", { $0[40] = 2 }),
            (.confirm, .server, "a pre-shared key", { $0[41] = 1 }),
            (.confirm, .server, "an identity without room", { $0[41] = 2 }),
            (.confirm, .server, "an algorithm", { $0[42] = 1 }),
            (.confirm, .server, "a reserved byte", { $0[43] = 1 }),
        ]
        for (flight, side, name, change) in cases {
            var rig = bare
            rig.alter = { if $0 == flight { change(&$1) } }
            #expect(rig.run() == .refused(by: side, .malformedExtension), "\(flight): \(name)")
        }
    }

    /// An extension whose sender's nonce does not bear the mark would not be missed if it were taken away.
    @Test func unmarkedNoncesAreRefused() {
        var rig = bare
        rig.alter = { if $0 == .initiation { $1[44] ^= 1 } }
        #expect(rig.run() == .refused(by: .server, .malformedExtension))
        rig.alter = { if $0 == .response { $1[36] ^= 1 } }
        #expect(rig.run() == .refused(by: .client, .malformedExtension))
    }

    // MARK: Without the key

    @Test func anotherPresharedKeyIsRefused() {
        var rig = full
        rig.client.presharedKey = TestKeys.otherPresharedKey
        #expect(rig.run() == .refused(by: .client, .wrongProof))
    }

    /// The server has the same key, and the client proves another: the server refuses on its own.
    @Test func wrongProofsAreRefusedByTheServer() {
        var rig = full
        rig.alter = { if $0 == .confirm { $1[$1.count - 1] ^= 0x80 } }
        #expect(rig.run() == .refused(by: .server, .wrongProof))
    }

    @Test func strangersAreRefused() {
        var rig = full
        rig.client.identity = TestKeys.stranger
        #expect(rig.run() == .refused(by: .server, .unknownIdentity))
        rig = full
        rig.server.identity = TestKeys.stranger
        #expect(rig.run() == .refused(by: .client, .unknownIdentity))
        rig = full
        rig.server.identity = nil
        #expect(rig.run() == .refused(by: .client, .missingIdentity))
        rig = full
        rig.client.identity = nil
        #expect(rig.run() == .refused(by: .server, .missingIdentity))
    }

    /// A server that shows the pinned public key, does everything else right, and lacks the private key.
    @Test func aPinWithoutItsPrivateKeyIsRefused() throws {
        let settings = HandshakeSettings.with { $0.pinnedPeers = [TestKeys.server.publicKey] }
        for isImpostor in [false, true] {
            var client = ClientHandshake(settings)
            let initiation = client.start(wallMilliseconds: HandshakeRig.wall)
            let response = try Self.response(
                to: initiation, shows: TestKeys.server.publicKey,
                signs: isImpostor ? TestKeys.stranger : TestKeys.server)
            if isImpostor {
                #expect(throws: HandshakeRefusal.wrongSignature) { _ = try client.receive(response.span.bytes) }
            } else {
                #expect(try client.receive(response.span.bytes).peerIdentity == TestKeys.server.publicKey)
            }
        }
    }

    /// Response, put together by hand.
    private static func response(
        to initiation: [UInt8], shows publicKey: [UInt8], signs signer: IdentityKey
    ) throws -> [UInt8] {
        let key = X25519.PrivateKey()
        let nonce = KeySchedule.marked(
            SecureRandom.bytes(16), publicKey: key.publicKey, KeySchedule.Label.serverMark)
        let (clientKey, clientNonce) = (Array(initiation[4..<36]), Array(initiation[44..<60]))
        let shared = try key.sharedSecret(with: clientKey.span.bytes)
        let secret = KeySchedule.secret(shared: shared, presharedKey: nil)
        var payload = HandshakeRole.encode(
            .handshakeResponse(
                publicKey: key.publicKey, nonce: nonce, verification: SHA256.hash(clientNonce.span.bytes)))
        ProofExtension.appendHeader(flags: .identity, compression: 0, to: &payload)
        payload += publicKey
        let signed = KeySchedule.Label.serverSignature + SHA256.hash((initiation + payload).span.bytes)
        payload += signer.sign(signed.span.bytes)
        let digest = SHA256.hash((initiation + payload).span.bytes)
        return payload + KeySchedule.expand(secret, KeySchedule.Label.serverProof, digest: digest).copy
    }

    /// And a client that shows a pinned public key without its private one, at the server.
    @Test func aClientWithoutItsPrivateKeyIsRefused() throws {
        let settings = HandshakeSettings.with { $0.pinnedPeers = [TestKeys.client.publicKey] }
        let replay = ReplayTable(handshakesPerSecond: 1)
        var server = ServerHandshake(settings)
        let key = X25519.PrivateKey()
        let nonce = KeySchedule.marked(
            SecureRandom.bytes(16), publicKey: key.publicKey, KeySchedule.Label.clientMark)
        var initiation = HandshakeRole.encode(
            .handshakeInit(publicKey: key.publicKey, timestampMilliseconds: HandshakeRig.wall, nonce: nonce))
        InitExtension(flags: .identity, compression: []).append(to: &initiation)
        let response = try server.reply(to: initiation, replay: replay)
        let serverKey = Array(response[4..<36])
        let secret = KeySchedule.secret(
            shared: try key.sharedSecret(with: serverKey.span.bytes), presharedKey: nil)
        var confirm = HandshakeRole.encode(
            .handshakeConfirm(verification: SHA256.hash(Array(response[36..<52]).span.bytes)))
        ProofExtension.appendHeader(flags: .identity, compression: 0, to: &confirm)
        confirm += TestKeys.client.publicKey
        let transcript = initiation + response
        let signed = KeySchedule.Label.clientSignature + SHA256.hash((transcript + confirm).span.bytes)
        confirm += TestKeys.stranger.sign(signed.span.bytes)
        let digest = SHA256.hash((transcript + confirm).span.bytes)
        confirm += KeySchedule.expand(secret, KeySchedule.Label.clientProof, digest: digest).copy
        #expect(throws: HandshakeRefusal.wrongSignature) { _ = try server.establish(confirm, replay: replay) }
    }

    /// Between two peers with a pre-shared key, somebody who does a handshake with each of them.
    @Test func aMiddleWithoutTheKeyIsRefused() {
        let keyed = HandshakeSettings.with { $0.presharedKey = TestKeys.presharedKey }
        let guessing = HandshakeSettings.with { $0.presharedKey = TestKeys.otherPresharedKey }
        for middle in [HandshakeSettings(), .plainV1, guessing] {
            #expect(isRefused(HandshakeRig(client: keyed, server: middle).run()))
            #expect(isRefused(HandshakeRig(client: middle, server: keyed).run()))
        }
    }

    // MARK: Weak keys

    @Test(arguments: X25519Tests.lowOrder) func weakPublicKeysAreRefused(point: String) {
        for settings in [HandshakeSettings.plainV1, HandshakeSettings()] {
            var rig = HandshakeRig(client: settings, server: settings)
            rig.alter = { flight, payload in
                guard flight == .initiation else { return }
                payload[4..<36] = octets(point)[...]
                Self.mark(&payload, publicKeyAt: 4, nonceAt: 44, KeySchedule.Label.clientMark)
            }
            // Version 1's client does not see its own Init, so it answers.
            #expect(isRefused(rig.run()))
            if settings.speaksExtension { #expect(rig.run() == .refused(by: .server, .weakPublicKey)) }
            rig.alter = { flight, payload in
                guard flight == .response else { return }
                payload[4..<36] = octets(point)[...]
                Self.mark(&payload, publicKeyAt: 4, nonceAt: 36, KeySchedule.Label.serverMark)
            }
            #expect(rig.run() == .refused(by: .client, .weakPublicKey))
        }
    }

    /// Version 1's server agrees on a secret after Confirm, so it is there that it refuses.
    @Test(arguments: X25519Tests.lowOrder) func weakPublicKeysAreRefusedAtConfirm(point: String) throws {
        let replay = ReplayTable(handshakesPerSecond: 1)
        var server = ServerHandshake(.plainV1)
        let initiation = HandshakeRole.encode(
            .handshakeInit(
                publicKey: octets(point), timestampMilliseconds: HandshakeRig.wall, nonce: SecureRandom.bytes(16)))
        let response = try server.reply(to: initiation, replay: replay)
        let confirm = HandshakeRole.encode(
            .handshakeConfirm(verification: SHA256.hash(Array(response[36..<52]).span.bytes)))
        #expect(throws: HandshakeRefusal.weakPublicKey) { _ = try server.establish(confirm, replay: replay) }
    }

    private static func mark(_ payload: inout [UInt8], publicKeyAt key: Int, nonceAt nonce: Int, _ label: [UInt8]) {
        let marked = KeySchedule.marked(
            Array(payload[nonce..<nonce + 16]), publicKey: Array(payload[key..<key + 32]), label)
        payload[nonce..<nonce + 16] = marked[...]
    }

    @Test func zeroedVerificationsAreRefused() {
        for rig in [full, bare, plain] {
            var rig = rig
            rig.alter = { if $0 == .response { $1.replaceSubrange(52..<84, with: [UInt8](repeating: 0, count: 32)) } }
            #expect(rig.run() == .refused(by: .client, .wrongVerification))
            rig.alter = { if $0 == .confirm { $1.replaceSubrange(4..<36, with: [UInt8](repeating: 0, count: 32)) } }
            #expect(rig.run() == .refused(by: .server, .wrongVerification))
        }
    }
}
