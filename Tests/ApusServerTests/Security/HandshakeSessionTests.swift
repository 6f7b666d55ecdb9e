// NPRO's handshake and sealed packets, through a real server: what is let in, what is refused and counted, what is
// answered.

import ApusClient
import ApusCompression
import ApusReactor
import ApusSecurity
import ApusServer
import ApusWire
import TestSupport
import Testing

/// A server whose one listener asks for this handshake.
func withHandshake(
    _ settings: HandshakeSettings = .init(), _ compression: CompressionSettings = .init(),
    _ change: (inout Server) -> Void = { _ in }, _ body: (RunningServer) throws -> Void
) async throws {
    try await withServer(.newest) { server in
        server.configuration.listeners[0].security = .handshake(settings, compression)
        change(&server)
    } _: { server in
        try body(server)
    }
}

@Suite(.serialized) struct HandshakeSessionTests {
    @Test(arguments: [true, false])
    func echoesAreAnsweredSealed(speaksExtension: Bool) async throws {
        try await withHandshake { server in
            var settings = HandshakeSettings()
            settings.speaksExtension = speaksExtension
            let peer = try SecurePeer(to: server.address, .handshake(settings))
            try peer.establish()
            let texts = (0..<50).map { Message.echo(String(repeating: "é", count: $0 * 37)) }
            for text in texts { try peer.peer.send(bytes: try peer.seal(text)) }
            #expect(try peer.read(50) == texts)
            #expect(server.metrics.handshakes == 1)
        }
    }

    @Test func everythingMayComeOneByteAtATime() async throws {
        try await withHandshake { server in
            let peer = try SecurePeer(to: server.address, .handshake(.init()))
            for byte in peer.outgoing() { try peer.peer.send(bytes: [byte]) }
            try peer.receiveUntilReady()
            for byte in try peer.seal(.echo("one byte at a time"), .ping) { try peer.peer.send(bytes: [byte]) }
            #expect(try peer.read(2) == [.echo("one byte at a time"), .pong])
        }
    }

    @Test func confirmMayComeWithTheFirstSealedPackets() async throws {
        try await withHandshake { server in
            let peer = try SecurePeer(to: server.address, .handshake(.init()))
            try peer.peer.send(bytes: peer.outgoing())
            try peer.receiveUntilReady()
            // Confirm has gathered and is not sent yet.
            try peer.peer.send(bytes: try peer.seal(.echo("a"), .ping, .echo("b")))
            #expect(try peer.read(3) == [.echo("a"), .pong, .echo("b")])
        }
    }

    @Test func aLargeEchoComesBack() async throws {
        try await withHandshake { server in
            let peer = try SecurePeer(to: server.address, .handshake(.init()))
            try peer.establish()
            let text = String(repeating: "0123456789abcdef", count: 1 << 17)
            let sealed = try peer.seal(.echo(text))
            let sending = Background { [socket = peer.peer] in try socket.send(bytes: sealed) }
            #expect(try peer.read(1) == [.echo(text)])
            try sending.value()
        }
    }

    /// The last text that fits a sealed packet is answered; a plain one of that size would be too, so nothing is lost
    /// to rounding on either side (NPRO §3).
    @Test func theLongestMessageIsAnswered() async throws {
        try await withHandshake { server in
            let peer = try SecurePeer(to: server.address, .handshake(.init()))
            try peer.establish()
            let text = String(repeating: "x", count: 16_777_164)
            let sealed = try peer.seal(.echo(text))
            #expect(sealed.count == PacketFormat.headerByteCount + PacketFormat.payloadByteCountMax)
            let sending = Background { [socket = peer.peer] in try socket.send(bytes: sealed) }
            #expect(try peer.read(1) == [.echo(text)])
            try sending.value()
        }
    }

