// How a server ends: what it still answers, whom it tells, whom it cuts off.

import ApusReactor
import ApusServer
import ApusWire
import Glibc
import Synchronization
import TestSupport
import Testing

@Suite(.serialized) struct ShutdownTests {
    @Test(arguments: RingTier.allCases)
    func idlePeersAreToldToLeave(_ tier: RingTier) async throws {
        try await withServer(tier) { server in
            server.configuration.shards = 2
        } _: { server in
            let peers = try (0..<6).map { _ in try server.connect() }
            // One has not said anything yet.
            for peer in peers.dropFirst() { #expect(try peer.request(.ping) == .pong) }
            #expect(eventually { server.metrics.openConnections == 6 })
            server.handle.shutdown()
            for peer in peers {
                #expect(try peer.read() == .disconnect)
                peer.close()
            }
            #expect(server.handle.wait() == .drained)
            #expect(server.metrics.closed == [.drained: 6])
            #expect(server.metrics.openConnections == 0)
        }
    }

    @Test(arguments: RingTier.allCases)
    func whoAnswersDisconnectWithDisconnectHasDrained(_ tier: RingTier) async throws {
        try await withServer(tier) { _ in
        } _: { server in
            let peer = try server.connect()
            #expect(try peer.request(.ping) == .pong)
            server.handle.shutdown()
            #expect(try peer.read() == .disconnect)
            try peer.send(.disconnect)
            #expect(try peer.read() == nil)
            peer.close()
            #expect(server.handle.wait() == .drained)
        }
    }

    @Test(arguments: RingTier.allCases)
    func newPeersAreRefusedAtOnce(_ tier: RingTier) async throws {
        try await withServer(tier) { server in
            server.configuration.shards = 2
        } _: { server in
            let peer = try server.connect()
            #expect(try peer.request(.ping) == .pong)
            server.handle.shutdown()
            #expect(
                eventually {
                    do {
                        // Between the word and the close a connection may be accepted; it is closed again.
                        try server.connect().close()
                        return false
                    } catch {
                        return error as? PeerError == .cannotConnect(errno: ECONNREFUSED)
                    }
                })
            // Meanwhile the one that is connected is served.
            try peer.send(.echo("busy"))
            #expect(try peer.read(2).contains(.echo("busy")))
            peer.close()
            #expect(server.handle.wait() == .drained)
        }
    }

