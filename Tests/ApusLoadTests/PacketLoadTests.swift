import ApusReactor
import ApusWire
import Glibc
import Synchronization
import Testing

@testable import ApusLoad

@Suite struct PacketLoadTests {
    @Test(arguments: ["127.0.0.1:0", "[::1]:0", "unix"], RingTier.allCases)
    func `a closed loop counts the replies that the server gave`(text: String, tier: RingTier) throws {
        let path = temporarySocketPath()
        let peer = try EchoPeer(at: text == "unix" ? path : text)
        defer {
            peer.stop()
            unlink(String(path.dropFirst("unix:".count)))
        }
        var configuration = PacketLoadConfiguration.short(peer.address)
        configuration.tier = tier
        configuration.serverPID = getpid()
        let report = try PacketLoad.run(configuration)
        #expect(report.messages > 0)
        #expect(report.errors == LoadErrors())
        // Requests that were outstanding at the end were answered or not; no others are missing.
        #expect(report.messages <= peer.counts.requests)
        #expect(peer.counts.requests <= report.messages + configuration.connections * configuration.depth)
        #expect(peer.counts.connections == configuration.connections)
        #expect(report.messagesPerSecond == Double(report.messages) / report.seconds)
        #expect(report.bytesPerSecond == report.messagesPerSecond * 85)
        #expect(report.latency.min > 0 && report.latency.min <= report.latency.p50)
        #expect(report.latency.p50 <= report.latency.p99 && report.latency.p99 <= report.latency.max)
        #expect(report.openLoop == nil && report.server?.pid == getpid())
    }

    @Test func `a connection never has more requests outstanding than its depth`() throws {
        // Nothing is answered before `depth` requests are there; with one more, the count would go beyond.
        let depth = 7
        let most = Mutex(0)
        let peer = try EchoPeer(
            EchoPeer.Behaviour(reply: { request, number in
                most.withLock { $0 = max($0, number + 1) }
                guard number % depth == depth - 1 else { return [] }
                return Array(repeatElement(request, count: depth).joined())
            }))
        defer { peer.stop() }
        let report = try PacketLoad.run(.short(peer.address, connections: 1, depth: depth))
        #expect(report.messages > depth && report.messages.isMultiple(of: depth))
        #expect(report.errors == LoadErrors())
        #expect(most.withLock { $0 } <= report.messages + depth)
    }

    @Test(arguments: [0, 1, 8, 20_000])
    func `sizes from nothing to more than a buffer are verified`(textByteCount: Int) throws {
        let peer = try EchoPeer()
        defer { peer.stop() }
        var configuration = PacketLoadConfiguration.short(peer.address, connections: 2, depth: 3)
        configuration.textByteCount = textByteCount
        let report = try PacketLoad.run(configuration)
        #expect(report.messages > 0 && report.errors == LoadErrors())
    }

    @Test func `replies in small pieces are put together`() throws {
        let peer = try EchoPeer(EchoPeer.Behaviour(pieceByteCount: 7))
        defer { peer.stop() }
        let report = try PacketLoad.run(.short(peer.address))
        #expect(report.messages > 0 && report.errors == LoadErrors())
    }

    @Test func `wrong replies are counted, not measured, and the load goes on`() throws {
        let wrong = Mutex(0)
        let peer = try EchoPeer(
            EchoPeer.Behaviour(reply: { request, number in
                guard number % 3 == 1 else { return request }
                wrong.withLock { $0 += 1 }
                var reply = request
                reply[reply.count - 1] ^= 1
                return reply
            }))
        defer { peer.stop() }
        let report = try PacketLoad.run(.short(peer.address))
        #expect(report.messages > 0 && report.errors.mismatched > 0)
        #expect(report.errors.mismatched <= wrong.withLock { $0 })
        #expect(report.errors.closed == 0)
    }

    @Test func `a reply that belongs to another connection is wrong`() throws {
        let stranger = EchoRequests.packet(of: 1_000, textByteCount: 64)
        let peer = try EchoPeer(EchoPeer.Behaviour(reply: { _, _ in stranger }))
        defer { peer.stop() }
        let report = try PacketLoad.run(.short(peer.address))
        #expect(report.messages == 0 && report.errors.mismatched > 0)
        #expect(report.latency == .empty)
    }

