// The extension byte for byte: the vectors of docs/protocol.md, which were computed a second time in another language.

import Foundation
import Testing

@testable import ApusSecurity

struct ExtensionVectors: Decodable {
    struct Handshake: Decodable {
        let name: String
        let `init`, response, confirm, secret, clientToServer, serverToClient, sealedPing, sealedPong: String

        /// All of them, as the page has them.
        var values: [String] {
            [`init`, response, confirm, secret, clientToServer, serverToClient, sealedPing, sealedPong]
        }
    }

    let handshakes: [Handshake]

    static func load() throws -> [Handshake] {
        let url = try #require(
            Bundle.module.url(forResource: "extension", withExtension: "json", subdirectory: "Vectors"))
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(ExtensionVectors.self, from: Data(contentsOf: url)).handshakes
    }
}

struct ExtensionVectorTests {
    private let golden: SecurityVectors.Handshake
    private let clientIdentity = IdentityKey(seed: SecretKey32(Array(0x80...0x9F)))
    private let serverIdentity = IdentityKey(seed: SecretKey32(Array(0xA0...0xBF)))

    init() throws { golden = try SecurityVectors.load().handshake }

    /// In the order of the file: nothing configured, and everything.
    private func settings(_ index: Int, _ identity: IdentityKey, peer: IdentityKey) -> HandshakeSettings {
        guard index == 1 else { return HandshakeSettings() }
        return .with {
            $0.presharedKey = PresharedKey([UInt8](0x60...0x7F).span.bytes)
            $0.identity = identity
            $0.pinnedPeers = [peer.publicKey]
            $0.compression = [2, 1]
        }
    }

    private func randomness(_ privateKey: String, _ nonce: String, prefix: ClosedRange<UInt8>) -> HandshakeRandomness {
        HandshakeRandomness(
            privateKey: SecretKey32(octets(privateKey)), nonce: octets(nonce), noncePrefix: Array(prefix))
    }

    @Test func bytesAreThoseOfTheVectors() throws {
        for (index, vector) in try ExtensionVectors.load().enumerated() {
            let replay = ReplayTable(handshakesPerSecond: 1)
            var client = ClientHandshake(
                settings(index, clientIdentity, peer: serverIdentity),
                randomness: randomness(golden.clientPrivate, golden.clientNonce, prefix: 0x40...0x4F))
            var server = ServerHandshake(
                settings(index, serverIdentity, peer: clientIdentity),
                randomness: randomness(golden.serverPrivate, golden.serverNonce, prefix: 0x50...0x5F))
            let initiation = client.start(wallMilliseconds: golden.timestampMs)
            #expect(hex(initiation) == vector.`init`, "\(vector.name)")
            let response = try server.reply(to: initiation, replay: replay)
            #expect(hex(response) == vector.response, "\(vector.name)")
            let session = try client.receive(response.span.bytes)
            let confirm = session.confirm
            #expect(hex(confirm) == vector.confirm, "\(vector.name)")
            var atServer = SealedEnd(try server.establish(confirm, replay: replay))
            var atClient = SealedEnd(session)
            #expect(hex(atClient.seal([0, 0, 0, 0])) == vector.sealedPing, "\(vector.name)")
            #expect(hex(atServer.seal([1, 0, 0, 0])) == vector.sealedPong, "\(vector.name)")
        }
    }

    @Test func keysAreThoseOfTheVectors() throws {
        for (index, vector) in try ExtensionVectors.load().enumerated() {
            let shared = SecretKey32(octets(golden.shared))
            let settings = settings(index, clientIdentity, peer: serverIdentity)
            let secret = KeySchedule.secret(shared: shared, presharedKey: settings.presharedKey)
            #expect(hex(secret.copy) == vector.secret, "\(vector.name)")
            let digest = SHA256.hash(octets(vector.`init` + vector.response + vector.confirm).span.bytes)
            let toServer = KeySchedule.expand(secret, KeySchedule.Label.clientToServer, digest: digest)
            let toClient = KeySchedule.expand(secret, KeySchedule.Label.serverToClient, digest: digest)
            #expect(hex(toServer.copy) == vector.clientToServer, "\(vector.name)")
            #expect(hex(toClient.copy) == vector.serverToClient, "\(vector.name)")
        }
    }

    /// The page prints the fields one by one, with names between them.
    @Test func thePageHasTheVectors() throws {
        let root = (0..<4).reduce(URL(fileURLWithPath: #filePath)) { url, _ in url.deletingLastPathComponent() }
        let page = try String(contentsOf: root.appendingPathComponent("docs/protocol.md"), encoding: .utf8)
        let runs = page.split(whereSeparator: \.isWhitespace).filter { $0.allSatisfy(\.isHexDigit) }.joined()
        for vector in try ExtensionVectors.load() {
            for value in vector.values { #expect(runs.contains(value), "\(vector.name)") }
        }
    }
}
