// Cases that were wrong once: each failed before the server was mended.

import ApusReactor
import ApusServer
import ApusWire
import TestSupport
import Testing

@Suite(.serialized) struct ReviewTests {
    private static let longest = PacketFormat.payloadByteCountMax

    /// Answers BIG with as many bytes as its content says, off the loop.
    private func registerBig(_ server: inout Server) {
        server.dispatcher.registerAsync(.command("BIG")) { message, _ in
            guard case .custom(let command, let payload) = message,
                let byteCount = Int(String(decoding: payload, as: UTF8.self))
            else { return nil }
            return .custom(command: command, payload: [UInt8](repeating: 7, count: byteCount))
        }
    }

    @Test func anAsynchronousReplyThatIsTooLongEndsItsConnectionAndNothingElse() async throws {
        try await withServer(.newest) { server in
            registerBig(&server)
        } _: { server in
            let bystander = try server.connect()
            let peer = try server.connect()
            try peer.send(.command("BIG", "3"), .command("BIG", "\(ReviewTests.longest)"), .echo("unread"))
            #expect(try peer.readToEnd() == [.custom(command: "BIG", payload: [7, 7, 7])])
            #expect(server.closed(.oversizeReply))
            #expect(try bystander.request(.ping) == .pong)
        }
    }

    @Test func aPushThatIsTooLongIsRefused() async throws {
        let tokens = Recorded<ConnectionToken>()
        try await withServer(.newest) { server in
            server.dispatcher.register(command: "TOKEN") { message, context, reply in
                tokens.record(context.token)
                reply.push(.custom(command: "X", payload: [UInt8](repeating: 0, count: 1 << 24)), to: context.token)
                reply.send(message.copyMessage())
            }
        } _: { server in
            let peer = try server.connect()
            _ = try peer.request(.command("TOKEN"))
            let token = try #require(tokens.all.first)
            let tooLong = Message.custom(command: "X", payload: [UInt8](repeating: 0, count: 1 << 24))
            #expect(!server.handle.push(tooLong, to: token))
            #expect(server.dropped(.pushTooLarge))
            #expect(try peer.request(.ping) == .pong)
        }
    }

    /// Together they are longer than the largest buffer; none may be lost for that.
    @Test func largeAsynchronousRepliesLeaveOneAfterTheOther() async throws {
        try await withServer(.newest) { server in
            registerBig(&server)
            server.configuration.memoryBudgetPerShard = 512 << 20
        } _: { server in
            let peer = try server.connect()
            let byteCount = 11 << 20
            try peer.send([Message](repeating: .command("BIG", "\(byteCount)"), count: 4))
            for _ in 0..<4 {
                guard case .custom(_, let payload) = try #require(try peer.read()) else {
                    Issue.record("not a custom message")
                    continue
                }
                #expect(payload.count == byteCount)
            }
            #expect(server.metrics.closed.isEmpty)
        }
    }

    /// The mail that a busy shard leaves for one that has ended must not keep the server from ending.
    @Test func aPushToAShardThatHasEndedDoesNotHoldUpTheEnd() async throws {
        let tokens = Recorded<ConnectionToken>()
        let folder = try TemporaryFolder()
        try await withServer(.newest) { server in
            server.configuration.shards = 2
            server.configuration.listeners[0].address = "unix:" + folder.file("s")
            server.dispatcher.register(command: "TOKEN") { message, context, reply in
                tokens.record(context.token)
                reply.send(message.copyMessage())
            }
            server.dispatcher.register(command: "TELL") { message, _, reply in
                for token in tokens.all { reply.push(.echo("told"), to: token) }
                reply.send(message.copyMessage())
            }
        } _: { server in
            let (first, second) = (try server.connect(), try server.connect())
            for peer in [first, second] { _ = try peer.request(.command("TOKEN")) }
            // Busy: the middle of a packet is here, so it is not told to leave.
            let tell = PacketEncoder.encode(.command("TELL"))
            try first.send(bytes: Array(tell.prefix(5)))
            #expect(eventually { server.metrics.bytesReceived >= UInt64(2 * 32 + 5) })
            server.handle.shutdown(timeout: .seconds(20))
            #expect(try second.read() == .disconnect)
            second.close()
            #expect(eventually { server.metrics.openConnections == 1 })
            try first.send(bytes: Array(tell.dropFirst(5)))
            let answers = try first.read(2)
            #expect(answers.contains(.command("TELL")))
            first.close()
            #expect(server.handle.wait() == .drained)
        }
    }

    @Test func aShardWithoutAListenerOfItsOwnAcceptsNothing() async throws {
        let folder = try TemporaryFolder()
        try await withServer(.newest) { server in
            server.configuration.shards = 3
            server.configuration.listeners[0].address = "unix:" + folder.file("s")
        } _: { server in
            let answer = try server.ask(.ping)
            #expect(answer == .pong)
            #expect(server.metrics.refused.isEmpty)
        }
    }

    /// A successor may have the path by the time a drain is hurried.
    @Test func aSecondShutdownLeavesTheSuccessorsPathAlone() async throws {
        let folder = try TemporaryFolder()
        let address = "unix:" + folder.file("s")
        try await withServer(.newest) { server in
            server.configuration.listeners[0].address = address
        } _: { server in
            let peer = try server.connect()
            try peer.send(bytes: [0x4E])  // Under way: it is not told to leave.
            #expect(eventually { server.metrics.bytesReceived == 1 })
            server.handle.shutdown(timeout: .seconds(30))
            let successor = try Server(ServerConfiguration(address: address)).start()
            server.handle.shutdown(timeout: .milliseconds(1))
            server.handle.stop()
            #expect(server.handle.wait() == .forced(connections: 1))
            let answer = try server.ask(.ping, at: address)
            #expect(answer == .pong)
            successor.stop()
            successor.wait()
        }
    }

    @Test func commandsAreTheirBytes() async throws {
        try await withServer(.newest) { server in
            server.dispatcher.register(command: "\u{E9}") { _, _, reply in reply.send(.echo("composed")) }
            server.dispatcher.register(command: "e\u{301}") { _, _, reply in reply.send(.echo("decomposed")) }
        } _: { server in
            let composed = try server.ask(.command("\u{E9}"))
            let decomposed = try server.ask(.command("e\u{301}"))
            #expect(composed == .echo("composed"))
            #expect(decomposed == .echo("decomposed"))
        }
    }

    /// Requests of connections that are gone still count, so that resets cannot start tasks without end.
    @Test func requestsOfGoneConnectionsHoldTheirPlaces() async throws {
        let doors = Doors()
        try await withServer(.newest) { server in
            server.configuration.payloadByteCountMax = 1 << 20
            server.configuration.memoryBudgetPerShard = 6 << 20
            server.dispatcher.registerAsync(.command("SLOW")) { _, _ in
                await doors.pass("slow")
                return .pong
            }
        } _: { server in
            // A quarter of the budget holds one such request, not two.
            let request = Message.custom(command: "SLOW", payload: [UInt8](repeating: 0, count: 900 << 10))
            let gone = try server.connect()
            try gone.send(request)
            #expect(eventually { server.metrics.asyncRequests == 1 })
            gone.reset()
            #expect(eventually { server.metrics.openConnections == 0 })
            let waiting = try server.connect()
            try waiting.send(request)
            #expect(eventually { server.metrics.pauses > 0 })
            #expect(server.metrics.asyncRequests == 1)
            doors.open("slow")
            #expect(try waiting.read() == .pong)
            #expect(server.dropped(.replyForGoneConnection))
        }
    }
}
