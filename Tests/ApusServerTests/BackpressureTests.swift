// What the server does when a peer gives more than it takes, or when there are more peers than it was told to have.

import ApusReactor
import ApusServer
import ApusWire
import TestSupport
import Testing

@Suite(.serialized) struct BackpressureTests {
    private static let textByteCount = 10_000
    private static let requestCount = 2_000

    private static let padding = String(repeating: "x", count: textByteCount)

    private static func request(_ index: Int) -> Message { .echo("\(index) " + padding) }

    private static let requests = (0..<requestCount).flatMap { PacketEncoder.encode(request($0)) }

    /// Over a UNIX socket the kernel's share is small and fixed, so the bound is tight.
    @Test(arguments: RingTier.allCases)
    func aSlowReaderIsNotReadFurtherThanTheLimits(_ tier: RingTier) async throws {
        let folder = try TemporaryFolder()
        let outstanding = 64 << 10
        try await withServer(tier) { server in
            server.configuration.listeners[0].address = "unix:" + folder.file("s")
            server.configuration.outstandingByteCountMax = outstanding
        } _: { server in
            let peer = try server.connect()
            let sent = try Self.sendUntilPaused(peer, server)
            #expect(sent < Self.requests.count)
            // Replies that wait, requests that wait, a socket buffer of replies that the kernel took, and what the turn
            // in which the server stops to read may still bring: all the buffers that the ring lends.
            let sizes = RingSizes()
            let turn = Int(sizes.buffers) * Int(sizes.bufferByteCount)
            let socketBuffer = 212_992
            let bound = outstanding + Self.textByteCount + (64 << 10) + socketBuffer + turn
            #expect(server.metrics.bytesReceived <= UInt64(bound))
            try Self.readAll(peer, rest: Array(Self.requests[sent...]))
        }
    }

    @Test(arguments: RingTier.allCases)
    func aSlowReaderOverTCPMissesNothing(_ tier: RingTier) async throws {
        try await withServer(tier) { server in
            server.configuration.outstandingByteCountMax = 64 << 10
        } _: { server in
            let peer = try server.connect(receiveBufferByteCount: 8_192)
            let sent = try Self.sendUntilPaused(peer, server)
            try Self.readAll(peer, rest: Array(Self.requests[sent...]))
        }
    }

    private static func sendUntilPaused(_ peer: Peer, _ server: RunningServer) throws -> Int {
        var sent = 0
        for _ in 0..<100 where server.metrics.pauses == 0 && sent < requests.count {
            sent += try peer.sendUntilStalled(Array(requests[sent...]))
        }
        #expect(eventually { server.metrics.pauses > 0 })
        return sent
    }

    private static func readAll(_ peer: Peer, rest: [UInt8]) throws {
        let sending = Background { try peer.send(bytes: rest) }
        var wrong = 0
        for index in 0..<requestCount where try peer.read() != request(index) { wrong += 1 }
        #expect(wrong == 0)
        try sending.value()
        #expect(try peer.request(.echo("awake")) == .echo("awake"))
    }

    @Test(arguments: RingTier.allCases)
    func oneConnectionMoreThanAllowedIsClosedAtOnce(_ tier: RingTier) async throws {
        try await withServer(tier) { server in
            server.configuration.maxConnections = 2
            server.configuration.shards = 2
        } _: { server in
            let first = try server.connect()
            let second = try server.connect()
            #expect(try first.request(.ping) == .pong)
            #expect(try second.request(.ping) == .pong)
            let third = try server.connect()
            #expect(try third.read() == nil)
            #expect(server.refused(.connectionLimit))

            first.close()
            #expect(eventually { server.metrics.openConnections == 1 })
            let reply = try server.ask(.echo("in"))
            #expect(reply == .echo("in"))
            #expect(try second.request(.echo("still")) == .echo("still"))
        }
    }

    /// A shard whose buffers are all in use closes who needs more; when they have come back, it serves on.
    @Test(arguments: RingTier.allCases)
    func theMemoryBudgetClosesWhoNeedsMore(_ tier: RingTier) async throws {
        try await withServer(tier) { server in
            server.configuration.payloadByteCountMax = 256 << 10
            server.configuration.memoryBudgetPerShard = 2 << 20
        } _: { server in
            let unfinished = PacketEncoder.encode(.echo(String(repeating: "x", count: 200_000))).dropLast()
            let peers = try (0..<16).map { _ in try server.connect() }
            for peer in peers {
                do throws(PeerError) {
                    try peer.send(bytes: Array(unfinished))
                } catch {
                    // This one was closed before it had sent everything.
                    continue
                }
            }
            #expect(eventually { server.metrics.closed[.memoryBudget] ?? 0 > 0 })
            peers.forEach { $0.close() }
            #expect(eventually { server.metrics.openConnections == 0 })
            let reply = try server.ask(.echo("served"))
            #expect(reply == .echo("served"))
        }
    }
}
