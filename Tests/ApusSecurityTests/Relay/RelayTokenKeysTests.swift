// Tokens, against the golden vectors and the negative ones (relay.md §2.2, §2.3), and with several secrets at once.

import ApusSecurity
import ApusWire
import Foundation
import Testing

struct RelayTokenKeysTests {
    private let keys = RelayTokenKeys(secrets: ["supersecret"])
    /// 2100-01-01T00:00:00Z, when the golden token expires.
    private static let expiry: Int64 = 4_102_444_800

    /// The parts of `Vectors/relay.json` that are about secrets.
    struct Vectors: Decodable {
        struct Peer: Decodable {
            let key: String
            let id: String
        }

        struct Token: Decodable {
            let secret: String
            let hmac_key: String
            let expiry: String
            let token: String
        }

        let peers: [Peer]
        let token: Token

        static func load() throws -> Vectors {
            let url = Bundle.module.url(forResource: "relay", withExtension: "json", subdirectory: "Vectors")
            return try JSONDecoder().decode(Vectors.self, from: Data(contentsOf: #require(url)))
        }
    }

    private func hex(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private func bytes(of id: PeerID) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: PeerID.byteCount) { buffer, count in
            var output = OutputRawSpan(buffer: UnsafeMutableRawBufferPointer(buffer), initializedCount: 0)
            id.write(into: &output)
            count = output.finalize(for: UnsafeMutableRawBufferPointer(buffer))
        }
    }

    private func refusal(
        _ token: [UInt8], at now: Int64 = expiry, _ keys: RelayTokenKeys? = nil
    ) -> RelayTokenRefusal? {
        do throws(RelayTokenRefusal) {
            _ = try (keys ?? self.keys).validate(token.span.bytes, at: now)
            return nil
        } catch {
            return error
        }
    }

    /// A token that is signed, whatever it says.
    private func signed(_ expiry: String, secret: String = "supersecret") -> [UInt8] {
        let key = SHA256.hash(Array(secret.utf8).span.bytes)
        let payload = Array(expiry.utf8)
        return [1] + HMACSHA256.authenticate(payload.span.bytes, key: key.span.bytes) + payload
    }

    // MARK: Vectors

    @Test func idsAreHashesOfKeys() throws {
        for peer in try Vectors.load().peers {
            #expect(hex(bytes(of: PeerID(hashing: peer.key))) == peer.id, "\(peer.key)")
        }
        // The one that NetBird's own probe shows (relay.md §1.4).
        let probe = "7368612d8997fbf9a582b2f557ce6510601a8b993f8bef68ff11aac982e2f0963ba9f61c"
        #expect(hex(bytes(of: PeerID(hashing: "healthcheck-agent"))) == probe)
    }

    @Test func theGoldenTokenIsMinted() throws {
        let vector = try Vectors.load().token
        #expect(hex(SHA256.hash(Array(vector.secret.utf8).span.bytes)) == vector.hmac_key)
        #expect(hex(keys.mint(expirySeconds: Self.expiry)) == vector.token)
        #expect(String(Self.expiry) == vector.expiry)
    }

    @Test func theGoldenTokenIsGoodUntilItsLastSecond() throws {
        let token = keys.mint(expirySeconds: Self.expiry)
        for now in [0, 1_767_225_600, Self.expiry - 1, Self.expiry] {
            let claim = try keys.validate(token.span.bytes, at: now)
            #expect((claim.expirySeconds, claim.isCurrent) == (Self.expiry, true))
        }
        #expect(refusal(token, at: Self.expiry + 1) == .expired)
        #expect(refusal(token, at: .max) == .expired)
    }

    // MARK: What is refused, in the order of the reference

