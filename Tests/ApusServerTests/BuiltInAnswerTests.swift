// What a server answers without any handler, down to the bytes.

import ApusReactor
import ApusServer
import ApusWire
import Foundation
import TestSupport
import Testing

@Suite(.serialized) struct BuiltInAnswerTests {
    @Test(arguments: RingTier.allCases)
    func pingIsAnsweredWithPong(_ tier: RingTier) async throws {
        try await withServer(tier) { server in
            let reply = try server.ask(.ping)
            #expect(reply == .pong)
        }
    }

    @Test(arguments: RingTier.allCases)
    func anEchoComesBackByteForByte(_ tier: RingTier) async throws {
        try await withServer(tier) { server in
            let peer = try server.connect()
            for text in ["", "hello", "Füße 🐦", String(repeating: "x", count: 100_000)] {
                let packet = PacketEncoder.encode(.echo(text))
                try peer.send(bytes: packet)
                #expect(try peer.readPacket() == packet)
            }
        }
    }

    /// What trails a message is read over and not sent back.
    @Test func trailingBytesAreLeftOut() async throws {
        try await withServer(.newest) { server in
            let peer = try server.connect()
            let message = PacketEncoder.encode(.echo("a"))
            var trailed = message + [1, 2, 3]
            trailed[8] += 3
            try peer.send(bytes: trailed)
            #expect(try peer.readPacket() == message)
        }
    }

    @Test(arguments: RingTier.allCases)
    func everyGoldenVectorGetsItsAnswer(_ tier: RingTier) async throws {
        let vectors = try PacketVectors.load()
        #expect(vectors.count >= 9)
        try await withServer(tier) { server in
            for (name, packet) in vectors {
                let peer = try server.connect()
                // A PING behind it shows that silence is all there was.
                try peer.send(bytes: packet + PacketEncoder.encode(.ping))
                let payload = Array(packet.dropFirst(PacketFormat.headerByteCount))
                let message = try Message(decoding: payload.span.bytes)
                let expected: [[UInt8]?] =
                    switch message {
                    case .ping: [vectors["Pong"], vectors["Pong"]]
                    case .echo: [packet, vectors["Pong"]]
                    case .disconnect: [nil]
                    case .pong, .custom, .unknown, .handshakeInit, .handshakeResponse, .handshakeConfirm:
                        [vectors["Pong"]]
                    }
                for answer in expected { #expect(try peer.readPacket() == answer, "\(name)") }
            }
        }
    }

    @Test(arguments: RingTier.allCases)
    func theUnknownIsMetWithSilence(_ tier: RingTier) async throws {
        try await withServer(tier) { server in
            let peer = try server.connect()
            try peer.send(.command("NOBODY"), .unknown(discriminant: 8), .command("PING"), .echo("next"))
            #expect(try peer.read() == .echo("next"))
            #expect(server.dropped(.unknownCommand, 3))
        }
    }

    @Test(arguments: RingTier.allCases)
    func theUnknownClosesWhereAskedTo(_ tier: RingTier) async throws {
        try await withServer(tier) { server in
            server.configuration.unknownCommand = .close
        } _: { server in
            let peer = try server.connect()
            try peer.send(.echo("before"), .command("NOBODY"), .echo("after"))
            #expect(try peer.readToEnd() == [.echo("before")])
            peer.close()
            #expect(server.closed(.unknownCommand))
        }
    }

    @Test func customNamesReachTheBuiltInHandlersOnlyAsAliases() async throws {
        try await withServer(.newest) { server in
            server.configuration.systemAliases = true
        } _: { server in
            let peer = try server.connect()
            #expect(try peer.request(.command("PING")) == .pong)
            #expect(try peer.request(.command("ECHO", "abc")) == .command("ECHO", "abc"))
            try peer.send(.command("ping"), .ping)
            #expect(try peer.read() == .pong)
            #expect(server.dropped(.unknownCommand))
        }
    }
}

/// The packets of the golden vectors (NPRO §1.4), by name.
private enum PacketVectors {
    private struct File: Decodable {
        struct Sample: Decodable {
            let name: String
            let packet: String
        }

        let messages: [Sample]
    }

    static func load() throws -> [String: [UInt8]] {
        // The vectors belong to the codec's tests, next door.
        let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let file = tests.appending(path: "ApusWireTests/Vectors/npro.json")
        let samples = try JSONDecoder().decode(File.self, from: Data(contentsOf: file)).messages
        return Dictionary(uniqueKeysWithValues: samples.map { ($0.name, bytes(of: $0.packet)) })
    }

    private static func bytes(of hex: String) -> [UInt8] {
        let digits = hex.utf8.compactMap { Character(UnicodeScalar($0)).hexDigitValue }
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }
}