    @Test func asynchronousRepliesKeepTheirOrder() async throws {
        let doors = Doors()
        try await withHandshake { server in
            server.dispatcher.registerAsync(.command("SLOW")) { message, _ in
                await doors.pass(message.contentText ?? "")
                return message
            }
        } _: { server in
            let peer = try SecurePeer(to: server.address, .handshake(.init()))
            try peer.establish()
            // The echo is opened, has to wait for the slow one, and must not be opened a second time.
            try peer.peer.send(bytes: try peer.seal(.command("SLOW", "1"), .echo("behind"), .ping, .echo("last")))
            #expect(eventually { doors.isAwaited("1") && server.metrics.pauses > 0 })
            try peer.peer.send(bytes: try peer.seal(.echo("more")))
            doors.open("1")
            let expected: [Message] = [.command("SLOW", "1"), .echo("behind"), .pong, .echo("last"), .echo("more")]
            #expect(try peer.read(5) == expected)
        }
    }

    @Test func handlersLearnWhoThePeerIs() async throws {
        let (identity, other) = (IdentityKey(), IdentityKey())
        var asked = HandshakeSettings()
        asked.pinnedPeers = [identity.publicKey]
        asked.identity = other
        let seen = Recorded<PeerProof>()
        try await withHandshake(asked) { server in
            server.dispatcher.register(.ping) { _, context, reply in
                seen.record(context.peerProof)
                reply.pong()
            }
        } _: { server in
            var settings = HandshakeSettings()
            settings.identity = identity
            settings.pinnedPeers = [other.publicKey]
            let peer = try SecurePeer(to: server.address, .handshake(settings))
            try peer.establish()
            #expect(peer.channel.agreement?.isAuthenticated == true)
            try peer.peer.send(bytes: try peer.seal(.ping))
            #expect(try peer.read(1) == [.pong])
            #expect(seen.all == [.handshake(identity: identity.publicKey)])
        }
    }

    @Test(arguments: CompressionAlgorithm.allCases)
    func payloadsArePacked(_ algorithm: CompressionAlgorithm) async throws {
        let log = (0..<4000).map { "line \($0) of a log that repeats itself\n" }.joined()
        var compression = CompressionSettings()
        compression.algorithms = [algorithm]
        try await withHandshake(.init(), compression) { server in
            server.dispatcher.register(command: "TELL") { _, _, reply in
                reply.send(.command("TOLD", log))
            }
        } _: { server in
            var settings = HandshakeSettings()
            settings.compression = CompressionAlgorithm.allCases.map(\.rawValue)
            let peer = try SecurePeer(to: server.address, .handshake(settings), packing: .tested)
            try peer.establish()
            #expect(peer.channel.agreement?.compression == algorithm.rawValue)
            try peer.peer.send(bytes: try peer.seal(.command("TELL"), .echo(log)))
            #expect(try peer.read(2) == [.command("TOLD", log), .echo(log)])
            #expect(server.metrics.bytesSent < UInt64(log.utf8.count))
            #expect(server.metrics.bytesReceived < UInt64(log.utf8.count / 2))
        }
    }
}

// MARK: Refusals

@Suite(.serialized) struct HandshakeRefusalTests {
    private func refused(_ server: RunningServer, _ label: String, _ count: UInt64 = 1) -> Bool {
        eventually { server.metrics.handshakeRefusals[label] ?? 0 >= count }
            && server.closed(.handshakeRefused, count)
    }

    @Test func aPlainPeerIsRefused() async throws {
        try await withHandshake { server in
            let peer = try server.connect()
            try peer.send(.ping)
            #expect(try peer.read() == nil)
            #expect(refused(server, "unexpected_message"))
        }
    }

    @Test func aPeerWithoutTheKeyIsRefused() async throws {
        try await withHandshake(.presharedKey("0123456789abcdef")) { server in
            var plain = HandshakeSettings()
            for speaksExtension in [true, false] {
                plain.speaksExtension = speaksExtension
                let peer = try SecurePeer(to: server.address, .handshake(plain))
                try peer.peer.send(bytes: peer.outgoing())
                #expect(try peer.receive() == false)
            }
            #expect(server.closed(.handshakeRefused, 2))
            #expect(server.metrics.handshakes == 0)
        }
    }

