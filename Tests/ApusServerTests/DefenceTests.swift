// Peers that would take the server's time and places for nothing, on the real kernel. Nothing here says how long it
// took: each waits for the close or the refusal, which must come for the reason that is counted.

import ApusReactor
import ApusServer
import ApusWire
import Glibc
import TestSupport
import Testing

@Suite(.serialized) struct DefenceTests {
    @Test(arguments: RingTier.allCases)
    func aPacketThatIsNotFinishedEndsItsConnection(_ tier: RingTier) async throws {
        try await withServer(tier) { server in
            server.configuration.slowPeerGrace = .milliseconds(100)
        } _: { server in
            let honest = try server.connect()
            let peer = try server.connect()
            let packet = PacketEncoder.encode(.echo("never whole"))
            try peer.send(.echo("whole"))
            try peer.send(bytes: Array(packet.dropLast()))
            #expect(try peer.read() == .echo("whole"))
            #expect(try peer.read() == nil)
            #expect(server.closed(.slowRequest))
            #expect(try honest.request(.echo("here")) == .echo("here"))
        }
    }

    /// It never stops taking, and never takes as much as is asked of it.
    @Test(arguments: RingTier.allCases)
    func repliesThatAreSippedEndTheirConnection(_ tier: RingTier) async throws {
        try await withServer(tier) { server in
            server.configuration.slowPeerGrace = .milliseconds(300)
            server.configuration.peerByteRateMin = 1 << 30
        } _: { server in
            let peer = try server.connect(receiveBufferByteCount: 4096)
            let requests = Background {
                // Until the server, which gave up, resets what is still to be sent.
                while true { try peer.send(.echo(String(repeating: "x", count: 100_000))) }
            }
            let sips = Background { sip(peer) }
            #expect(server.closed(.slowConsumer))
            #expect(throws: PeerError.self) { try requests.value() }
            try sips.value()
        }
    }

    @Test(arguments: RingTier.allCases)
    func aFloodOfPingsEndsItsConnection(_ tier: RingTier) async throws {
        try await withServer(tier) { server in
            server.configuration.controlRateMax = 500
        } _: { server in
            let peer = try server.connect()
            let floods = Background {
                while true { try peer.send(Array(repeating: .ping, count: 1000)) }
            }
            #expect(server.closed(.controlFlood))
            #expect(throws: PeerError.self) { try floods.value() }
        }
    }

    /// What the server answered before it had enough is sent.
    @Test func theBudgetOfControlMessagesIsExact() async throws {
        try await withServer(.newest) { server in
            server.configuration.controlRateMax = 1
        } _: { server in
            let peer = try server.connect()
            try peer.send(.ping, .echo("a"), .pong, .echo("b"), .ping, .echo("c"))
            #expect(try peer.readToEnd() == [.pong, .echo("a"), .echo("b")])
            #expect(server.closed(.controlFlood))
        }
    }

    @Test(arguments: RingTier.allCases, [1, 2])
    func anAddressHasSoManyConnections(_ tier: RingTier, _ shards: Int) async throws {
        try await withServer(tier) { server in
            server.configuration.shards = shards
            server.configuration.addressLimits.isLoopbackTrusted = false
            server.configuration.addressLimits.connectionsMax = 3
        } _: { server in
            let peers = try (0..<3).map { _ in try server.connect() }
            for peer in peers { #expect(try peer.request(.ping) == .pong) }
            let fourth = try server.connect()
            #expect(isRefused(fourth))
            #expect(server.refused(.addressLimit))
            peers[1].close()
            #expect(eventually { server.metrics.openConnections == 2 })
            let next = try server.connect()
            #expect(try next.request(.ping) == .pong)
        }
    }

    @Test(arguments: RingTier.allCases)
    func anAddressOpensConnectionsAtARate(_ tier: RingTier) async throws {
        try await withServer(tier) { server in
            server.configuration.addressLimits.isLoopbackTrusted = false
            server.configuration.addressLimits.connectionsPerSecondMax = 1
            server.configuration.addressLimits.connectionBurstMax = 1
        } _: { server in
            let (first, second) = (try server.connect(), try server.connect())
            #expect(try first.request(.ping) == .pong)
            #expect(isRefused(second))
            #expect(eventually { server.metrics.refused[.addressRate] ?? 0 > 0 })
            // The rate lets one in again.
            #expect(eventually { isServed(server) })
        }
    }

    @Test func loopbackAndUNIXSocketsAreNotLimited() async throws {
        let folder = try TemporaryFolder()
        try await withServer(.newest) { server in
            server.configuration.addressLimits.connectionsMax = 1
            server.configuration.addressLimits.connectionsPerSecondMax = 1
            server.configuration.addressLimits.connectionBurstMax = 1
            server.configuration.listeners.append(
                ListenerConfiguration(name: "near", address: "unix:" + folder.file("s")))
        } _: { server in
            for address in server.handle.boundAddresses {
                let peers = try (0..<5).map { _ in try Peer(to: address) }
                for peer in peers { #expect(try peer.request(.ping) == .pong) }
            }
            #expect(server.metrics.refused.isEmpty)
        }
    }

    /// Until it sees the end, or the reset.
    private func sip(_ peer: Peer) {
        do {
            while try !peer.readSome(1000).isEmpty { usleep(20_000) }
        } catch {
            #expect(error is PeerError)
        }
    }

    private func isServed(_ server: RunningServer) -> Bool {
        do {
            return try server.ask(.ping) == .pong
        } catch {
            return false
        }
    }

    /// Closed at once: with a FIN, or with a reset where the request was faster.
    private func isRefused(_ peer: Peer) -> Bool {
        do {
            return try peer.request(.ping) == nil
        } catch {
            return true
        }
    }
}
