import ApusReactor
import ApusWire
import Glibc
import Synchronization
import TestSupport
import Testing

@testable import ApusLoad

extension LoadTests {
    @Suite struct PacketLoadTests {}
}

extension LoadTests.PacketLoadTests {
    @Test(arguments: loopbackAddresses + [temporarySocketPath()], RingTier.allCases)
    func `a closed loop counts the replies that the server gave`(text: String, tier: RingTier) throws {
        let peer = try EchoPeer(at: text, EchoPeer.Behaviour(closesAt: 200))
        defer {
            peer.stop()
            removeSocketFile(peer.address)
        }
        var configuration = PacketLoadConfiguration.untilClosed(peer.address, connections: 4, depth: 4)
        configuration.tier = tier
        configuration.serverPID = getpid()
        let report = try PacketLoad.run(configuration)
        #expect(report.messages == 4 * 200)
        #expect(report.errors.mismatched == 0 && report.errors.connect == 0 && report.errors.closed == 4)
        #expect(peer.counts.connections == 4)
        #expect(report.messagesPerSecond == Double(report.messages) / report.seconds)
        #expect(report.bytesPerSecond == report.messagesPerSecond * 85)
        #expect(report.latency.min > 0 && report.latency.min <= report.latency.p50)
        #expect(report.latency.p50 <= report.latency.p99 && report.latency.p99 <= report.latency.max)
        #expect(report.openLoop == nil && report.server?.pid == getpid())
    }

    @Test func `a run ends by itself, and its connections are closed without errors`() throws {
        let peer = try EchoPeer()
        defer { peer.stop() }
        let report = try PacketLoad.run(.short(peer.address))
        #expect(report.errors == LoadErrors())
        // Requests that were outstanding at the end were answered or not; no others are missing.
        #expect(report.messages <= peer.counts.requests)
        #expect(peer.counts.requests <= report.messages + 4 * 4)
    }

    @Test func `a connection keeps its depth outstanding`() throws {
        // Nothing is answered before `depth` requests are there: fewer would wait for ever.
        let depth = 7
        let peer = try EchoPeer(
            EchoPeer.Behaviour(
                reply: { request, number in
                    guard number % depth == depth - 1 else { return [] }
                    return Array(repeatElement(request, count: depth).joined())
                }, closesAt: 20 * depth))
        defer { peer.stop() }
        let report = try PacketLoad.run(.untilClosed(peer.address, connections: 1, depth: depth))
        #expect(report.messages == 20 * depth && report.errors.mismatched == 0)
    }

    @Test(arguments: [0, 1, 8, 20_000, 300_000])
    func `sizes from nothing to more than a send are verified`(textByteCount: Int) throws {
        let peer = try EchoPeer(EchoPeer.Behaviour(closesAt: 20))
        defer { peer.stop() }
        var configuration = PacketLoadConfiguration.untilClosed(peer.address, connections: 2, depth: 3)
        configuration.textByteCount = textByteCount
        let report = try PacketLoad.run(configuration)
        #expect(report.messages == 40 && report.errors.mismatched == 0)
    }

    @Test func `replies in small pieces are put together`() throws {
        let peer = try EchoPeer(EchoPeer.Behaviour(pieceByteCount: 7, closesAt: 30))
        defer { peer.stop() }
        let report = try PacketLoad.run(.untilClosed(peer.address))
        #expect(report.messages == 120 && report.errors.mismatched == 0)
    }

    @Test func `wrong replies are counted, not measured, and the load goes on`() throws {
        let peer = try EchoPeer(
            EchoPeer.Behaviour(
                reply: { request, number in
                    guard number % 3 == 1 else { return request }
                    var reply = request
                    reply[reply.count - 1] ^= 1
                    return reply
                }, closesAt: 30))
        defer { peer.stop() }
        let report = try PacketLoad.run(.untilClosed(peer.address))
        #expect(report.messages == 4 * 20 && report.errors.mismatched == 4 * 10)
    }

    @Test func `a reply that belongs to another connection is wrong`() throws {
        let stranger = EchoRequests.packet(of: 1_000, textByteCount: 64)
        let peer = try EchoPeer(EchoPeer.Behaviour(reply: { _, _ in stranger }, closesAt: 10))
        defer { peer.stop() }
        let report = try PacketLoad.run(.untilClosed(peer.address))
        #expect(report.messages == 0 && report.errors.mismatched == 40)
        #expect(report.latency == .empty)
    }

    @Test func `a reply that nobody asked for is wrong`() throws {
        let peer = try EchoPeer(
            EchoPeer.Behaviour(reply: { request, number in number == 9 ? request + request : request }, closesAt: 10))
        defer { peer.stop() }
        let report = try PacketLoad.run(.untilClosed(peer.address, connections: 3, depth: 1))
        #expect(report.messages == 30 && report.errors.mismatched == 3)
    }

    @Test func `what is no packet ends its connection`() throws {
        let peer = try EchoPeer(
            EchoPeer.Behaviour(reply: { request, number in number == 5 ? Array("HTTP/1.1 200 OK".utf8) : request }))
        defer { peer.stop() }
        let report = try PacketLoad.run(.untilClosed(peer.address, connections: 3, depth: 1))
        #expect(report.messages == 15 && report.errors.mismatched == 3 && report.errors.closed == 0)
    }

    @Test func `the server's PINGs are answered and are no replies`() throws {
        let peer = try EchoPeer(
            EchoPeer.Behaviour(
                reply: { request, number in
                    // The last ones come long before the close, so their PONGs are sent before it.
                    guard number < 30 else { return request }
                    return PacketEncoder.encode(.ping) + request + PacketEncoder.encode(.ping)
                }, closesAt: 60))
        defer { peer.stop() }
        let report = try PacketLoad.run(.untilClosed(peer.address))
        #expect(report.messages == 4 * 60 && report.errors.mismatched == 0)
        #expect(peer.counts.pongs == 4 * 30 * 2)
    }

    @Test func `a server that closes every connection unasked is reported`() throws {
        let peer = try EchoPeer(EchoPeer.Behaviour(closesAt: 0))
        defer { peer.stop() }
        #expect(throws: LoadError.closed(peer.address)) { _ = try PacketLoad.run(.untilClosed(peer.address)) }
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
        // The peer closes while the run is warming up: what was answered until then is not a measurement.
        let peer = try EchoPeer(EchoPeer.Behaviour(closesAt: 10))
        defer { peer.stop() }
        var configuration = PacketLoadConfiguration.untilClosed(peer.address)
        configuration.warmupSeconds = 300
        #expect(throws: LoadError.closed(peer.address)) { _ = try PacketLoad.run(configuration) }
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
