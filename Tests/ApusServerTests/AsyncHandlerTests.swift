// Handlers off the loop: side by side up to the limit, replies in the order of the requests.

import ApusReactor
import ApusServer
import ApusWire
import TestSupport
import Testing

/// Answers SLOW with its own content once the door of that name is open.
private func registerSlow(_ server: inout Server, _ doors: Doors) {
    server.dispatcher.registerAsync(.command("SLOW")) { message, _ in
        await doors.pass(message.contentText ?? "")
        return message
    }
}

private func slow(_ names: Int...) -> [Message] { names.map { .command("SLOW", "\($0)") } }

@Suite(.serialized) struct AsyncHandlerTests {
    @Test(arguments: RingTier.allCases)
    func repliesKeepTheOrderOfTheRequests(_ tier: RingTier) async throws {
        let doors = Doors()
        try await withServer(tier) { server in
            server.configuration.backpressureLimit = 4
            registerSlow(&server, doors)
        } _: { server in
            let peer = try server.connect()
            try peer.send(slow(1, 2, 3, 4, 5, 6))
            #expect(eventually { (1...4).allSatisfy { doors.isAwaited("\($0)") } })
            // The fifth is refused as long as four are under way.
            #expect(eventually { server.metrics.pauses > 0 })
            #expect(server.metrics.asyncRequests == 4)
            for name in [4, 3, 2] { doors.open("\(name)") }
            #expect(server.metrics.bytesSent == 0)
            for name in [6, 5, 1] { doors.open("\(name)") }
            #expect(try peer.read(6) == slow(1, 2, 3, 4, 5, 6))
            #expect(server.metrics.asyncRequests == 6)
        }
    }

    @Test(arguments: RingTier.allCases)
    func aSynchronousRequestWaitsForThoseBeforeIt(_ tier: RingTier) async throws {
        let doors = Doors()
        try await withServer(tier) { server in
            registerSlow(&server, doors)
            server.dispatcher.register(command: "FAST") { message, _, reply in reply.send(message.copyMessage()) }
        } _: { server in
            for request in [Message.echo("a"), .ping, .command("FAST")] {
                let pauses = server.metrics.pauses
                let peer = try server.connect()
                let name = Int(pauses)
                try peer.send(slow(name) + [request] + slow(name + 100))
                #expect(eventually { server.metrics.pauses > pauses })
                doors.open("\(name + 100)")
                doors.open("\(name)")
                let reply = request == .ping ? Message.pong : request
                #expect(try peer.read(3) == slow(name) + [reply] + slow(name + 100))
            }
        }
    }

    @Test(arguments: RingTier.allCases)
    func everyReplyOfManyConnectionsComesInOrder(_ tier: RingTier) async throws {
        try await withServer(tier) { server in
            server.configuration.shards = 2
            server.dispatcher.registerAsync(.echo) { message, _ in
                // Others run meanwhile, for longer or shorter.
                if case .echo(let text) = message, let number = Int(text) {
                    for _ in 0..<number * 7 % 5 { await Task.yield() }
                }
                return message
            }
        } _: { server in
            let peers = try (0..<4).map { _ in try server.connect() }
            for peer in peers { try peer.send(echoes(200)) }
            for peer in peers {
                peer.finishSending()
                #expect(try peer.readToEnd() == echoes(200))
            }
            #expect(server.metrics.asyncRequests == 800)
        }
    }

    @Test(arguments: RingTier.allCases)
    func aReplyForAConnectionThatIsGoneIsCounted(_ tier: RingTier) async throws {
        let doors = Doors()
        try await withServer(tier) { server in
            registerSlow(&server, doors)
        } _: { server in
            let peer = try server.connect()
            try peer.send(slow(1, 2))
            #expect(eventually { doors.isAwaited("1") && doors.isAwaited("2") })
            peer.reset()
            #expect(server.closed(.reset))
            doors.open("2")
            doors.open("1")
            #expect(server.dropped(.replyForGoneConnection, 2))
        }
    }

    @Test(arguments: RingTier.allCases)
    func aHalfClosedPeerGetsRepliesThatWereBeingMade(_ tier: RingTier) async throws {
        let doors = Doors()
        try await withServer(tier) { server in
            registerSlow(&server, doors)
        } _: { server in
            let peer = try server.connect()
            try peer.send(slow(1, 2))
            peer.finishSending()
            #expect(eventually { doors.isAwaited("1") && doors.isAwaited("2") })
            doors.open("2")
            doors.open("1")
            #expect(try peer.readToEnd() == slow(1, 2))
            #expect(server.closed(.peerFinished))
        }
    }

    private struct Refusal: Error {}

    @Test(arguments: RingTier.allCases)
    func aHandlerThatThrowsLeavesSilence(_ tier: RingTier) async throws {
        try await withServer(tier) { server in
            server.dispatcher.registerAsync(.command("THROW")) { _, _ in throw Refusal() }
            server.dispatcher.registerAsync(.command("NONE")) { _, _ in nil }
        } _: { server in
            let peer = try server.connect()
            try peer.send(.command("THROW"), .command("NONE"), .echo("next"))
            #expect(try peer.read() == .echo("next"))
            #expect(server.dropped(.handlerError))
        }
    }

    @Test func theContextIsACopy() async throws {
        let contexts = Recorded<AsyncContext>()
        try await withServer(.newest) { server in
            server.dispatcher.registerAsync(.echo) { message, context in
                contexts.record(context)
                return message
            }
        } _: { server in
            let peer = try server.connect()
            #expect(try peer.request(.echo("")) == .echo(""))
            #expect(contexts.all.map(\.listener) == ["edge"])
            #expect(contexts.all.map(\.peerAddress) == [peer.localAddress])
            #expect(contexts.all.map(\.peerIdentity) == [nil])
        }
    }
}
