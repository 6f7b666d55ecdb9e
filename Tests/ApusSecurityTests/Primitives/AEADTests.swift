// ChaCha20-Poly1305, XChaCha20-Poly1305 and HChaCha20 against their standards, and what must not open.

import ApusSecurity
import Testing

/// RFC 8439 §2.8.2 and draft-irtf-cfrg-xchacha-03 §A.3.1 seal the same text.
private let sunscreen = Array(
    ("Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be "
        + "it.").utf8)
private let additional = octets("50515253c0c1c2c3c4c5c6c7")
private let key = Array<UInt8>(0x80...0x9F)

struct AEADTests {
    struct Vector {
        let key, nonce, additional, plaintext, sealed: [UInt8]
    }

    static let vectors = [
        // RFC 8439 §2.8.2.
        Vector(
            key: key, nonce: octets("070000004041424344454647"), additional: additional, plaintext: sunscreen,
            sealed: octets(
                """
                d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b
                1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc
                3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691
                """)),
        // RFC 8439 §A.5.
        Vector(
            key: octets("1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0"),
            nonce: octets("000000000102030405060708"), additional: octets("f33388860000000000004e91"),
            plaintext: Array(
                ("Internet-Drafts are draft documents valid for a maximum of six months and may be updated, replaced, "
                    + "or obsoleted by other documents at any time. It is inappropriate to use Internet-Drafts as "
                    + "reference material or to cite them other than as /\u{201C}work in progress./\u{201D}").utf8),
            sealed: octets(
                """
                64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb24c6cfc18755d43eea09ee94e382d26b0
                bdb7b73c321b0100d4f03b7f355894cf332f830e710b97ce98c8a84abd0b948114ad176e008d33bd60f982b1ff37c855
                9797a06ef4f0ef61c186324e2b3506383606907b6a7c02b0f9f6157b53c867e4b9166c767b804d46a59b5216cde7a4e9
                9040c5a40433225ee282a1b0a06c523eaf4534d7f83fa1155b0047718cbc546a0d072b04b3564eea1b422273f548271a
                0bb2316053fa76991955ebd63159434ecebb4e466dae5a1073a6727627097a1049e617d91d361094fa68f0ff77987130
                305beaba2eda04df997b714d6c6f2c29a6ad5cb4022b02709beead9d67890cbb22392336fea1851f38
                """)),
    ]