    @Test func truncatedTokensAreRefused() {
        let token = keys.mint(expirySeconds: Self.expiry)
        #expect(refusal([]) == .empty)
        for byteCount in [1, 32, 33, 42] { #expect(refusal(Array(token[..<byteCount])) == .tooShort) }
    }

    @Test func otherAlgorithmsAreRefused() {
        for algorithm in [0, 2, 0xFF] as [UInt8] {
            #expect(refusal([algorithm] + keys.mint(expirySeconds: Self.expiry).dropFirst()) == .unsupportedAlgorithm)
            // Before it is found to be too short.
            #expect(refusal([algorithm]) == .unsupportedAlgorithm)
        }
    }

    @Test func everyBitOfTheSignatureAndOfTheExpiryCounts() {
        let token = keys.mint(expirySeconds: Self.expiry)
        for bit in 8..<token.count * 8 {
            var altered = token
            altered[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(refusal(altered) == .badSignature, "bit \(bit)")
        }
    }

    @Test func aSignatureIsJudgedBeforeTheExpiry() {
        var token = signed("healthcheck")
        #expect(refusal(token) == .malformedExpiry)
        token[1] ^= 1
        #expect(refusal(token) == .badSignature)
        var old = signed("1000000000")
        #expect(refusal(old) == .expired)
        old[1] ^= 1
        #expect(refusal(old) == .badSignature)
    }

    @Test func signedExpiriesThatAreNoNumberAreRefused() {
        #expect(refusal(signed("410244480")) == .tooShort)
        #expect(refusal(signed("4102444800x")) == .malformedExpiry)
        #expect(refusal(signed("99999999999999999999")) == .malformedExpiry)
        #expect(refusal(signed("+4102444800")) == nil)
        #expect(refusal(signed("-4102444800")) == .expired)
        #expect(refusal(signed(String(repeating: "0", count: 127) + "4102444800")) == nil)
    }

    @Test func anExpiryOfTheSecondBeforeIsRefused() {
        let now: Int64 = 1_767_225_600
        #expect(refusal(keys.mint(expirySeconds: now - 1), at: now) == .expired)
        #expect(refusal(keys.mint(expirySeconds: now), at: now) == nil)
    }

    @Test func aMintedTokenIsNeverTooShort() {
        for expiry in [0, 1, 999_999_999] as [Int64] {
            let token = keys.mint(expirySeconds: expiry)
            #expect(token.count == 43)
            #expect(refusal(token, at: expiry) == nil)
            #expect(refusal(token, at: expiry + 1) == .expired)
        }
        #expect(refusal(keys.mint(expirySeconds: .max), at: .max) == nil)
    }

    // MARK: Lifetimes

    @Test func aTokenThatLivesTooLongIsRefused() {
        let strict = RelayTokenKeys(secrets: ["supersecret"], lifetimeSecondsMax: 86_400)
        let now: Int64 = 1_767_225_600
        #expect(refusal(strict.mint(expirySeconds: now + 86_400), at: now, strict) == nil)
        #expect(refusal(strict.mint(expirySeconds: now + 86_401), at: now, strict) == .lifetimeTooLong)
        #expect(refusal(strict.mint(expirySeconds: .max), at: now, strict) == .lifetimeTooLong)
        // Their difference has more than 64 bits.
        #expect(refusal(strict.mint(expirySeconds: .max), at: .min, strict) == .lifetimeTooLong)
        #expect(refusal(strict.mint(expirySeconds: now - 1), at: now, strict) == .expired)
    }

    // MARK: Rotation

    @Test func everySecretIsHonouredAndTheFirstSigns() throws {
        let rotated = RelayTokenKeys(secrets: ["new", "supersecret", "older"])
        for (secret, isCurrent) in [("new", true), ("supersecret", false), ("older", false)] {
            let token = signed("4102444800", secret: secret)
            #expect(try rotated.validate(token.span.bytes, at: 0).isCurrent == isCurrent, "\(secret)")
        }
        #expect(refusal(signed("4102444800", secret: "oldest"), at: 0, rotated) == .badSignature)
        #expect(rotated.mint(expirySeconds: Self.expiry) == signed("4102444800", secret: "new"))
        #expect(refusal(rotated.mint(expirySeconds: Self.expiry)) == .badSignature)
    }

    @Test func oneSecretTwiceIsTheCurrentOne() throws {
        let twice = RelayTokenKeys(secrets: ["same", "same"])
        let token = twice.mint(expirySeconds: Self.expiry)
        #expect(try twice.validate(token.span.bytes, at: 0).isCurrent)
    }

    @Test func withoutASecretNothingIsMade() async {
        await #expect(processExitsWith: .failure) { _ = RelayTokenKeys(secrets: []) }
        await #expect(processExitsWith: .failure) { _ = RelayTokenKeys(secrets: ["one", ""]) }
    }

    @Test func manyThreadsAskAtOnce() async {
        let (keys, token) = (keys, keys.mint(expirySeconds: Self.expiry))
        let isGood = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    (0..<200).allSatisfy { _ in
                        do { return try keys.validate(token.span.bytes, at: 0).isCurrent } catch { return false }
                    }
                }
            }
            return await group.reduce(true) { $0 && $1 }
        }
        #expect(isGood)
    }
}