    @Test(arguments: RingTier.allCases)
    func aBusyPeerIsAnsweredUntilItFinishes(_ tier: RingTier) async throws {
        try await withServer(tier) { _ in
        } _: { server in
            let peer = try server.connect()
            #expect(try peer.request(.echo("before")) == .echo("before"))
            server.handle.shutdown()
            #expect(try peer.read() == .disconnect)
            for message in echoes(300) { #expect(try peer.request(message) == message) }
            peer.finishSending()
            #expect(try peer.read() == nil)
            #expect(server.handle.wait() == .drained)
        }
    }

    @Test(arguments: RingTier.allCases)
    func aPeerThatWaitsForAReplyGetsItFirst(_ tier: RingTier) async throws {
        let doors = Doors()
        try await withServer(tier) { server in
            server.dispatcher.registerAsync(.command("SLOW")) { message, _ in
                await doors.pass("1")
                return message
            }
        } _: { server in
            let idle = try server.connect()
            #expect(try idle.request(.ping) == .pong)
            let peer = try server.connect()
            try peer.send(.command("SLOW"))
            #expect(eventually { doors.isAwaited("1") })
            server.handle.shutdown()
            // When the idle one has been told, the other could have been.
            #expect(try idle.read() == .disconnect)
            idle.close()
            doors.open("1")
            #expect(try peer.read() == .command("SLOW"))
            #expect(try peer.read() == .disconnect)
            peer.close()
            #expect(server.handle.wait() == .drained)
        }
    }

    @Test(arguments: RingTier.allCases)
    func aPeerThatNeverLeavesIsCutOff(_ tier: RingTier) async throws {
        try await withServer(tier) { _ in
        } _: { server in
            let peer = try server.connect()
            let other = try server.connect()
            #expect(try peer.request(.ping) == .pong)
            #expect(try other.request(.ping) == .pong)
            server.handle.shutdown(timeout: .milliseconds(100))
            #expect(try other.read() == .disconnect)
            other.close()
            #expect(try peer.readToEnd() == [.disconnect])
            peer.close()
            #expect(server.handle.wait() == .forced(connections: 1))
            #expect(server.metrics.closed == [.drained: 1, .drainForced: 1])
        }
    }

    /// It neither keeps the server from ending nor is it lost track of.
    @Test(arguments: RingTier.allCases)
    func aReplyThatComesAfterTheDeadlineIsCounted(_ tier: RingTier) async throws {
        let doors = Doors()
        try await withServer(tier) { server in
            server.dispatcher.registerAsync(.command("SLOW")) { message, _ in
                await doors.pass("1")
                return message
            }
        } _: { server in
            let peer = try server.connect()
            try peer.send(.echo("1"), .command("SLOW"))
            #expect(try peer.read() == .echo("1"))
            #expect(eventually { doors.isAwaited("1") })
            server.handle.shutdown(timeout: .milliseconds(50))
            #expect(try peer.read() == nil)
            // The connection lingers, since this peer does not close.
            doors.open("1")
            #expect(server.dropped(.replyForGoneConnection))
            peer.close()
            #expect(server.handle.wait() == .forced(connections: 1))
        }
    }

    @Test(arguments: RingTier.allCases)
    func stopClosesEverythingAtOnce(_ tier: RingTier) async throws {
        try await withServer(tier) { server in
            server.configuration.shards = 2
        } _: { server in
            let peers = try (0..<5).map { _ in try server.connect() }
            for peer in peers { #expect(try peer.request(.ping) == .pong) }
            server.handle.stop()
            #expect(server.handle.wait() == .forced(connections: 5))
            for peer in peers { #expect(try peer.read() == nil) }
            #expect(server.metrics.closed == [.stopped: 5])
        }
    }

    @Test(arguments: RingTier.allCases)
    func stopEndsADrain(_ tier: RingTier) async throws {
        try await withServer(tier) { _ in
        } _: { server in
            let peer = try server.connect()
            #expect(try peer.request(.ping) == .pong)
            server.handle.shutdown(timeout: .seconds(3_600))
            #expect(try peer.read() == .disconnect)
            server.handle.stop()
            #expect(server.handle.wait() == .forced(connections: 1))
        }
    }

    @Test func everyoneWhoWaitsIsTold() async throws {
        var configuration = ServerConfiguration(address: "127.0.0.1:0")
        configuration.shards = 2
        let handle = try Server(configuration).start()
        async let early = handle.run()
        handle.shutdown()
        handle.shutdown()
        #expect(await early == .drained)
        #expect(await handle.run() == .drained)
        #expect(handle.wait() == .drained)
        handle.stop()
        #expect(handle.wait() == .drained)
    }
}

// MARK: Under load

extension ShutdownTests {
    /// Every connection has requests on their way all the time. What was asked before the FIN is answered, in order.
    @Test(arguments: RingTier.allCases)
    func noReplyIsLostInAShutdownUnderLoad(_ tier: RingTier) async throws {
        try await withServer(tier) { server in
            server.configuration.shards = 2
            server.configuration.outstandingByteCountMax = 64 << 10
        } _: { server in
            let loads = try (0..<6).map { _ in Load(try server.connect()) }
            #expect(eventually { loads.allSatisfy { $0.replyCount > 500 } })
            server.handle.shutdown()
            let replyCounts = loads.map(\.replyCount)
            #expect(eventually { zip(loads, replyCounts).allSatisfy { $0.replyCount > $1 + 500 } })
            for load in loads {
                let (requested, replied) = try load.end()
                #expect(replied == requested)
            }
            #expect(server.handle.wait() == .drained)
        }
    }
}

/// Said by one thread to others, or counted by one for others.
private final class Shared: Sendable {
    let isOver = Atomic(false)
    let replyCount = Atomic(0)
}

/// Sends numbered echoes on one thread and checks the replies on another.
private final class Load: Sendable {
    private let shared = Shared()
    private let sending: Background<Int>
    private let receiving: Background<Int>

    init(_ peer: Peer) {
        let shared = shared
        sending = Background {
            var count = 0
            while !shared.isOver.load(ordering: .relaxed) {
                try peer.send(echoes(50, from: count))
                count += 50
                // Not further ahead than can be answered in the time that a drain has.
                guard eventually({ count - shared.replyCount.load(ordering: .relaxed) < 1_000 }) else { break }
            }
            peer.finishSending()
            return count
        }
        receiving = Background {
            var count = 0
            while let message = try peer.read() {
                // The server may say this once, when it happens to have nothing else to say.
                if message == .disconnect { continue }
                guard message == .echo("\(count)") else { throw PeerError.truncated }
                count += 1
                shared.replyCount.store(count, ordering: .relaxed)
            }
            return count
        }
    }

    var replyCount: Int { shared.replyCount.load(ordering: .relaxed) }

    /// Send no more; how many requests were sent and how many replies came.
    func end() throws -> (requested: Int, replied: Int) {
        shared.isOver.store(true, ordering: .relaxed)
        return (try sending.value(), try receiving.value())
    }
}
