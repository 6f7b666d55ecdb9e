// Diffie-Hellman against RFC 7748, and the public keys that it must refuse.

import ApusSecurity
import Testing

struct X25519Tests {
    /// RFC 7748 §5.2.
    @Test(arguments: [
        (
            "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
            "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
            "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"
        ),
        (
            "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
            "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
            "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957"
        ),
    ])
    func scalarsMultiply(scalar: String, point: String, product: String) throws {
        let secret = try X25519.sharedSecret(SecretKey32(octets(scalar)), with: octets(point).span.bytes)
        #expect(secret.copy == octets(product))
    }

    /// RFC 7748 §5.2, the first 1,000 rounds.
    @Test func iterationIsThatOfTheStandard() throws {
        var (scalar, point) = (octets("09" + String(repeating: "00", count: 31)), [UInt8]())
        point = scalar
        for round in 1...1000 {
            let product = try X25519.sharedSecret(SecretKey32(scalar), with: point.span.bytes).copy
            (scalar, point) = (product, scalar)
            if round == 1 {
                #expect(hex(scalar) == "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079")
            }
        }
        #expect(hex(scalar) == "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51")
    }

    /// RFC 7748 §6.1.
    @Test func bothSidesAgree() throws {
        let alice = SecretKey32(octets("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"))
        let bob = SecretKey32(octets("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"))
        let (alicePublic, bobPublic) = (X25519.publicKey(of: alice), X25519.publicKey(of: bob))
        #expect(hex(alicePublic) == "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
        #expect(hex(bobPublic) == "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
        let shared = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"
        #expect(hex(try X25519.sharedSecret(alice, with: bobPublic.span.bytes).copy) == shared)
        #expect(hex(try X25519.sharedSecret(bob, with: alicePublic.span.bytes).copy) == shared)
    }

    @Test func freshKeysAgree() throws {
        let client = X25519.PrivateKey()
        let server = X25519.PrivateKey()
        let left = try client.sharedSecret(with: server.publicKey.span.bytes)
        let right = try server.sharedSecret(with: client.publicKey.span.bytes)
        #expect(left.copy == right.copy)
        #expect(client.publicKey != server.publicKey)
    }

    @Test func keysOfTheHandshakeVectorsAgree() throws {
        let vectors = try SecurityVectors.load().handshake
        let client = SecretKey32(octets(vectors.clientPrivate))
        let server = SecretKey32(octets(vectors.serverPrivate))
        #expect(hex(X25519.publicKey(of: client)) == vectors.clientPublic)
        #expect(hex(X25519.publicKey(of: server)) == vectors.serverPublic)
        let shared = try X25519.sharedSecret(client, with: octets(vectors.serverPublic).span.bytes)
        #expect(hex(shared.copy) == vectors.shared)
    }

    /// The points of order 1, 2, 4 and 8, with the encodings above the prime.
    static let lowOrder = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ]

    @Test(arguments: lowOrder) func lowOrderIsRefused(point: String) {
        #expect(throws: SecurityError.weakPublicKey) {
            _ = try X25519.PrivateKey().sharedSecret(with: octets(point).span.bytes)
        }
    }
}
