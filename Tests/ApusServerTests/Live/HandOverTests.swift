// Listeners that go from one server to another while callers come all the time: nobody is refused.

import ApusReactor
import ApusServer
import ApusWire
import Foundation
import TestSupport
import Testing

@Suite(.serialized) struct HandOverTests {
    /// (shards before, shards after)
    private static let shardCounts = [(1, 1), (2, 2), (1, 2), (3, 2), (2, 3), (4, 2)]

    @Test(arguments: shardCounts)
    func nobodyIsRefusedOverTCP(_ shards: (Int, Int)) async throws {
        try await handOver("127.0.0.1:0", shards)
    }

    @Test(arguments: [(1, 1), (2, 2), (1, 3), (3, 1)])
    func nobodyIsRefusedOverAPath(_ shards: (Int, Int)) async throws {
        let folder = try TemporaryFolder()
        try await handOver("unix:" + folder.file("s"), shards)
        #expect(!FileManager.default.fileExists(atPath: folder.file("s")))
    }

    /// Three times in a row, with connections that talk through all of it until their server drains.
    private func handOver(_ address: String, _ shards: (Int, Int)) async throws {
        try await blocking {
            var server = try start(address, shards: shards.0)
            let bound = server.boundAddresses[0]
            let callers = Callers(to: bound)
            for _ in 0..<3 {
                #expect(callers.goOn(50))
                let peers = try (0..<20).map { _ in try Peer(to: bound) }
                for peer in peers { #expect(try peer.request(.ping) == .pong) }
                let copies = server.copyListeningDescriptors()
                #expect(copies.map(\.name) == ["edge"] && copies.map(\.address) == [bound])
                let next = try start(bound, shards: shards.1, inherited: copies[0].descriptors)
                #expect(next.boundAddresses == [bound])
                server.releaseListeners()
                server.shutdown(timeout: .seconds(30))
                for peer in peers {
                    // What the old server had is answered, whatever it says besides.
                    try peer.send(.echo("last"))
                    peer.finishSending()
                    #expect(try peer.readToEnd().contains(.echo("last")))
                }
                #expect(server.wait() == .drained)
                #expect(server.metrics.refused.isEmpty)
                server = next
            }
            #expect(callers.goOn(50))
            #expect(try callers.end() == 0)
            server.stop()
            server.wait()
        }
    }

    private func start(_ address: String, shards: Int, inherited: [Int32] = []) throws -> ServerHandle {
        var configuration = ServerConfiguration(address: address)
        configuration.shards = shards
        configuration.firstByteTimeout = .seconds(60)
        configuration.listeners[0].inherited = inherited
        return try Server(configuration).start()
    }

    // MARK: Sockets from elsewhere

    /// As a service manager hands one over: it does not block, and it is the only one.
    @Test(arguments: RingTier.allCases)
    func oneInheritedSocketServesAllShards(_ tier: RingTier) async throws {
        let listener = try openListener(SocketAddress(parsing: "127.0.0.1:0"), reusePort: false, backlog: 128)
        #expect(fcntl(listener.number, F_SETFL, fcntl(listener.number, F_GETFL) | O_NONBLOCK) == 0)
        try await withServer(tier) { server in
            server.configuration.shards = 2
            server.configuration.listeners[0].inherited = [listener.number]
            server.dispatcher.register(.echo) { _, context, reply in reply.send(.echo("\(context.shard)")) }
        } _: { server in
            let peers = try (0..<6).map { _ in try server.connect() }
            let shards = try peers.map { try $0.request(.echo("")) }
            #expect(shards.filter { $0 == .echo("0") }.count == 3)
            #expect(shards.filter { $0 == .echo("1") }.count == 3)
        }
    }

    @Test func aPathThatSomebodyElseKeepsStays() async throws {
        let folder = try TemporaryFolder()
        let address = "unix:" + folder.file("s")
        let listener = try openListener(SocketAddress(parsing: address), reusePort: false, backlog: 128)
        try await withServer(.newest) { server in
            server.configuration.listeners[0] = ListenerConfiguration(address: address)
            server.configuration.listeners[0].inherited = [listener.number]
            server.configuration.listeners[0].keepsPath = true
        } _: { server in
            let reply = try server.ask(.ping)
            #expect(reply == .pong)
        }
        #expect(FileManager.default.fileExists(atPath: folder.file("s")))
    }

    /// The second server ends while the first still serves: the path is the first one's.
    @Test func aHandOverThatIsTakenBackLeavesThePath() async throws {
        let folder = try TemporaryFolder()
        try await withServer(.newest) { server in
            server.configuration.listeners[0].address = "unix:" + folder.file("s")
        } _: { server in
            let copies = server.handle.copyListeningDescriptors()
            let next = try start(server.address, shards: 2, inherited: copies[0].descriptors)
            next.stop()
            next.wait()
            let reply = try server.ask(.ping)
            #expect(reply == .pong)
            server.handle.shutdown()
            server.handle.wait()
            #expect(!FileManager.default.fileExists(atPath: folder.file("s")))
        }
    }

    @Test func whatIsNoListeningSocketIsRefused() async throws {
        try await blocking {
            var pair: [Int32] = [-1, -1]
            #expect(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &pair) == 0)
            defer { closeDescriptor(Descriptor(pair[1])) }
            var configuration = ServerConfiguration(address: "127.0.0.1:9000")
            configuration.listeners[0].inherited = [pair[0]]
            guard case .cannotBind(let problem)? = startFailure(configuration) else {
                Issue.record("a socket that does not listen was taken")
                return
            }
            #expect(problem.hasPrefix("listener edge: Cannot listen on the inherited descriptor \(pair[0])"))
            // It was the server's, which closed it: the other end reads the end.
            var byte: UInt8 = 0
            #expect(recv(pair[1], &byte, 1, Int32(MSG_DONTWAIT)) == 0)
        }
    }

    @Test func aReloadTakesInheritedSocketsToo() async throws {
        try await withReloadable { $0.configuration.shards = 2 } _: { server, configuration in
            var configuration = configuration
            let listener = try openListener(SocketAddress(parsing: "127.0.0.1:0"), reusePort: false, backlog: 128)
            try server.reload(&configuration) {
                $0.listeners.append(ListenerConfiguration(name: "given", address: "127.0.0.1:0"))
                $0.listeners[1].inherited = [listener.number]
            }
            #expect(server.address(1) == boundAddress(of: listener)?.description)
            let reply = try server.ask(.ping, at: server.address(1))
            #expect(reply == .pong)
            // The same numbers again are the same sockets.
            let same = try server.handle.reload(configuration)
            #expect(same.isEmpty)
            let again = try server.ask(.ping, at: server.address(1))
            #expect(again == .pong)
        }
    }

    @Test func whatIsReleasedIsNotReloadedNorCopied() async throws {
        try await withReloadable { server, configuration in
            let peer = try server.connect()
            #expect(try peer.request(.ping) == .pong)
            server.handle.releaseListeners()
            server.handle.releaseListeners()
            #expect(server.handle.copyListeningDescriptors().isEmpty)
            #expect(server.refusal(configuration) { $0.unknownCommand = .close } != nil)
            #expect(try peer.request(.echo("served")) == .echo("served"))
        }
    }
}
