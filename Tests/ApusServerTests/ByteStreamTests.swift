// What the stream between two ends may do to packets: pile them up, cut them, end in the middle.

import ApusReactor
import ApusServer
import ApusWire
import TestSupport
import Testing

@Suite(.serialized) struct ByteStreamTests {
    @Test(arguments: RingTier.allCases)
    func disconnectLeavesAfterEveryReply(_ tier: RingTier) async throws {
        try await withServer(tier) { server in
            let peer = try server.connect()
            try peer.send(echoes(200) + [.disconnect])
            #expect(try peer.readToEnd() == echoes(200))
            peer.close()
            #expect(server.closed(.disconnect))
        }
    }

    @Test(arguments: RingTier.allCases)
    func aHalfClosedPeerGetsEveryReply(_ tier: RingTier) async throws {
        try await withServer(tier) { server in
            let peer = try server.connect()
            try peer.send(echoes(5_000))
            peer.finishSending()
            #expect(try peer.readToEnd() == echoes(5_000))
            #expect(server.closed(.peerFinished))
        }
    }

    @Test(arguments: RingTier.allCases)
    func packetsArriveByteByByte(_ tier: RingTier) async throws {
        try await withServer(tier) { server in
            let peer = try server.connect()
            let requests: [Message] = [.ping, .echo("drip"), .command("NOBODY"), .echo("drop")]
            for byte in requests.flatMap(PacketEncoder.encode) { try peer.send(bytes: [byte]) }
            #expect(try peer.read(3) == [.pong, .echo("drip"), .echo("drop")])
        }
    }

    @Test(arguments: RingTier.allCases)
    func theLongestPayloadMakesTheRoundTrip(_ tier: RingTier) async throws {
        try await withServer(tier) { server in
            // Before connecting: making it takes longer than the server waits for a first byte.
            let packet = longestEcho()
            #expect(packet.count == PacketFormat.headerByteCount + PacketFormat.payloadByteCountMax)
            let peer = try server.connect()
            try peer.send(bytes: packet)
            // Not `#expect(a == b)`: that would print 16 MiB.
            let isSame = try peer.readPacket() == packet
            #expect(isSame)
            #expect(try peer.request(.echo("still there")) == .echo("still there"))
        }
    }

    @Test(arguments: RingTier.allCases)
    func finishingInTheMiddleOfAPacketIsCounted(_ tier: RingTier) async throws {
        try await withServer(tier) { server in
            let peer = try server.connect()
            try peer.send(bytes: PacketEncoder.encode(.echo("whole")) + PacketEncoder.encode(.echo("cut")).dropLast())
            peer.finishSending()
            #expect(try peer.readToEnd() == [.echo("whole")])
            #expect(server.closed(.truncated))
        }
    }

    @Test(arguments: RingTier.allCases)
    func aResetInTheMiddleOfAPacketTouchesNobodyElse(_ tier: RingTier) async throws {
        try await withServer(tier) { server in
            let other = try server.connect()
            #expect(try other.request(.ping) == .pong)
            let received = server.metrics.bytesReceived
            let peer = try server.connect()
            let half = Array(PacketEncoder.encode(.echo("abcdef")).prefix(15))
            try peer.send(bytes: half)
            #expect(eventually { server.metrics.bytesReceived == received + UInt64(half.count) })
            peer.reset()
            #expect(server.closed(.reset))
            #expect(server.metrics.openConnections == 1)
            #expect(try other.request(.echo("here")) == .echo("here"))
        }
    }
}

/// An echo whose payload has the longest length there is, made by hand: encoding it takes seconds without optimisation.
private func longestEcho() -> [UInt8] {
    let textByteCount = PacketFormat.payloadByteCountMax - 12
    let lengthBytes = (0..<8).map { UInt8(truncatingIfNeeded: textByteCount >> ($0 * 8)) }
    let text = [UInt8](repeating: UInt8(ascii: "x"), count: textByteCount)
    return Array("NPRO".utf8) + [1, 1, 0, 0, 0] + [5, 0, 0, 0] + lengthBytes + text
}

// MARK: Violations

/// Bytes that no packet begins with, or no message, and what the server calls it.
struct Violation: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let bytes: [UInt8]
    let reason: CloseReason

    static let all = [
        Violation(testDescription: "first byte", bytes: [0x4F], reason: .wrongMagic),
        Violation(testDescription: "last byte of the magic", bytes: Array("NPRX".utf8), reason: .wrongMagic),
        Violation(testDescription: "version 2", bytes: Array("NPRO".utf8) + [2], reason: .unsupportedVersion),
        Violation(
            testDescription: "16 MiB and one byte", bytes: Array("NPRO".utf8) + [1, 1, 0, 0, 1],
            reason: .oversizePacket),
        Violation(
            testDescription: "4 GiB", bytes: Array("NPRO".utf8) + [1, 255, 255, 255, 255], reason: .oversizePacket),
        Violation(testDescription: "no discriminant", bytes: packet([5, 0, 0]), reason: .malformedMessage),
        Violation(testDescription: "empty payload", bytes: packet([]), reason: .malformedMessage),
        Violation(
            testDescription: "a text longer than its payload",
            bytes: packet([5, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0x61]),
            reason: .malformedMessage),
        Violation(
            testDescription: "not UTF-8", bytes: packet([5, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xFF]),
            reason: .malformedMessage),
    ]

    private static func packet(_ payload: [UInt8]) -> [UInt8] {
        Array("NPRO".utf8) + [1, 0, 0, 0, UInt8(payload.count)] + payload
    }
}

extension ByteStreamTests {
    @Test(arguments: RingTier.allCases, Violation.all)
    func aViolationClosesItsOwnConnectionOnly(_ tier: RingTier, _ violation: Violation) async throws {
        try await withServer(tier) { server in
            let other = try server.connect()
            #expect(try other.request(.ping) == .pong)
            let peer = try server.connect()
            try peer.send(bytes: echoes(3).flatMap(PacketEncoder.encode) + violation.bytes)
            #expect(try peer.readToEnd() == echoes(3))
            peer.close()
            #expect(server.closed(violation.reason))
            #expect(server.metrics.closed.count == 1)
            #expect(try other.request(.echo("here")) == .echo("here"))
        }
    }

    @Test func aLowerLimitIsRefusedAtTheHeader() async throws {
        try await withServer(.newest) { server in
            server.configuration.payloadByteCountMax = 100
        } _: { server in
            let peer = try server.connect()
            let longest = Message.echo(String(repeating: "x", count: 88))
            #expect(try peer.request(longest) == longest)
            try peer.send(bytes: Array("NPRO".utf8) + [1, 0, 0, 0, 101])
            #expect(try peer.readToEnd().isEmpty)
            peer.close()
            #expect(server.closed(.oversizePacket))
        }
    }
}