    private func seal(_ vector: Vector) -> [UInt8] {
        var aead = AEADContext()
        let count = vector.plaintext.count + AEADContext.tagByteCount
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            let target = UnsafeMutableRawBufferPointer(buffer)
            var output = OutputRawSpan(buffer: target, initializedCount: 0)
            aead.seal(
                vector.plaintext.span.bytes, additional: vector.additional.span.bytes, key: SecretKey32(vector.key),
                nonce: vector.nonce.span.bytes, into: &output)
            initialized = output.finalize(for: target)
        }
    }

    private func open(_ vector: Vector) throws -> [UInt8] {
        var aead = AEADContext()
        let count = vector.sealed.count - AEADContext.tagByteCount
        return try [UInt8](unsafeUninitializedCapacity: max(count, 0)) { buffer, initialized in
            let target = UnsafeMutableRawBufferPointer(buffer)
            var output = OutputRawSpan(buffer: target, initializedCount: 0)
            try aead.open(
                vector.sealed.span.bytes, additional: vector.additional.span.bytes, key: SecretKey32(vector.key),
                nonce: vector.nonce.span.bytes, into: &output)
            initialized = output.finalize(for: target)
        }
    }

    @Test func vectorsSeal() {
        for vector in Self.vectors { #expect(seal(vector) == vector.sealed) }
    }

    @Test func vectorsOpen() throws {
        for vector in Self.vectors { #expect(try open(vector) == vector.plaintext) }
    }

    @Test func everyFlippedBitIsRefused() throws {
        let vector = Self.vectors[0]
        for bit in 0..<vector.sealed.count * 8 {
            let altered = Vector(
                key: vector.key, nonce: vector.nonce, additional: vector.additional, plaintext: [],
                sealed: vector.sealed.flipping(bit: bit))
            #expect(throws: SecurityError.authenticationFailed, "bit \(bit)") { try open(altered) }
        }
    }

    @Test func otherKeysNoncesAndAdditionalBytesAreRefused() throws {
        let vector = Self.vectors[0]
        let altered = [
            Vector(
                key: vector.key.flipping(bit: 0), nonce: vector.nonce, additional: vector.additional, plaintext: [],
                sealed: vector.sealed),
            Vector(
                key: vector.key, nonce: vector.nonce.flipping(bit: 95), additional: vector.additional, plaintext: [],
                sealed: vector.sealed),
            Vector(
                key: vector.key, nonce: vector.nonce, additional: vector.additional.flipping(bit: 9), plaintext: [],
                sealed: vector.sealed),
            Vector(key: vector.key, nonce: vector.nonce, additional: [], plaintext: [], sealed: vector.sealed),
        ]
        for vector in altered { #expect(throws: SecurityError.authenticationFailed) { try open(vector) } }
    }

    @Test func everyCutIsRefused() {
        let vector = Self.vectors[0]
        for count in 0..<vector.sealed.count {
            let cut = Vector(
                key: vector.key, nonce: vector.nonce, additional: vector.additional, plaintext: [],
                sealed: Array(vector.sealed.prefix(count)))
            #expect(throws: SecurityError.authenticationFailed, "\(count) bytes") { try open(cut) }
        }
    }

    @Test func nothingSealsToATag() throws {
        let empty = Vector(key: key, nonce: Self.vectors[0].nonce, additional: [], plaintext: [], sealed: [])
        let sealed = seal(empty)
        #expect(sealed.count == AEADContext.tagByteCount)
        let again = Vector(key: key, nonce: empty.nonce, additional: [], plaintext: [], sealed: sealed)
        #expect(try open(again) == [])
    }
}

struct XChaCha20Poly1305Tests {
    /// draft-irtf-cfrg-xchacha-03 §A.3.1.
    private let nonce = Array<UInt8>(0x40...0x57)
    private let sealed = octets(
        """
        bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64c670
        8c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c97637da9
        768812f615c68b13b52ec0875924c1c7987947deafd8780acf49
        """)

    @Test func vectorSealsAndOpens() throws {
        let secret = SecretKey32(key)
        let found = XChaCha20Poly1305.seal(
            sunscreen.span.bytes, additional: additional.span.bytes, key: secret, nonce: nonce.span.bytes)
        #expect(found == sealed)
        let opened = try XChaCha20Poly1305.open(
            sealed.span.bytes, additional: additional.span.bytes, key: secret, nonce: nonce.span.bytes)
        #expect(opened == sunscreen)
    }

    @Test func anotherNonceIsRefused() {
        for bit in 0..<nonce.count * 8 {
            let other = nonce.flipping(bit: bit)
            #expect(throws: SecurityError.authenticationFailed, "bit \(bit)") {
                let secret = SecretKey32(key)
                return try XChaCha20Poly1305.open(
                    sealed.span.bytes, additional: additional.span.bytes, key: secret, nonce: other.span.bytes)
            }
        }
    }

    @Test func lessThanATagIsRefused() {
        for count in 0..<XChaCha20Poly1305.tagByteCount {
            let short = [UInt8](repeating: 0, count: count)
            #expect(throws: SecurityError.authenticationFailed) {
                try XChaCha20Poly1305.open(short.span.bytes, key: SecretKey32(key), nonce: nonce.span.bytes)
            }
        }
    }
}

struct HChaCha20Tests {
    /// draft-irtf-cfrg-xchacha-03 §2.2.1, which is also the golden vector.
    @Test func vectorDerives() throws {
        let vector = try SecurityVectors.load().hchacha20
        let subkey = HChaCha20.subkey(key: SecretKey32(octets(vector.key)), nonce: octets(vector.nonce).span.bytes)
        #expect(hex(subkey.copy) == vector.out)
    }

    /// The rows at once, as we compute them, against the words one by one.
    @Test func subkeysAreThoseOfTheDraft() throws {
        for _ in 0..<50 {
            let bytes = (0..<32).map { _ in UInt8.random(in: 0...255) }
            let nonce = (0..<16).map { _ in UInt8.random(in: 0...255) }
            let subkey = HChaCha20.subkey(key: SecretKey32(bytes), nonce: nonce.span.bytes)
            #expect(hex(subkey.copy) == hex(reference(key: bytes, nonce: nonce)))
        }
    }

    /// The draft's pseudo code, word by word.
    private func reference(key: [UInt8], nonce: [UInt8]) -> [UInt8] {
        var words = Array("expand 32-byte k".utf8).words + key.words + nonce.words
        func quarterRound(_ a: Int, _ b: Int, _ c: Int, _ d: Int) {
            for (x, y, z, shift) in [(a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)] {
                words[x] &+= words[y]
                words[z] ^= words[x]
                words[z] = words[z] << UInt32(shift) | words[z] >> UInt32(32 - shift)
            }
        }
        for _ in 0..<10 {
            for column in 0..<4 { quarterRound(column, 4 + column, 8 + column, 12 + column) }
            for start in 0..<4 {
                quarterRound(start, 4 + (start + 1) % 4, 8 + (start + 2) % 4, 12 + (start + 3) % 4)
            }
        }
        return (words[0..<4] + words[12..<16]).flatMap { word in (0..<4).map { UInt8(word >> (8 * $0) & 0xFF) } }
    }
}

extension [UInt8] {
    fileprivate var words: [UInt32] {
        stride(from: 0, to: count, by: 4).map { start in
            (0..<4).reduce(0) { $0 | UInt32(self[start + $1]) << UInt32(8 * $1) }
        }
    }
}
