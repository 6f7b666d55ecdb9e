// A drain that tells idle peers to leave one after the other.

import ApusReactor
import ApusServer
import ApusWire
import TestSupport
import Testing

@Suite(.serialized) struct PacedDrainTests {
    @Test func everyPeerIsToldWithinTheWindow() async throws {
        try await withServer(.newest) { $0.configuration.shards = 2 } _: { server in
            let peers = try (0..<20).map { _ in try server.connect() }
            for peer in peers { #expect(try peer.request(.ping) == .pong) }
            server.handle.shutdown(timeout: .seconds(30), over: .milliseconds(300))
            for peer in peers {
                #expect(try peer.read() == .disconnect)
                peer.close()
            }
            #expect(server.handle.wait() == .drained)
            #expect(server.metrics.closed == [.drained: 20])
        }
    }

    /// Peers that were not told yet are served as before; a second call does not wait for them.
    @Test func whoeverIsInAHurryTellsAllAtOnce() async throws {
        try await withServer(.newest) { _ in
        } _: { server in
            let peers = try (0..<4).map { _ in try server.connect() }
            for peer in peers { #expect(try peer.request(.ping) == .pong) }
            server.handle.shutdown(timeout: .seconds(3_600), over: .seconds(3_600))
            // The first is told at once; the last has its turn in three quarters of an hour.
            #expect(eventually { server.metrics.bytesSent > 4 * 13 })
            let last = peers[3]
            #expect(try last.request(.echo("busy")) == .echo("busy"))
            server.handle.shutdown(timeout: .seconds(3_600))
            for peer in peers {
                #expect(try peer.read() == .disconnect)
                peer.close()
            }
            #expect(server.handle.wait() == .drained)
        }
    }

    /// Until the last has left by itself.
    @Test func aLongTimeoutWaitsForTheLast() async throws {
        try await withServer(.newest) { _ in
        } _: { server in
            let peer = try server.connect()
            #expect(try peer.request(.ping) == .pong)
            server.handle.shutdown(timeout: .seconds(86_400), over: .milliseconds(10))
            #expect(try peer.read() == .disconnect)
            for message in echoes(100) { #expect(try peer.request(message) == message) }
            peer.close()
            #expect(server.handle.wait() == .drained)
        }
    }
}
