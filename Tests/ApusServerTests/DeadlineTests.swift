// Connections that are closed because time passed. Nothing here says how long it took: each waits for the close, which
// must come for the reason that is counted.

import ApusReactor
import ApusServer
import ApusWire
import Glibc
import TestSupport
import Testing

@Suite(.serialized) struct DeadlineTests {
    @Test(arguments: RingTier.allCases)
    func whoNeverSaysAnythingIsClosed(_ tier: RingTier) async throws {
        try await withServer(tier) { server in
            server.configuration.firstByteTimeout = .milliseconds(50)
        } _: { server in
            let peer = try server.connect()
            #expect(try peer.readToEnd().isEmpty)
            #expect(server.closed(.firstByteTimeout))
        }
    }

    @Test(arguments: RingTier.allCases)
    func whoOnlyPingsIsIdle(_ tier: RingTier) async throws {
        try await withServer(tier) { server in
            server.configuration.idleTimeout = .milliseconds(200)
        } _: { server in
            let peer = try server.connect()
            #expect(try peer.request(.echo("busy")) == .echo("busy"))
            // Ends with the server's FIN; bounded, so that a server without the deadline fails instead of hanging.
            for _ in 0..<1_000 {
                guard try peer.request(.ping) != nil else { break }
                usleep(5_000)
            }
            peer.close()
            #expect(server.closed(.idleTimeout))
        }
    }

    @Test(arguments: RingTier.allCases)
    func aPeerThatAnswersNoPingIsDead(_ tier: RingTier) async throws {
        try await withServer(tier) { server in
            server.configuration.heartbeatInterval = .milliseconds(50)
        } _: { server in
            let peer = try server.connect()
            #expect(try peer.request(.echo("alive")) == .echo("alive"))
            let last = try peer.readToEnd()
            #expect(!last.isEmpty && last.allSatisfy { $0 == .ping })
            #expect(server.closed(.deadPeer))
        }
    }

    @Test(arguments: RingTier.allCases)
    func aPeerThatAnswersPingsLives(_ tier: RingTier) async throws {
        try await withServer(tier) { server in
            server.configuration.heartbeatInterval = .milliseconds(250)
        } _: { server in
            let peer = try server.connect()
            #expect(try peer.request(.echo("alive")) == .echo("alive"))
            // One more than the silence that would be its death.
            for _ in 0..<5 {
                #expect(try peer.read() == .ping)
                try peer.send(.pong)
            }
            #expect(try peer.request(.echo("still")) == .echo("still"))
        }
    }

    @Test(arguments: RingTier.allCases)
    func whoDoesNotTakeRepliesIsClosed(_ tier: RingTier) async throws {
        try await withServer(tier) { server in
            server.configuration.stalledWriteTimeout = .milliseconds(200)
        } _: { server in
            let peer = try server.connect(receiveBufferByteCount: 4_096)
            let requests = Background {
                // Until the server, which gave up, resets what is still to be sent.
                while true { try peer.send(.echo(String(repeating: "x", count: 100_000))) }
            }
            #expect(server.closed(.stalledWrite))
            #expect(throws: PeerError.self) { try requests.value() }
        }
    }
}
