// What seals must open, at the other end, once, in order; the golden vectors among it.

import ApusSecurity
import Testing

struct SealedChannelTests {
    static let orders: [SealedChannel.Order] = [.strict, .any]

    @Test func vectorsOpen() throws {
        let vectors = try SecurityVectors.load()
        for vector in vectors.sealed {
            let key = SecretKey32(octets(vectors.handshake.sessionKey))
            var end = SealedEnd(SealedChannel(sendKey: key, receiveKey: key, order: .any))
            #expect(hex(try end.open(octets(vector.payload))) == vector.plaintext, "\(vector.name)")
        }
    }

    /// Both vectors have the same nonce, so each has its own channel.
    @Test func vectorsSeal() throws {
        let vectors = try SecurityVectors.load()
        for vector in vectors.sealed {
            let key = SecretKey32(octets(vectors.handshake.sessionKey))
            let nonce = octets(vector.nonce)
            let sealed = XChaCha20Poly1305.seal(octets(vector.plaintext).span.bytes, key: key, nonce: nonce.span.bytes)
            #expect(hex(nonce + sealed) == vector.payload, "\(vector.name)")
        }
    }

    @Test(arguments: orders) func payloadsOpenBothWays(order: SealedChannel.Order) throws {
        var pair = SealedPair(order)
        for round in 0..<100 {
            let plaintext = (0..<round * 3).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ round) }
            let sealed = pair.client.seal(plaintext)
            #expect(sealed.count == plaintext.count + 40)
            #expect(try pair.server.open(sealed) == plaintext)
            #expect(try pair.client.open(pair.server.seal(plaintext)) == plaintext)
        }
    }

    @Test func noncesAreThePrefixAndACounter() {
        var pair = SealedPair(.strict)
        for counter in 0..<300 {
            let nonce = Array(pair.client.seal([1, 2, 3]).prefix(24))
            let expected = SealedPair.clientPrefix + [UInt8(counter & 0xFF), UInt8(counter >> 8), 0, 0, 0, 0, 0, 0]
            #expect(nonce == expected)
        }
    }

    /// Another implementation of the same cipher opens what we seal.
    @Test func payloadsAreXChaCha20Poly1305() throws {
        var pair = SealedPair(.any)
        let key = SecretKey32([UInt8](repeating: 7, count: 32))
        for count in [0, 1, 63, 64, 65, 1000] {
            let plaintext = [UInt8](repeating: 0xAB, count: count)
            let payload = pair.client.seal(plaintext)
            let (nonce, sealed) = (Array(payload[..<24]), Array(payload[24...]))
            let opened = try XChaCha20Poly1305.open(sealed.span.bytes, key: key, nonce: nonce.span.bytes)
            #expect(opened == plaintext)
        }
    }

    @Test func sealingInPlaceIsTheSame() throws {
        var (first, second) = ([UInt8](), [UInt8]())
        for count in [0, 1, 64, 5000] {
            let plaintext = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
            var apart = SealedPair(.strict)
            var inPlace = SealedPair(.strict)
            (first, second) = (apart.client.seal(plaintext), inPlace.client.sealInPlace(plaintext))
            #expect(first == second)
            #expect(try apart.server.open(second) == plaintext)
        }
    }

    @Test(arguments: orders) func plaintextComesWhereItsCiphertextWas(order: SealedChannel.Order) throws {
        var pair = SealedPair(order)
        let plaintext = Array("in place".utf8)
        let sealed = pair.client.seal(plaintext)
        let (_, buffer) = try pair.server.openInPlace(sealed)
        #expect(Array(buffer[24..<32]) == plaintext)
        // Neither nonce nor tag is touched: what is behind the payload belongs to the next packet.
        #expect(Array(buffer[..<24]) == Array(sealed[..<24]))
        #expect(Array(buffer[32...]) == Array(sealed[32...]))
    }

    /// 16 MiB less the overhead (NPRO §3), and then it still opens.
    @Test func theLongestPayloadOpens() throws {
        var pair = SealedPair(.strict)
        let plaintext = [UInt8](repeating: 0x5A, count: SealedChannel.plaintextByteCountMax)
        let sealed = pair.client.seal(plaintext)
        #expect(sealed.count == 16 * 1024 * 1024)
        // Not in #expect: it would print 16 MiB.
        let isSame = try pair.server.open(sealed) == plaintext
        #expect(isSame)
    }

    @Test func freshChannelsHaveTheirOwnPrefixes() {
        let key = SecretKey32.random()
        var seen = Set<[UInt8]>()
        for _ in 0..<100 {
            var end = SealedEnd(SealedChannel(sendKey: key, receiveKey: key, order: .any))
            #expect(seen.insert(Array(end.seal([]).prefix(16))).inserted)
        }
    }

    /// The server keeps channels in memory of its own.
    @Test func channelsMove() throws {
        let place = UnsafeMutablePointer<SealedPair>.allocate(capacity: 1)
        defer { place.deallocate() }
        var pair = SealedPair(.any)
        let first = pair.client.seal([1])
        place.initialize(to: pair)
        #expect(try place.pointee.server.open(first) == [1])
        var moved = place.move()
        let second = moved.client.seal([2])
        #expect(try moved.server.open(second) == [2])
    }

    @Test func channelsAreSmall() {
        #expect(MemoryLayout<SealedChannel>.size <= 300)
        #expect(SealedChannel.memoryByteCount(.strict) == 128)
        #expect(SealedChannel.memoryByteCount(.any) == 128 + 128 * 8)
    }

    @Test func wipedChannelsStop() async {
        await #expect(processExitsWith: .failure) {
            var pair = SealedPair(.strict)
            pair.client.channel.wipe()
            _ = pair.client.seal([1])
        }
    }
}
