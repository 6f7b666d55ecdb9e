// Version 1 byte for byte (NPRO §1.4), both roles.

import Testing

@testable import ApusSecurity

struct HandshakeVectorTests {
    let vectors: SecurityVectors.Handshake

    init() throws { vectors = try SecurityVectors.load().handshake }

    private func randomness(_ privateKey: String, _ nonce: String, prefix: UInt8) -> HandshakeRandomness {
        HandshakeRandomness(
            privateKey: SecretKey32(octets(privateKey)), nonce: octets(nonce),
            noncePrefix: [UInt8](repeating: prefix, count: 16))
    }

    private func client() -> ClientHandshake {
        ClientHandshake(.plainV1, randomness: randomness(vectors.clientPrivate, vectors.clientNonce, prefix: 1))
    }

    private func server() -> ServerHandshake {
        ServerHandshake(.plainV1, randomness: randomness(vectors.serverPrivate, vectors.serverNonce, prefix: 2))
    }

    @Test func messagesAreThoseOfTheSpecification() throws {
        let replay = ReplayTable(handshakesPerSecond: 1)
        var client = client()
        var server = server()
        let initiation = client.start(wallMilliseconds: vectors.timestampMs)
        #expect(hex(initiation) == vectors.`init`)
        let response = try server.reply(to: initiation, replay: replay)
        #expect(hex(response) == vectors.response)
        let session = try client.receive(response.span.bytes)
        #expect(hex(session.confirm) == vectors.confirm)
        let atServer = try server.establish(session.confirm, replay: replay)
        let isV1 = session.isV1 && atServer.isV1
        #expect(isV1)
    }

    @Test func keyIsThatOfTheSpecification() throws {
        let clientKey = X25519.PrivateKey(SecretKey32(octets(vectors.clientPrivate)))
        let shared = try clientKey.sharedSecret(with: octets(vectors.serverPublic).span.bytes)
        let (clientNonce, serverNonce) = (octets(vectors.clientNonce), octets(vectors.serverNonce))
        let key = KeySchedule.versionOneKey(
            shared: shared, clientNonce: clientNonce.span.bytes, serverNonce: serverNonce.span.bytes)
        #expect(hex(key.copy) == vectors.sessionKey)
    }

    /// The session opens what the specification sealed with that key.
    @Test func sessionOpensTheSealedVectors() throws {
        for vector in try SecurityVectors.load().sealed {
            let replay = ReplayTable(handshakesPerSecond: 1)
            var client = client()
            var server = server()
            let response = try server.reply(to: client.start(wallMilliseconds: vectors.timestampMs), replay: replay)
            let session = try client.receive(response.span.bytes)
            var atServer = SealedEnd(try server.establish(session.confirm, replay: replay))
            #expect(hex(try atServer.open(octets(vector.payload))) == vector.plaintext)
            var atClient = SealedEnd(session)
            #expect(hex(try atClient.open(octets(vector.payload))) == vector.plaintext)
        }
    }

    /// The client may send its first sealed packet together with Confirm, before the server said anything more.
    @Test func sealedPacketsMayFollowConfirmAtOnce() throws {
        for settings in [HandshakeSettings.plainV1, HandshakeSettings()] {
            let replay = ReplayTable(handshakesPerSecond: 1)
            var client = ClientHandshake(settings)
            var server = ServerHandshake(settings)
            let response = try server.reply(to: client.start(wallMilliseconds: HandshakeRig.wall), replay: replay)
            let session = try client.receive(response.span.bytes)
            let confirm = session.confirm
            var atClient = SealedEnd(session)
            let first = atClient.seal([0, 0, 0, 0])
            var atServer = SealedEnd(try server.establish(confirm, replay: replay))
            #expect(try atServer.open(first) == [0, 0, 0, 0])
        }
    }

    /// Two interleaved handshakes: keys match pairwise and differ from each other.
    @Test func handshakesDoNotShareState() throws {
        let replay = ReplayTable(handshakesPerSecond: 1)
        var firstClient = ClientHandshake(.plainV1)
        var secondClient = ClientHandshake(.plainV1)
        var firstServer = ServerHandshake(.plainV1)
        var secondServer = ServerHandshake(.plainV1)
        let firstInit = firstClient.start(wallMilliseconds: HandshakeRig.wall)
        let secondInit = secondClient.start(wallMilliseconds: HandshakeRig.wall)
        let secondResponse = try secondServer.reply(to: secondInit, replay: replay)
        let firstResponse = try firstServer.reply(to: firstInit, replay: replay)
        let first = try firstClient.receive(firstResponse.span.bytes)
        let second = try secondClient.receive(secondResponse.span.bytes)
        var atFirst = SealedEnd(try firstServer.establish(first.confirm, replay: replay))
        var atSecond = SealedEnd(try secondServer.establish(second.confirm, replay: replay))
        var fromFirst = SealedEnd(first)
        var fromSecond = SealedEnd(second)
        let sealed = fromFirst.seal([1])
        #expect(throws: SealedViolation.authenticationFailed) { try atSecond.open(sealed) }
        #expect(try atFirst.open(sealed) == [1])
        #expect(try atSecond.open(fromSecond.seal([2])) == [2])
    }

    @Test func nothingIsDrawnTwice() {
        var seen = Set<[UInt8]>()
        for _ in 0..<200 {
            var client = ClientHandshake(.init())
            let payload = client.start(wallMilliseconds: 0)
            #expect(seen.insert(Array(payload[4..<36])).inserted, "the public key")
            #expect(seen.insert(Array(payload[44..<60])).inserted, "the nonce")
        }
    }

    @Test func handshakesAreSmall() {
        #expect(MemoryLayout<ServerHandshake>.size <= 400)
        #expect(MemoryLayout<ClientHandshake>.size <= 400)
    }
}
