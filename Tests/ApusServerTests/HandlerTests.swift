// What an embedder's handlers on the loop are given and may do.

import ApusReactor
import ApusServer
import ApusWire
import Glibc
import Synchronization
import TestSupport
import Testing

@Suite(.serialized) struct HandlerTests {
    @Test(arguments: RingTier.allCases)
    func aHandlerSeesTheMessageAndAnswers(_ tier: RingTier) async throws {
        try await withServer(tier) { server in
            server.dispatcher.register(command: "TWICE") { message, _, reply in
                reply.sendCustom(command: message.command, content: message.content)
                reply.send(message.copyMessage())
            }
            server.dispatcher.register(.anyCommand) { _, _, reply in reply.send(.command("ANY")) }
            server.dispatcher.register(.echo) { message, _, reply in reply.send(.echo("\(message.text.byteCount)")) }
            server.dispatcher.register(.unknown) { message, _, reply in reply.send(.echo("unknown")) }
        } _: { server in
            let peer = try server.connect()
            let twice = Message.command("TWICE", "abc")
            try peer.send(twice, .command("twice"), .echo("1234"), .unknown(discriminant: 8), .ping)
            #expect(
                try peer.read(6) == [twice, twice, .command("ANY"), .echo("4"), .echo("unknown"), .pong])
        }
    }

    @Test(arguments: RingTier.allCases)
    func theLastRegistrationCounts(_ tier: RingTier) async throws {
        try await withServer(tier) { server in
            server.dispatcher.register(command: "A") { _, _, reply in reply.send(.echo("first")) }
            server.dispatcher.register(command: "A") { _, _, reply in reply.send(.echo("last")) }
        } _: { server in
            let reply = try server.ask(.command("A"))
            #expect(reply == .echo("last"))
        }
    }

    /// Every factory once a shard, whatever it is registered for; what its handler captures belongs to that shard.
    @Test(arguments: RingTier.allCases)
    func aFactoryIsCalledOncePerShard(_ tier: RingTier) async throws {
        let calls = Recorded<Int>()
        let selectors: [MessageSelector] = [.ping, .echo, .command("COUNT"), .anyCommand, .unknown]
        let folder = try TemporaryFolder()
        try await withServer(tier) { server in
            server.configuration.shards = 2
            server.configuration.listeners[0].address = "unix:" + folder.file("s")
            for selector in selectors {
                server.dispatcher.register(perShard: selector) { shard in
                    calls.record(shard)
                    var count = 0
                    return { _, _, reply in
                        count += 1
                        reply.send(.command("\(shard)", "\(count)"))
                    }
                }
            }
        } _: { server in
            // A UNIX listener deals its connections out one by one, so each shard has two.
            let peers = try (0..<4).map { _ in try server.connect() }
            let replies = try peers.map { try $0.request(.command("COUNT")) }
            for shard in 0..<2 {
                for count in 1...2 { #expect(replies.contains(.command("\(shard)", "\(count)"))) }
            }
            #expect(calls.all.sorted() == selectors.map { _ in 0 } + selectors.map { _ in 1 })
        }
    }

    @Test(arguments: RingTier.allCases)
    func aHandlerMayCloseAfterItsReply(_ tier: RingTier) async throws {
        try await withServer(tier) { server in
            server.dispatcher.register(command: "BYE") { _, _, reply in
                reply.send(.echo("bye"))
                reply.close()
            }
        } _: { server in
            let peer = try server.connect()
            try peer.send(.echo("1"), .command("BYE"), .echo("2"))
            #expect(try peer.readToEnd() == [.echo("1"), .echo("bye")])
            peer.close()
            #expect(server.closed(.handler))
        }
    }

    @Test func aReplyTooLongForAPacketClosesAfterThoseBeforeIt() async throws {
        try await withServer(.newest) { server in
            server.dispatcher.register(command: "HUGE") { message, _, reply in
                let content = [UInt8](repeating: 0, count: PacketFormat.payloadByteCountMax)
                reply.sendCustom(command: message.command, content: content.span.bytes)
            }
        } _: { server in
            let peer = try server.connect()
            try peer.send(.echo("1"), .command("HUGE"), .echo("2"))
            #expect(try peer.readToEnd() == [.echo("1")])
            peer.close()
            #expect(server.closed(.oversizeReply))
        }
    }

    @Test(arguments: RingTier.allCases)
    func rawPacketsGoToTheirHandler(_ tier: RingTier) async throws {
        try await withServer(tier) { server in
            server.configuration.listeners[0].session = .packet
            server.dispatcher.registerPackets { payload, _, reply in
                reply.sendPacket(payload)
                // Room for more than is written: the header must name what was.
                reply.sendPacket(payloadByteCountMax: 100) {
                    $0.append(repeating: 7, count: payload.byteCount, as: UInt8.self)
                }
            }
        } _: { server in
            let peer = try server.connect()
            for payload in [[1, 2, 3], [], [UInt8](repeating: 9, count: 90)] {
                try peer.send(bytes: packet(payload))
                #expect(try peer.readPacket() == packet(payload))
                #expect(try peer.readPacket() == packet(payload.map { _ in 7 }))
            }
            try peer.send(bytes: [0])
            #expect(try peer.readPacket() == nil)
            peer.close()
            #expect(server.closed(.wrongMagic))
        }
    }

    private func packet(_ payload: [UInt8]) -> [UInt8] {
        Array("NPRO".utf8) + [1, 0, 0, 0, UInt8(payload.count)] + payload
    }
}

// MARK: Context

/// What a handler was told of a connection.
private struct Seen: Equatable, Sendable {
    let listener: String
    let peerAddress: String?
    let identity: Identity?
    let shard: Int
}

private struct Identity: Equatable, Sendable {
    let processID: Int32
    let userID: UInt32
    let groupID: UInt32
}

extension HandlerTests {
    @Test(.enabled(if: hasIPv6Loopback, "one listener is on [::1]"), arguments: RingTier.allCases)
    func theContextTellsWhoAsks(_ tier: RingTier) async throws {
        let seen = Recorded<Seen>()
        let folder = try TemporaryFolder()
        try await withServer(tier) { server in
            server.configuration.listeners = [
                ListenerConfiguration(name: "near", address: "unix:" + folder.file("s")),
                ListenerConfiguration(name: "four", address: "127.0.0.1:0"),
                ListenerConfiguration(name: "six", address: "[::1]:0"),
            ]
            server.dispatcher.register(.echo) { message, context, reply in
                seen.record(
                    Seen(
                        listener: context.listener, peerAddress: context.peerAddress,
                        identity: context.peerIdentity.map {
                            Identity(processID: $0.processID, userID: $0.userID, groupID: $0.groupID)
                        },
                        shard: context.shard))
                reply.echo(message)
            }
        } _: { server in
            let peers = try server.handle.boundAddresses.map { try Peer(to: $0) }
            for peer in peers { #expect(try peer.request(.echo("")) == .echo("")) }
            let us = Identity(processID: getpid(), userID: getuid(), groupID: getgid())
            #expect(
                seen.all == [
                    Seen(listener: "near", peerAddress: "unix:", identity: us, shard: 0),
                    Seen(listener: "four", peerAddress: peers[1].localAddress, identity: nil, shard: 0),
                    Seen(listener: "six", peerAddress: peers[2].localAddress, identity: nil, shard: 0),
                ])
            #expect(peers[2].localAddress.hasPrefix("[::1]:"))
        }
    }
}
