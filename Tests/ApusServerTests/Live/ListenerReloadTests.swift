// Listeners that come, go and change while connections talk.

import ApusReactor
import ApusSecurity
import ApusServer
import ApusWire
import Foundation
import TestSupport
import Testing

@Suite(.serialized) struct ListenerReloadTests {
    @Test(arguments: [1, 2])
    func anAddedListenerServesAndARemovedOneDoesNot(_ shards: Int) async throws {
        try await withReloadable { $0.configuration.shards = shards } _: { server, configuration in
            var configuration = configuration
            let added = try server.reload(&configuration) {
                $0.listeners.append(ListenerConfiguration(name: "late", address: "127.0.0.1:0"))
            }
            #expect(added.added == ["late"] && added.changed.isEmpty && added.removed.isEmpty)
            let late = server.address(1)
            let peers = try (0..<8).map { _ in try Peer(to: late) }
            for peer in peers { #expect(try peer.request(.echo("late")) == .echo("late")) }
            let removed = try server.reload(&configuration) { $0.listeners.removeLast() }
            #expect(removed.removed == ["late"] && removed.added.isEmpty)
            #expect(refuses(late))
            // Its connections live on, on every shard.
            for peer in peers { #expect(try peer.request(.echo("still")) == .echo("still")) }
            let reply = try server.ask(.ping)
            #expect(reply == .pong)
        }
    }

    @Test func aRemovedPathIsGoneAndItsConnectionsAreNot() async throws {
        let folder = try TemporaryFolder()
        let address = "unix:" + folder.file("s")
        try await withReloadable { $0.configuration.shards = 2 } _: { server, configuration in
            var configuration = configuration
            try server.reload(&configuration) {
                $0.listeners.append(ListenerConfiguration(name: "path", address: address))
            }
            let peers = try (0..<4).map { _ in try Peer(to: address) }
            for peer in peers { #expect(try peer.request(.ping) == .pong) }
            try server.reload(&configuration) { $0.listeners.removeLast() }
            #expect(!FileManager.default.fileExists(atPath: folder.file("s")))
            for peer in peers { #expect(try peer.request(.ping) == .pong) }
        }
    }

    @Test func anotherAddressIsBoundBeforeTheOldOneCloses() async throws {
        try await withReloadable { $0.configuration.shards = 2 } _: { server, configuration in
            var configuration = configuration
            let (old, peer) = (server.address, try server.connect())
            #expect(try peer.request(.ping) == .pong)
            let report = try server.reload(&configuration) { $0.listeners[0].address = "127.0.0.2:0" }
            #expect(report.changed == ["edge"] && report.added.isEmpty && report.removed.isEmpty)
            #expect(server.address != old)
            let reply = try server.ask(.echo("there"))
            #expect(reply == .echo("there"))
            #expect(refuses(old))
            #expect(try peer.request(.ping) == .pong)
        }
    }

    /// Two listeners that exchange their addresses, and one with another name, keep the sockets: nobody is refused.
    @Test func aRenamedListenerKeepsItsSockets() async throws {
        let folder = try TemporaryFolder()
        try await withReloadable { server in
            server.configuration.shards = 2
            server.configuration.listeners = [
                ListenerConfiguration(name: "a", address: "127.0.0.1:0"),
                ListenerConfiguration(name: "b", address: "unix:" + folder.file("s")),
            ]
            server.dispatcher.register(command: "WHERE") { _, context, reply in
                reply.send(.command("HERE", context.listener))
            }
        } _: { server, configuration in
            let addresses = server.handle.boundAddresses
            let callers = addresses.map { Callers(to: $0, threadCount: 1) }
            #expect(callers.allSatisfy { $0.goOn(20) })
            var configuration = configuration
            configuration.listeners = [
                ListenerConfiguration(name: "b", address: addresses[0]),
                ListenerConfiguration(name: "c", address: addresses[1]),
            ]
            let report = try server.handle.reload(configuration)
            #expect(report.added == ["c"] && report.removed == ["a"] && report.changed == ["b"])
            #expect(callers.allSatisfy { $0.goOn(100) })
            #expect(try callers.map { try $0.end() } == [0, 0])
            #expect(server.handle.boundAddresses == addresses)
            for (address, name) in zip(addresses, ["b", "c"]) {
                let reply = try Peer(to: address).request(.command("WHERE"))
                #expect(reply == .command("HERE", name))
            }
        }
        #expect(!FileManager.default.fileExists(atPath: folder.file("s")))
    }

    /// On and off, and nothing else with it.
    @Test(arguments: [1, 2])
    func theProxyHeaderIsThatOfNewConnections(_ shards: Int) async throws {
        try await withReloadable { $0.configuration.shards = shards } _: { server, configuration in
            var configuration = configuration
            let header = Array("PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n".utf8)
            let before = try server.connect()
            #expect(try before.request(.ping) == .pong)
            let on = try server.reload(&configuration) { $0.listeners[0].proxyProtocol = true }
            #expect(on.changed == ["edge"] && on.added.isEmpty && on.removed.isEmpty)
            #expect(eventually { answers(server, behind: header) })
            #expect(eventually { !answers(server, behind: []) })
            #expect(eventually { server.metrics.closed[.proxyViolation] ?? 0 > 0 })
            let same = try server.handle.reload(configuration)
            #expect(same.isEmpty)
            let off = try server.reload(&configuration) { $0.listeners[0].proxyProtocol = false }
            #expect(off.changed == ["edge"])
            #expect(eventually { answers(server, behind: []) })
            #expect(eventually { !answers(server, behind: header) })
            #expect(try before.request(.echo("still")) == .echo("still"))
        }
    }

    /// Whether a PING behind these bytes is answered.
    private func answers(_ server: RunningServer, behind header: [UInt8]) -> Bool {
        do {
            let peer = try server.connect()
            try peer.send(bytes: header + PacketEncoder.encode(.ping))
            return try peer.read() == .pong
        } catch {
            return false
        }
    }

    // MARK: Security

    @Test func otherSecurityIsThatOfNewConnections() async throws {
        try await withReloadable { $0.configuration.shards = 2 } _: { server, configuration in
            var configuration = configuration
            let plain = try (0..<4).map { _ in try server.connect() }
            for peer in plain { #expect(try peer.request(.ping) == .pong) }
            let report = try server.reload(&configuration) {
                $0.listeners[0].security = .handshake(HandshakeSettings())
            }
            #expect(report.changed == ["edge"])
            #expect(eventually { answersSealed(server.address) })
            for peer in plain { #expect(try peer.request(.echo("plain")) == .echo("plain")) }
            let sealed = try (0..<8).map { _ in try SecurePeer(to: server.address, .handshake(HandshakeSettings())) }
            for peer in sealed { try peer.establish() }
            let same = try server.handle.reload(configuration)
            #expect(same.isEmpty)
            try server.reload(&configuration) { $0.listeners[0].security = .none }
            for peer in sealed {
                try peer.peer.send(bytes: try peer.seal(.echo("sealed")))
                #expect(try peer.read(1) == [.echo("sealed")])
            }
        }
    }

    private func answersSealed(_ address: String) -> Bool {
        do {
            try SecurePeer(to: address, .handshake(HandshakeSettings())).establish()
            return true
        } catch {
            return false
        }
    }

    @Test func aPreSharedKeyIsReplaced() async throws {
        func settings(_ byte: UInt8) -> HandshakeSettings {
            var settings = HandshakeSettings()
            settings.presharedKey = PresharedKey([UInt8](repeating: byte, count: 32).span.bytes)
            return settings
        }
        try await withReloadable { server in
            server.configuration.listeners[0].security = .handshake(settings(1))
        } _: { server, configuration in
            var configuration = configuration
            let old = try SecurePeer(to: server.address, .handshake(settings(1)))
            try old.establish()
            let same = try server.reload(&configuration) { $0.listeners[0].security = .handshake(settings(1)) }
            #expect(same.isEmpty)
            let report = try server.reload(&configuration) { $0.listeners[0].security = .handshake(settings(2)) }
            #expect(report.changed == ["edge"])
            #expect(
                eventually {
                    do {
                        try SecurePeer(to: server.address, .handshake(settings(2))).establish()
                        return true
                    } catch {
                        return false
                    }
                })
            #expect(throws: (any Error).self) {
                try SecurePeer(to: server.address, .handshake(settings(1))).establish()
            }
            try old.peer.send(bytes: try old.seal(.ping))
            #expect(try old.read(1) == [.pong])
        }
    }

    /// A listener that shares out hands connections to shards that may not have heard of it yet: none of them may be
    /// taken for plain.
    @Test func aNewListenersConnectionsAreProtectedOnEveryShard() async throws {
        let folder = try TemporaryFolder()
        try await withReloadable { $0.configuration.shards = 2 } _: { server, configuration in
            var configuration = configuration
            for round in 0..<20 {
                let address = "unix:" + folder.file("\(round)")
                try server.reload(&configuration) {
                    $0.listeners = [
                        $0.listeners[0],
                        ListenerConfiguration(
                            name: "\(round)", address: address, security: .handshake(HandshakeSettings())),
                    ]
                }
                let peers = try (0..<6).map { _ in try Peer(to: address) }
                for peer in peers { try peer.send(.echo("is this plain?")) }
                for peer in peers { #expect(try peer.read() == nil) }
            }
            #expect(server.closed(.handshakeRefused, 120))
        }
    }

    // MARK: Places

    /// A slot goes to another listener only when nothing refers to it; then it does.
    @Test func placesAreUsedAgainWhenTheirConnectionsAreGone() async throws {
        try await withReloadable { server in
            server.dispatcher.register(command: "WHERE") { _, context, reply in
                reply.send(.command("HERE", context.listener))
            }
        } _: { server, configuration in
            var configuration = configuration
            var peers: [Peer] = []
            for number in 0..<63 {
                try replaceLast(&configuration, "n\(number)", server)
                peers.append(try Peer(to: server.address(1)))
                let reply = try peers[number].request(.command("WHERE"))
                #expect(reply == .command("HERE", "n\(number)"))
            }
            guard case .cannotBind(let problem)? = refusal("one more", configuration, server) else {
                Issue.record("a listener that has connections lost its place")
                return
            }
            #expect(problem.contains("64 listeners are in use"))
            // Each still knows where it came in.
            for (number, peer) in peers.enumerated() {
                #expect(try peer.request(.command("WHERE")) == .command("HERE", "n\(number)"))
            }
            peers[10].close()
            #expect(eventually { refusal("one more", configuration, server) == nil })
        }
    }

    /// A hundred times more listeners than places, one after the other.
    @Test func placesDoNotRunOut() async throws {
        try await withReloadable { $0.configuration.shards = 2 } _: { server, configuration in
            var configuration = configuration
            for number in 0..<300 {
                // The last one's acceptors may not have closed yet: there are 62 other places meanwhile.
                try replaceLast(&configuration, "n\(number)", server)
                if number % 50 == 0 { #expect(try Peer(to: server.address(1)).request(.ping) == .pong) }
            }
            #expect(server.metrics.reloadsApplied == 300)
        }
    }

    private func replaceLast(
        _ configuration: inout ServerConfiguration, _ name: String, _ server: RunningServer
    ) throws {
        try server.reload(&configuration) {
            $0.listeners = [$0.listeners[0], ListenerConfiguration(name: name, address: "127.0.0.1:0")]
        }
    }

    private func refusal(
        _ name: String, _ configuration: ServerConfiguration, _ server: RunningServer
    ) -> ServerError? {
        server.refusal(configuration) {
            $0.listeners = [$0.listeners[0], ListenerConfiguration(name: name, address: "127.0.0.1:0")]
        }
    }

    // MARK: Under load

    /// Listeners come and go, and limits change, as fast as they can while hundreds of connections talk.
    @Test func noAnswerIsLostWhileListenersComeAndGo() async throws {
        let folder = try TemporaryFolder()
        try await withReloadable { server in
            server.configuration.shards = 2
            server.configuration.listeners.append(
                ListenerConfiguration(name: "path", address: "unix:" + folder.file("s")))
        } _: { server, configuration in
            var configuration = configuration
            let talk = SteadyTalk(try (0..<200).map { try Peer(to: server.address($0 % 2)) })
            #expect(talk.goesOn(200))
            let callers = Callers(to: server.address)
            var guests: [Peer] = []
            for round in 0..<40 {
                try server.reload(&configuration) {
                    $0.listeners = Array($0.listeners.prefix(2))
                    $0.listeners.append(ListenerConfiguration(name: "g\(round)", address: "127.0.0.1:0"))
                    $0.idleTimeout = round % 2 == 0 ? .seconds(60) : nil
                    $0.outstandingByteCountMax = round % 2 == 0 ? 64 << 10 : 1 << 20
                }
                let guest = try Peer(to: server.address(2))
                #expect(try guest.request(.ping) == .pong)
                guests.append(guest)
                #expect(talk.goesOn(50))
            }
            for guest in guests { #expect(try guest.request(.echo("guest")) == .echo("guest")) }
            #expect(try callers.end() == 0)
            try talk.end()
            #expect(server.metrics.closed.keys.allSatisfy { $0 == .peerFinished })
            #expect(server.metrics.refused.isEmpty)
        }
    }

    /// Nobody listens there any more, in the end.
    private func refuses(_ address: String) -> Bool {
        eventually {
            do {
                try Peer(to: address).close()
                return false
            } catch {
                return error as? PeerError == .cannotConnect(errno: ECONNREFUSED)
            }
        }
    }
}
