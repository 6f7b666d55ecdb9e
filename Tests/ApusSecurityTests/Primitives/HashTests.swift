// SHA-256, HMAC, HKDF, Ed25519, comparison and randomness against their standards.

import ApusSecurity
import Testing

struct HashTests {
    /// FIPS 180-4's examples.
    @Test func digestsAreThoseOfTheStandard() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        #expect(hex(SHA256.hash(Array("abc".utf8).span.bytes)) == abc)
        let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        #expect(hex(SHA256.hash([UInt8]().span.bytes)) == nothing)
    }

    @Test func piecesHashAsOne() {
        let bytes = (0..<300).map { UInt8($0 % 251) }
        for split in 0...bytes.count {
            var pieces = SHA256.Accumulator()
            let (head, tail) = (Array(bytes[..<split]), Array(bytes[split...]))
            pieces.update(head.span.bytes)
            pieces.update(tail.span.bytes)
            #expect(pieces.finish() == SHA256.hash(bytes.span.bytes), "split at \(split)")
        }
    }

    /// RFC 4231 §4.2, §4.3, §4.7.
    @Test(arguments: [
        (
            String(repeating: "0b", count: 20), "Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        (
            "4a656665", "what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        (
            String(repeating: "aa", count: 131), "Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        ),
    ])
    func messagesAuthenticate(key: String, message: String, code: String) {
        #expect(hex(HMACSHA256.authenticate(Array(message.utf8).span.bytes, key: octets(key).span.bytes)) == code)
    }
}

struct HKDFTests {
    struct Vector: CustomTestStringConvertible {
        let name: String
        let secret, salt, context, extracted, expanded: [UInt8]

        var testDescription: String { name }
    }

    /// RFC 5869 §A.1 to §A.3.
    static let vectors = [
        Vector(
            name: "basic", secret: octets(String(repeating: "0b", count: 22)), salt: Array(0...12),
            context: Array(0xF0...0xF9),
            extracted: octets("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5"),
            expanded: octets(
                "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865")),
        Vector(
            name: "longer", secret: Array(0...0x4F), salt: Array(0x60...0xAF), context: Array(0xB0...0xFF),
            extracted: octets("06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244"),
            expanded: octets(
                """
                b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09
                da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87
                """)),
        Vector(
            name: "no salt, no context", secret: octets(String(repeating: "0b", count: 22)), salt: [], context: [],
            extracted: octets("19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04"),
            expanded: octets(
                "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8")),
    ]

    @Test(arguments: vectors) func vectorDerives(vector: Vector) {
        let extracted = HKDFSHA256.extract(salt: vector.salt.span.bytes, secret: vector.secret.span.bytes)
        #expect(extracted.copy == vector.extracted)
        var expanded = [UInt8](repeating: 0, count: vector.expanded.count)
        var target = expanded.mutableSpan
        var bytes = target.mutableBytes
        HKDFSHA256.expand(extracted, context: vector.context.span.bytes, into: &bytes)
        #expect(expanded == vector.expanded)
        let key = HKDFSHA256.expand(extracted, context: vector.context.span.bytes)
        #expect(key.copy == Array(vector.expanded.prefix(32)))
    }
}

struct Ed25519Tests {
    struct Vector {
        let seed, publicKey, message, signature: [UInt8]
    }

    /// RFC 8032 §7.1: TEST 1, 2, 3 and SHA(abc).
    static let vectors = [
        Vector(
            seed: octets("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"),
            publicKey: octets("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"), message: [],
            signature: octets(
                """
                e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b
                d25bf5f0595bbe24655141438e7a100b
                """)),
        Vector(
            seed: octets("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"),
            publicKey: octets("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"), message: [0x72],
            signature: octets(
                """
                92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c
                387b2eaeb4302aeeb00d291612bb0c00
                """)),
        Vector(
            seed: octets("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7"),
            publicKey: octets("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025"),
            message: [0xAF, 0x82],
            signature: octets(
                """
                6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659
                4a7c15e9716ed28dc027beceea1ec40a
                """)),
        Vector(
            seed: octets("833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42"),
            publicKey: octets("ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf"),
            message: octets(
                """
                ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd
                454d4423643ce80e2a9ac94fa54ca49f
                """),
            signature: octets(
                """
                dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e030
                3dca179c138ac17ad9bef1177331a704
                """)),
    ]

