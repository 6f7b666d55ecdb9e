// Messages that no request asked for, sent to a connection by its token.

import ApusReactor
import ApusServer
import ApusWire
import TestSupport
import Testing

/// TOKEN records its connection's token; SHOUT pushes its content to all recorded ones.
private func registerShouting(_ server: inout Server, _ tokens: Recorded<ConnectionToken>) {
    server.dispatcher.register(command: "TOKEN") { message, context, reply in
        tokens.record(context.token)
        reply.send(.command("TOKEN", "\(context.shard)"))
    }
    server.dispatcher.register(command: "SHOUT") { message, _, reply in
        for token in tokens.all { reply.push(message.copyMessage(), to: token) }
        reply.send(.command("SHOUTED"))
    }
}

@Suite(.serialized) struct PushTests {
    @Test(arguments: RingTier.allCases)
    func anyThreadMayPush(_ tier: RingTier) async throws {
        let tokens = Recorded<ConnectionToken>()
        try await withServer(tier) { server in
            registerShouting(&server, tokens)
        } _: { server in
            let peer = try server.connect()
            _ = try peer.request(.command("TOKEN"))
            let token = try #require(tokens.all.first)
            for index in 0..<100 { #expect(server.handle.push(.echo("\(index)"), to: token)) }
            #expect(try peer.read(100) == echoes(100))
            #expect(server.metrics.pushes == 100)
        }
    }

    @Test(arguments: RingTier.allCases)
    func aHandlerPushesToConnectionsOfEveryShard(_ tier: RingTier) async throws {
        let tokens = Recorded<ConnectionToken>()
        let folder = try TemporaryFolder()
        try await withServer(tier) { server in
            server.configuration.shards = 2
            server.configuration.listeners[0].address = "unix:" + folder.file("s")
            registerShouting(&server, tokens)
        } _: { server in
            let peers = try (0..<6).map { _ in try server.connect() }
            let shards = try peers.map { try $0.request(.command("TOKEN"))?.contentText }
            #expect(shards.filter { $0 == "0" }.count == 3)
            #expect(shards.filter { $0 == "1" }.count == 3)
            for round in 0..<20 {
                for speaker in peers {
                    try speaker.send(.command("SHOUT", "\(round)"))
                    for peer in peers {
                        let heard = try peer.read(peer === speaker ? 2 : 1)
                        #expect(heard.contains(.command("SHOUT", "\(round)")))
                    }
                }
            }
            #expect(server.metrics.dropped.isEmpty)
        }
    }

    @Test(arguments: RingTier.allCases)
    func aPushForAConnectionThatIsGoneIsCounted(_ tier: RingTier) async throws {
        let tokens = Recorded<ConnectionToken>()
        try await withServer(tier) { server in
            registerShouting(&server, tokens)
        } _: { server in
            let peer = try server.connect()
            _ = try peer.request(.command("TOKEN"))
            peer.close()
            #expect(server.closed(.peerFinished))
            // The next tenant of the slot must not get what was meant for the last one.
            let next = try server.connect()
            #expect(try next.request(.ping) == .pong)
            let token = try #require(tokens.all.first)
            #expect(server.handle.push(.echo("late"), to: token))
            #expect(server.dropped(.pushForGoneConnection))
            #expect(try next.request(.command("SHOUT")) == .command("SHOUTED"))
            #expect(server.dropped(.pushForGoneConnection, 2))
        }
    }

    @Test func aServerThatHasEndedTakesNoPush() async throws {
        let tokens = Recorded<ConnectionToken>()
        try await withServer(.newest) { server in
            registerShouting(&server, tokens)
        } _: { server in
            _ = try server.ask(.command("TOKEN"))
            let token = try #require(tokens.all.first)
            server.handle.stop()
            server.handle.wait()
            #expect(!server.handle.push(.ping, to: token))
        }
    }
}
