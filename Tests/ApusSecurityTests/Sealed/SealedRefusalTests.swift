// What a channel must not open: altered, cut, repeated, exchanged, missing and reflected packets.

import ApusSecurity
import Testing

struct SealedRefusalTests {
    private func violation(_ end: inout SealedEnd, _ payload: [UInt8]) -> SealedViolation? {
        do throws(SealedViolation) {
            _ = try end.open(payload)
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: SealedChannelTests.orders) func everyFlippedBitIsRefused(order: SealedChannel.Order) throws {
        var pair = SealedPair(order)
        let sealed = pair.client.seal(Array("twenty-four bytes of it.".utf8))
        for bit in 0..<sealed.count * 8 {
            let found = violation(&pair.server, sealed.flipping(bit: bit))
            // In a strict session the first counter is 0.
            let isCounter = order == .strict && (128..<192).contains(bit)
            #expect(found == (isCounter ? .outOfSequence : .authenticationFailed), "bit \(bit)")
        }
        // What was refused has changed nothing.
        #expect(try pair.server.open(sealed) == Array("twenty-four bytes of it.".utf8))
    }

    @Test(arguments: SealedChannelTests.orders) func everyCutIsRefused(order: SealedChannel.Order) {
        var pair = SealedPair(order)
        let sealed = pair.client.seal([UInt8](repeating: 1, count: 20))
        for count in 0..<sealed.count {
            let found = violation(&pair.server, Array(sealed.prefix(count)))
            #expect(found == (count < 40 ? .truncated : .authenticationFailed), "\(count) bytes")
        }
        #expect(violation(&pair.server, sealed + [0]) == .authenticationFailed)
    }

    /// NPRO §10: payloads of 0, 23, 24, 39 and 40 bytes.
    @Test func shortPayloadsAreRefused() {
        for count in [0, 1, 23, 24, 39] {
            var pair = SealedPair(.any)
            #expect(violation(&pair.server, [UInt8](repeating: 9, count: count)) == .truncated)
        }
        var pair = SealedPair(.any)
        #expect(violation(&pair.server, [UInt8](repeating: 9, count: 40)) == .authenticationFailed)
        let nothing = pair.client.seal([])
        #expect(nothing.count == 40)
        #expect(violation(&pair.server, nothing) == nil)
    }

    @Test func whatIsRefusedLeavesNoPlaintext() {
        var pair = SealedPair(.any)
        let plaintext = Array("not for anybody's eyes".utf8)
        var sealed = pair.client.seal(plaintext)
        sealed[sealed.count - 1] ^= 1
        var buffer = sealed
        #expect(throws: SealedViolation.authenticationFailed) { try pair.server.open(&buffer) }
        #expect(buffer[24..<buffer.count - 16].allSatisfy { $0 == 0 })
    }

    @Test(arguments: SealedChannelTests.orders) func repeatedPacketsAreRefused(order: SealedChannel.Order) {
        var pair = SealedPair(order)
        let packets = (0..<5).map { pair.client.seal([UInt8($0)]) }
        for (index, packet) in packets.enumerated() {
            #expect(violation(&pair.server, packet) == nil)
            for earlier in packets[...index] { #expect(violation(&pair.server, earlier) == .replayed) }
        }
    }

    @Test func strictSessionsTellAMissingPacket() {
        var pair = SealedPair(.strict)
        let packets = (0..<4).map { pair.client.seal([UInt8($0)]) }
        #expect(violation(&pair.server, packets[1]) == .outOfSequence)
        #expect(violation(&pair.server, packets[0]) == nil)
        #expect(violation(&pair.server, packets[2]) == .outOfSequence)
        #expect(violation(&pair.server, packets[1]) == nil)
        #expect(violation(&pair.server, packets[3]) == .outOfSequence)
        #expect(violation(&pair.server, packets[2]) == nil)
        #expect(violation(&pair.server, packets[3]) == nil)
    }

    /// Version 1 leaves it to the peer which counters it uses, but they must grow.
    @Test func otherSessionsTellAnExchangedPacket() {
        var pair = SealedPair(.any)
        let packets = (0..<4).map { pair.client.seal([UInt8($0)]) }
        #expect(violation(&pair.server, packets[0]) == nil)
        #expect(violation(&pair.server, packets[2]) == nil)
        #expect(violation(&pair.server, packets[1]) == .replayed)
        #expect(violation(&pair.server, packets[3]) == nil)
    }

    @Test func strictSessionsKeepOnePrefix() {
        let key = SecretKey32.random()
        var end = SealedEnd(SealedChannel(sendKey: .random(), receiveKey: key, order: .strict))
        for (prefix, expected) in [(UInt8(1), SealedViolation?.none), (2, .outOfSequence)] {
            var other = SealedEnd(
                SealedChannel(
                    sendKey: key, receiveKey: .random(), order: .strict,
                    sendPrefix: [UInt8](repeating: prefix, count: 16)))
            #expect(violation(&end, other.seal([1])) == expected)
        }
    }

    @Test(arguments: SealedChannelTests.orders) func reflectedPacketsAreRefused(order: SealedChannel.Order) {
        var pair = SealedPair(order)
        let fromClient = pair.client.seal([1])
        #expect(violation(&pair.client, fromClient) == .reflected)
        let fromServer = pair.server.seal([2])
        #expect(violation(&pair.server, fromServer) == .reflected)
        // Each is still what the other waits for.
        #expect(violation(&pair.server, fromClient) == nil)
        #expect(violation(&pair.client, fromServer) == nil)
    }

    /// Keys per direction: who exchanges prefixes cannot reflect either.
    @Test func directionsHaveTheirOwnKeys() {
        let (left, right) = ([UInt8](repeating: 1, count: 32), [UInt8](repeating: 2, count: 32))
        func end() -> SealedEnd {
            SealedEnd(SealedChannel(sendKey: SecretKey32(left), receiveKey: SecretKey32(right), order: .strict))
        }
        var sender = end()
        var twin = end()
        #expect(violation(&twin, sender.seal([1])) == .authenticationFailed)
    }

    // MARK: Peers that draw every nonce anew

    private func nonce(_ number: Int) -> [UInt8] {
        (0..<24).map { UInt8(truncatingIfNeeded: number >> (8 * ($0 % 3)) &+ $0 &* 7) }
    }

    @Test func foreignNoncesOpenOnce() throws {
        var pair = SealedPair(.any)
        for number in 0..<1000 {
            let packet = sealedByStranger([UInt8(truncatingIfNeeded: number)], nonce: nonce(number))
            #expect(try pair.server.open(packet) == [UInt8(truncatingIfNeeded: number)])
            #expect(violation(&pair.server, packet) == .replayed)
        }
    }

    /// The last 128 prefixes before the current one are known; the one before them is not, and that is documented.
    @Test func theWindowIsBounded() {
        var pair = SealedPair(.any)
        let packets = (0...SealedChannel.earlierPrefixesMax + 1).map { sealedByStranger([1], nonce: nonce($0)) }
        for packet in packets { #expect(violation(&pair.server, packet) == nil) }
        for packet in packets.dropFirst() { #expect(violation(&pair.server, packet) == .replayed) }
        #expect(violation(&pair.server, packets[0]) == nil)
    }

    /// A prefix that was left may not come back, whatever its counter.
    @Test func prefixesAreNotResumed() {
        var pair = SealedPair(.any)
        let later = pair.client.seal([1])
        let latest = pair.client.seal([2])
        #expect(violation(&pair.server, later) == nil)
        #expect(violation(&pair.server, sealedByStranger([3], nonce: nonce(1))) == nil)
        #expect(violation(&pair.server, latest) == .replayed)
    }

    @Test func refusedPacketsAreNotRemembered() {
        var pair = SealedPair(.any)
        let packet = sealedByStranger([1], nonce: nonce(5))
        #expect(violation(&pair.server, packet.flipping(bit: 200)) == .authenticationFailed)
        #expect(violation(&pair.server, packet) == nil)
    }

    @Test func labelsAreDistinct() {
        #expect(Set(SealedViolation.allCases.map(\.label)).count == SealedViolation.allCases.count)
        #expect(SealedViolation.allCases.allSatisfy { $0.description.count > 20 })
    }
}
