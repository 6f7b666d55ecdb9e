// Where a server listens: ports and paths, who may have them, and how several shards share them.

import ApusReactor
import ApusServer
import ApusWire
import Foundation
import TestSupport
import Testing

@Suite(.serialized) struct ListenerTests {
    @Test(arguments: RingTier.allCases, loopbackAddresses)
    func shardsShareAPortTheKernelChose(_ tier: RingTier, _ address: String) async throws {
        try await withServer(tier) { server in
            server.configuration.listeners[0].address = address
            server.configuration.shards = 3
        } _: { server in
            #expect(!server.address.hasSuffix(":0"))
            #expect(server.address.hasPrefix(address.dropLast()))
            let peers = try (0..<32).map { _ in try server.connect() }
            for peer in peers { #expect(try peer.request(.echo("here")) == .echo("here")) }
            #expect(server.metrics.accepted == 32)
        }
    }

    @Test(.enabled(if: hasIPv6Loopback, "one listener is on [::1]"), arguments: RingTier.allCases)
    func severalListenersServeSideBySide(_ tier: RingTier) async throws {
        let folder = try TemporaryFolder()
        try await withServer(tier) { server in
            server.configuration.shards = 2
            server.configuration.listeners = [
                ListenerConfiguration(name: "a", address: "127.0.0.1:0"),
                ListenerConfiguration(name: "b", address: "[::1]:0"),
                ListenerConfiguration(name: "c", address: "unix:" + folder.file("s")),
            ]
        } _: { server in
            for address in server.handle.boundAddresses {
                for _ in 0..<4 {
                    let reply = try server.ask(.ping, at: address)
                    #expect(reply == .pong)
                }
            }
        }
    }

    /// A server that shared the port would take every other connection of the first one, unnoticed.
    @Test(arguments: [1, 2], [1, 2])
    func aPortInUseIsRefused(_ shards: Int, _ otherShards: Int) async throws {
        try await withServer(.newest) { server in
            server.configuration.shards = shards
        } _: { server in
            var configuration = ServerConfiguration(address: server.address)
            configuration.shards = otherShards
            let error = startFailure(configuration)
            guard case .cannotBind(let problem)? = error else {
                Issue.record("started, or failed otherwise: \(String(describing: error))")
                return
            }
            #expect(problem.contains(server.address))
            #expect(problem.contains("edge"))
            let reply = try server.ask(.ping)
            #expect(reply == .pong)
        }
    }

    @Test func aPortIsFreeAgainAfterAServerThatFailed() async throws {
        try await withServer(.newest) { server in
            // The second listener fails, so the first one must be given back.
            var configuration = ServerConfiguration(listeners: [
                ListenerConfiguration(name: "free", address: "127.0.0.1:0"),
                ListenerConfiguration(name: "busy", address: server.address),
            ])
            let free = "127.0.0.1:\(try freePort())"
            configuration.listeners[0].address = free
            guard case .cannotBind? = startFailure(configuration) else {
                Issue.record("the busy port was bound")
                return
            }
            let next = try Server(ServerConfiguration(address: free)).start()
            let peer = try Peer(to: free)
            #expect(try peer.request(.ping) == .pong)
            next.stop()
            next.wait()
        }
    }

    private func freePort() throws -> Substring {
        let handle = try Server(ServerConfiguration(address: "127.0.0.1:0")).start()
        handle.stop()
        handle.wait()
        return handle.boundAddresses[0].drop { $0 != ":" }.dropFirst()
    }
}

/// Why a server with this configuration does not start; nil when it did, and was stopped again.
func startFailure(_ configuration: ServerConfiguration) -> ServerError? {
    do throws(ServerError) {
        let handle = try Server(configuration).start()
        handle.stop()
        handle.wait()
        return nil
    } catch {
        return error
    }
}

// MARK: UNIX sockets

@Suite(.serialized) struct UNIXListenerTests {
    @Test(arguments: RingTier.allCases)
    func connectionsAreSpreadOverTheShards(_ tier: RingTier) async throws {
        let folder = try TemporaryFolder()
        try await withServer(tier) { server in
            server.configuration.shards = 2
            server.configuration.listeners[0].address = "unix:" + folder.file("s")
            server.dispatcher.register(.echo) { _, context, reply in reply.send(.echo("\(context.shard)")) }
        } _: { server in
            let peers = try (0..<6).map { _ in try server.connect() }
            let shards = try peers.map { try $0.request(.echo("")) }
            #expect(shards.filter { $0 == .echo("0") }.count == 3)
            #expect(shards.filter { $0 == .echo("1") }.count == 3)
        }
    }

    @Test func nobodyElseMayConnect() async throws {
        let folder = try TemporaryFolder()
        try await withServer(.newest) { server in
            server.configuration.listeners[0].address = "unix:" + folder.file("s")
        } _: { server in
            let attributes = try FileManager.default.attributesOfItem(atPath: folder.file("s"))
            #expect(attributes[.posixPermissions] as? Int == 0o600)
            #expect(attributes[.type] as? FileAttributeType == .typeSocket)
        }
    }

    @Test(arguments: [true, false])
    func theFileIsGoneAfterTheServer(_ drains: Bool) async throws {
        let folder = try TemporaryFolder()
        try await withServer(.newest) { server in
            server.configuration.listeners[0].address = "unix:" + folder.file("s")
        } _: { server in
            #expect(FileManager.default.fileExists(atPath: folder.file("s")))
            if drains { server.handle.shutdown() } else { server.handle.stop() }
            #expect(server.handle.wait() == .drained)
            #expect(!FileManager.default.fileExists(atPath: folder.file("s")))
        }
    }

    @Test func whatIsNoSocketIsLeftAlone() async throws {
        let folder = try TemporaryFolder()
        let content = Data("somebody's".utf8)
        try content.write(to: URL(filePath: folder.file("s")))
        try await blocking {
            let error = startFailure(ServerConfiguration(address: "unix:" + folder.file("s")))
            guard case .cannotBind(let problem)? = error else {
                Issue.record("started, or failed otherwise: \(String(describing: error))")
                return
            }
            #expect(problem.contains(folder.file("s")))
            let left = try Data(contentsOf: URL(filePath: folder.file("s")))
            #expect(left == content)
        }
    }

    @Test func aLiveServerKeepsItsPath() async throws {
        let folder = try TemporaryFolder()
        try await withServer(.newest) { server in
            server.configuration.listeners[0].address = "unix:" + folder.file("s")
        } _: { server in
            guard case .cannotBind? = startFailure(ServerConfiguration(address: server.address)) else {
                Issue.record("the path of a live server was taken")
                return
            }
            let reply = try server.ask(.ping)
            #expect(reply == .pong)
        }
    }

    @Test(arguments: RingTier.allCases)
    func whatACrashedServerLeftIsTakenOver(_ tier: RingTier) async throws {
        let folder = try TemporaryFolder()
        let address = "unix:" + folder.file("s")
        // Closed without being removed, as the kernel does for a process that dies.
        closeDescriptor(try openListener(SocketAddress(parsing: address), reusePort: false, backlog: 1))
        #expect(FileManager.default.fileExists(atPath: folder.file("s")))
        try await withServer(tier) { server in
            server.configuration.listeners[0].address = address
        } _: { server in
            let reply = try server.ask(.ping)
            #expect(reply == .pong)
        }
    }
}