    @Test func vectorsSign() {
        for vector in Self.vectors {
            let identity = IdentityKey(seed: SecretKey32(vector.seed))
            #expect(identity.publicKey == vector.publicKey)
            #expect(identity.copySeed().copy == vector.seed)
            #expect(identity.sign(vector.message.span.bytes) == vector.signature)
        }
    }

    private func isValid(_ signature: [UInt8], of message: [UInt8], by key: [UInt8]) -> Bool {
        Ed25519.isValid(signature: signature.span.bytes, of: message.span.bytes, by: key.span.bytes)
    }

    @Test func vectorsVerify() {
        for vector in Self.vectors {
            #expect(isValid(vector.signature, of: vector.message, by: vector.publicKey))
        }
    }

    @Test func everyFlippedBitIsRefused() {
        let vector = Self.vectors[1]
        for bit in 0..<vector.signature.count * 8 {
            let flipped = vector.signature.flipping(bit: bit)
            #expect(!isValid(flipped, of: vector.message, by: vector.publicKey), "signature, bit \(bit)")
        }
        for bit in 0..<vector.publicKey.count * 8 {
            let flipped = vector.publicKey.flipping(bit: bit)
            #expect(!isValid(vector.signature, of: vector.message, by: flipped), "key, bit \(bit)")
        }
        for bit in 0..<8 {
            let flipped = vector.message.flipping(bit: bit)
            #expect(!isValid(vector.signature, of: flipped, by: vector.publicKey), "message, bit \(bit)")
        }
    }

    @Test func otherLengthsAreRefused() {
        let vector = Self.vectors[1]
        for count in [0, 31, 33] {
            let key = Array((vector.publicKey + [0]).prefix(count))
            #expect(!isValid(vector.signature, of: vector.message, by: key))
        }
        for count in [0, 63, 65] {
            let signature = Array((vector.signature + [0]).prefix(count))
            #expect(!isValid(signature, of: vector.message, by: vector.publicKey))
        }
    }

    /// RFC 8032 §5.1.7: a signature whose second half is not below the group's order is another encoding of one that
    /// is.
    @Test func unreducedScalarsAreRefused() {
        let order = octets("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
        for vector in Self.vectors {
            var (signature, carry) = (vector.signature, 0)
            for index in 0..<32 {
                let sum = Int(signature[32 + index]) + Int(order[index]) + carry
                signature[32 + index] = UInt8(sum & 0xFF)
                carry = sum >> 8
            }
            #expect(!isValid(signature, of: vector.message, by: vector.publicKey))
        }
    }

    @Test func freshIdentitiesDiffer() {
        let (first, second) = (IdentityKey(), IdentityKey())
        #expect(first.publicKey != second.publicKey)
        let message: [UInt8] = [1, 2, 3]
        #expect(isValid(first.sign(message.span.bytes), of: message, by: first.publicKey))
        #expect(!isValid(first.sign(message.span.bytes), of: message, by: second.publicKey))
    }
}

struct ComparisonTests {
    private func isEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        ConstantTime.isEqual(left.span.bytes, right.span.bytes)
    }

    @Test func equalMeansEveryByte() {
        let bytes = Array<UInt8>(0..<32)
        #expect(isEqual(bytes, bytes))
        #expect(isEqual([], []))
        #expect(!isEqual(bytes, bytes.dropLast()))
        for bit in 0..<bytes.count * 8 { #expect(!isEqual(bytes, bytes.flipping(bit: bit)), "bit \(bit)") }
    }

    @Test func randomBytesAreNotRepeated() {
        var seen = Set<[UInt8]>()
        for _ in 0..<1000 { #expect(seen.insert(SecureRandom.bytes(16)).inserted) }
        #expect(SecureRandom.bytes(0) == [])
        #expect(SecretKey32.random().copy != SecretKey32.random().copy)
    }

    @Test func randomBytesFillAllOfTheTarget() {
        var bytes = [UInt8](repeating: 0, count: 4096)
        var span = bytes.mutableSpan
        var target = span.mutableBytes
        SecureRandom.fill(&target)
        // Of 4096 random bytes about 16 are zero; 200 has no chance.
        #expect(bytes.filter { $0 == 0 }.count < 200)
    }
}