    @Test func anotherKeyIsFoundOutByTheClient() async throws {
        try await withHandshake(.presharedKey("0123456789abcdef")) { server in
            let peer = try SecurePeer(to: server.address, .handshake(.presharedKey("fedcba9876543210")))
            #expect(throws: ChannelFailure.handshake(.wrongProof)) { try peer.establish() }
            #expect(server.metrics.handshakes == 0)
        }
    }

    @Test func version1IsLetInWhereThatIsAllowed() async throws {
        var settings = HandshakeSettings.presharedKey("0123456789abcdef")
        settings.allowsV1 = true
        try await withHandshake(settings) { server in
            var plain = HandshakeSettings()
            plain.speaksExtension = false
            let peer = try SecurePeer(to: server.address, .handshake(plain))
            try peer.establish()
            try peer.peer.send(bytes: try peer.seal(.ping))
            #expect(try peer.read(1) == [.pong])
        }
    }

    @Test func aRecordedHandshakeCannotBePlayedAgain() async throws {
        try await withHandshake { server in
            let peer = try SecurePeer(to: server.address, .handshake(.init()))
            let hello = peer.outgoing()
            try peer.peer.send(bytes: hello)
            try peer.receiveUntilReady()
            try peer.peer.send(bytes: try peer.seal(.ping))
            #expect(try peer.read(1) == [.pong])

            let replayer = try server.connect()
            try replayer.send(bytes: hello)
            #expect(try replayer.readPacket() == nil)
            #expect(refused(server, "replayed"))
        }
    }

    @Test func silenceInTheMiddleEndsAtTheDeadline() async throws {
        try await withHandshake(.init(), .init()) { server in
            server.configuration.handshakeTimeout = .milliseconds(200)
        } _: { server in
            let slow = try SecurePeer(to: server.address, .handshake(.init()))
            try slow.peer.send(bytes: Array(slow.outgoing().prefix(20)))
            let waiting = try SecurePeer(to: server.address, .handshake(.init()))
            try waiting.peer.send(bytes: waiting.outgoing())
            #expect(try waiting.receive())
            #expect(try slow.receive() == false)
            #expect(try waiting.receive() == false)
            #expect(server.closed(.handshakeTimeout, 2))
        }
    }

    @Test func onlySoManyMayBeWithoutKeysAtOnce() async throws {
        try await withHandshake(.init(), .init()) { server in
            server.configuration.handshakesAtOncePerShard = 2
        } _: { server in
            let waiting = try (0..<2).map { _ in try SecurePeer(to: server.address, .handshake(.init())) }
            #expect(eventually { server.metrics.accepted == 2 })
            #expect(try server.connect().read() == nil)
            #expect(server.refused(.handshakeLimit))
            // Those that have their keys do not count.
            for peer in waiting { try peer.establish() }
            #expect(eventually { server.metrics.handshakes == 2 })
            let next = try SecurePeer(to: server.address, .handshake(.init()))
            try next.establish()
            // And those that went away do not either.
            for _ in 0..<4 { try SecurePeer(to: server.address, .handshake(.init())).peer.close() }
            #expect(eventually { server.metrics.openConnections == 3 })
        }
    }

    @Test func moreHandshakesThanTheRateAreRefused() async throws {
        try await withHandshake(.init(), .init()) { server in
            server.configuration.handshakesPerSecondMax = 1
        } _: { server in
            // One address has half of the table, which holds 33.
            var established = 0
            for _ in 0..<40 where try tryToEstablish(server) { established += 1 }
            #expect((10...20).contains(established))
            #expect(eventually { server.metrics.handshakeRefusals["address_share"] ?? 0 > 0 })
        }
    }