    @Test func `a reply that nobody asked for is wrong`() throws {
        let peer = try EchoPeer(
            EchoPeer.Behaviour(reply: { request, number in number == 0 ? request + request : request }))
        defer { peer.stop() }
        let report = try PacketLoad.run(.short(peer.address, connections: 3, depth: 1))
        #expect(report.messages > 0 && report.errors.mismatched == 3)
    }

    @Test func `what is no packet ends its connection`() throws {
        let peer = try EchoPeer(
            EchoPeer.Behaviour(reply: { request, number in number == 5 ? Array("HTTP/1.1 200 OK".utf8) : request }))
        defer { peer.stop() }
        let report = try PacketLoad.run(.short(peer.address, connections: 3, depth: 1))
        #expect(report.messages == 15 && report.errors.mismatched == 3)
    }

    @Test func `the server's PINGs are answered and are no replies`() throws {
        let pings = Mutex(0)
        let peer = try EchoPeer(
            EchoPeer.Behaviour(reply: { request, number in
                guard number < 30 else { return request }
                pings.withLock { $0 += 2 }
                return PacketEncoder.encode(.ping) + request + PacketEncoder.encode(.ping)
            }))
        defer { peer.stop() }
        let report = try PacketLoad.run(.short(peer.address))
        #expect(report.errors == LoadErrors())
        #expect(report.messages <= peer.counts.requests && report.messages > 4 * 30)
        #expect(peer.counts.pongs == pings.withLock { $0 })
    }

    @Test func `connections that the server closes are counted, and the others go on`() throws {
        let peer = try EchoPeer(EchoPeer.Behaviour(closesAt: 10))
        defer { peer.stop() }
        let report = try PacketLoad.run(.short(peer.address, connections: 3, depth: 1))
        #expect(report.messages == 30 && report.errors.closed == 3)
    }

    @Test func `a server that closes every connection is reported`() throws {
        let peer = try EchoPeer(EchoPeer.Behaviour(closesAt: 0))
        defer { peer.stop() }
        #expect(throws: LoadError.closed(peer.address)) { _ = try PacketLoad.run(.short(peer.address)) }
    }

    @Test func `a server that never answers is reported`() throws {
        let peer = try EchoPeer(EchoPeer.Behaviour(reply: { _, _ in [] }))
        defer { peer.stop() }
        let error = #expect(throws: LoadError.self) { _ = try PacketLoad.run(.short(peer.address)) }
        #expect(error?.isNoReply == true, "\(String(describing: error))")
    }

    @Test func `where nobody listens the error says what to start`() throws {
        // Port 1 was tcpmux's, which nobody runs.
        for text in ["127.0.0.1:1", temporarySocketPath()] {
            let nowhere = try SocketAddress(parsing: text)
            let error = #expect(throws: LoadError.refused(nowhere)) { _ = try PacketLoad.run(.short(nowhere)) }
            #expect(error?.description.contains("apus serve --address \(text)") == true)
        }
    }

    @Test func `the warm-up is not counted`() throws {
        let peer = try EchoPeer()
        defer { peer.stop() }
        var configuration = PacketLoadConfiguration.short(peer.address, connections: 1, depth: 1)
        configuration.warmupSeconds = 0.2
        configuration.seconds = 0.001
        let report = try PacketLoad.run(configuration)
        #expect(report.messages < peer.counts.requests / 2)
    }

    @Test func `progress is told on the way`() throws {
        let peer = try EchoPeer()
        defer { peer.stop() }
        var configuration = PacketLoadConfiguration.short(peer.address)
        configuration.seconds = 1.2
        var told: [LoadProgress] = []
        _ = try PacketLoad.run(configuration) { told.append($0) }
        #expect(told.count >= 1)
        #expect(told.allSatisfy { $0.elapsedSeconds > 0 && $0.countPerSecond > 0 && $0.p99 > 0 && !$0.isWarmup })
    }
}