    private func tryToEstablish(_ server: RunningServer) throws -> Bool {
        let peer = try SecurePeer(to: server.address, .handshake(.init()))
        try peer.establish()
        try peer.peer.send(bytes: try peer.seal(.ping))
        return try peer.read(1) == [.pong]
    }

    @Test func anEnormousAnnouncementIsRefusedAtItsHeader() async throws {
        try await withHandshake { server in
            let peer = try server.connect()
            try peer.send(bytes: Array("NPRO".utf8) + [1, 0, 1, 0, 0])
            #expect(try peer.read() == nil)
            #expect(server.closed(.oversizePacket))
        }
    }
}

// MARK: Sealed packets that are not what they should be

@Suite(.serialized) struct SealedViolationTests {
    private func established(_ server: RunningServer) throws -> SecurePeer {
        let peer = try SecurePeer(to: server.address, .handshake(.init()))
        try peer.establish()
        return peer
    }

    @Test func aRepeatedPacketEndsTheConnectionBehindItsReplies() async throws {
        try await withHandshake { server in
            let peer = try established(server)
            let first = try peer.seal(.echo("first"))
            try peer.peer.send(bytes: first + first)
            #expect(try peer.readToEnd() == [.echo("first")])
            #expect(server.closed(.sealReplayed))
        }
    }

    @Test func aReflectedPacketEndsTheConnection() async throws {
        try await withHandshake { server in
            let peer = try established(server)
            try peer.peer.send(bytes: try peer.seal(.echo("mirror")))
            let reply = try #require(try peer.peer.readPacket())
            try peer.peer.send(bytes: reply)
            #expect(try peer.peer.readPacket() == nil)
            // With a key for each direction it is not even opened.
            #expect(server.closed(.sealReflected))
        }
    }

    @Test func everyFlippedBitEndsTheConnection() async throws {
        try await withHandshake { server in
            let byteCount = try established(server).seal(.echo("flip me")).count
            let offsets = stride(from: PacketFormat.headerByteCount, to: byteCount, by: 5)
            for offset in offsets {
                let peer = try established(server)
                var sealed = try peer.seal(.echo("flip me"))
                sealed[offset] ^= 0x10
                try peer.peer.send(bytes: sealed)
                #expect(try peer.readToEnd() == [], "offset \(offset)")
            }
            let expected = UInt64(offsets.underestimatedCount)
            #expect(eventually {
                (server.metrics.closed[.sealTampered] ?? 0) + (server.metrics.closed[.sealReplayed] ?? 0) == expected
            })
        }
    }

    @Test func plainBytesBehindTheHandshakeEndTheConnection() async throws {
        try await withHandshake { server in
            let peer = try established(server)
            try peer.peer.send(.ping)
            #expect(try peer.peer.readPacket() == nil)
            #expect(server.closed(.sealTampered))
        }
    }

    @Test func aBombEndsTheConnection() async throws {
        var compression = CompressionSettings()
        compression.algorithms = [.zstd]
        compression.ratioMax = 20
        try await withHandshake(.init(), compression) { server in
            var settings = HandshakeSettings()
            settings.compression = [CompressionAlgorithm.zstd.rawValue]
            let peer = try SecurePeer(to: server.address, .handshake(settings), packing: .tested)
            try peer.establish()
            try peer.peer.send(bytes: try peer.seal(.echo(String(repeating: "a", count: 4 << 20))))
            #expect(try peer.readToEnd() == [])
            #expect(server.closed(.decompression))
        }
    }

    @Test func otherConnectionsGoOn() async throws {
        try await withHandshake { server in
            let (good, bad) = (try established(server), try established(server))
            try bad.peer.send(bytes: [UInt8](repeating: 0x55, count: 100))
            #expect(try bad.readToEnd() == [])
            try good.peer.send(bytes: try good.seal(.echo("still here")))
            #expect(try good.read(1) == [.echo("still here")])
        }
    }
}
