import ApusReactor
import Synchronization
import Testing

@testable import ApusLoad

extension LoadTests {
    @Suite struct OpenLoopTests {}
}

extension LoadTests.OpenLoopTests {
    private func configuration(_ address: SocketAddress, connections: Int, rate: Double) -> PacketLoadConfiguration {
        var configuration = PacketLoadConfiguration.short(address, connections: connections)
        configuration.rate = rate
        configuration.seconds = 0.4
        configuration.drainSeconds = 5
        return configuration
    }

    @Test func `every message that was due is answered and accounted for`() throws {
        let peer = try EchoPeer()
        defer { peer.stop() }
        var configuration = configuration(peer.address, connections: 3, rate: 1000)
        configuration.warmupSeconds = 0.05
        let report = try PacketLoad.run(configuration)
        let openLoop = try #require(report.openLoop)
        #expect(abs(Double(openLoop.intended) - report.seconds * 1000) <= 1)
        #expect(openLoop.unanswered == 0 && !openLoop.backlogExceeded)
        #expect(report.errors == LoadErrors())
        #expect(peer.counts.requests >= openLoop.intended)
        // Replies at either end of the time belong to messages of the other side of it.
        #expect(report.messages <= openLoop.intended + openLoop.backlogMax)
        #expect(report.rate == 1000)
    }

    @Test func `a generator that polls keeps the same schedule and is no bottleneck for being busy`() throws {
        let peer = try EchoPeer()
        defer { peer.stop() }
        var configuration = configuration(peer.address, connections: 3, rate: 1000)
        configuration.busyPolls = true
        configuration.warmupSeconds = 0.05
        let report = try PacketLoad.run(configuration)
        let openLoop = try #require(report.openLoop)
        #expect(abs(Double(openLoop.intended) - report.seconds * 1000) <= 1)
        #expect(openLoop.unanswered == 0)
        #expect(report.errors == LoadErrors())
        #expect(report.generator.busyPolls && !report.generator.bottleneck)
    }

    @Test func `a server that stalls cannot hide it`() throws {
        // Each connection's first reply takes `stall`, and the messages that become due meanwhile are not sent late:
        // they wait in the peer's socket, and their waiting counts from when they were due.
        let stall: Nanoseconds = 200 * .millisecond
        let peer = try EchoPeer(
            EchoPeer.Behaviour(reply: { request, number in
                if number == 0 { sleepForTest(stall) }
                return request
            }))
        defer { peer.stop() }
        let report = try PacketLoad.run(configuration(peer.address, connections: 2, rate: 1000))
        let openLoop = try #require(report.openLoop)
        #expect(openLoop.unanswered == 0)
        // The first message waited for the whole stall, and about 200 were due while it lasted: no closed loop of two
        // connections has more than two outstanding.
        #expect(report.latency.max >= 200_000)
        #expect(openLoop.backlogMax >= 100)
        // The hundred of the stall's first half waited for all of its second: a quarter of some 400 messages. On a
        // machine that was very late there may be many more.
        #expect(report.latency.p90 >= 100_000 || openLoop.intended > 1000)
    }

    @Test func `messages that are never answered count with their age`() throws {
        // The first ten of each connection are answered, the others never.
        let peer = try EchoPeer(EchoPeer.Behaviour(reply: { request, number in number < 10 ? request : [] }))
        defer { peer.stop() }
        var configuration = configuration(peer.address, connections: 2, rate: 500)
        configuration.drainSeconds = 0.1
        let report = try PacketLoad.run(configuration)
        let openLoop = try #require(report.openLoop)
        #expect(report.messages <= 20)
        #expect(openLoop.unanswered >= openLoop.intended - 20)
        // They are at least as old as the drain was long, and more than half of all.
        #expect(report.latency.p50 >= 100_000)
        #expect(report.latency.max >= 400_000)
    }

    @Test func `a backlog past the limit is said, and nothing is dropped`() throws {
        let peer = try EchoPeer(EchoPeer.Behaviour(reply: { request, number in number < 1 ? request : [] }))
        defer { peer.stop() }
        var configuration = configuration(peer.address, connections: 2, rate: 2000)
        configuration.backlogMax = 50
        configuration.drainSeconds = 0
        let report = try PacketLoad.run(configuration)
        let openLoop = try #require(report.openLoop)
        #expect(openLoop.backlogExceeded && openLoop.backlogLimit == 50)
        #expect(openLoop.backlogMax >= openLoop.intended - 2)
        #expect(openLoop.unanswered >= openLoop.intended - 2)
    }

    @Test func `messages on a connection that the server closed stay unanswered`() throws {
        let peer = try EchoPeer(EchoPeer.Behaviour(closesAt: 5))
        defer { peer.stop() }
        var configuration = configuration(peer.address, connections: 2, rate: 1000)
        configuration.drainSeconds = 0.1
        let report = try PacketLoad.run(configuration)
        let openLoop = try #require(report.openLoop)
        #expect(report.messages <= 10 && report.errors.closed <= 2)
        #expect(openLoop.unanswered >= openLoop.intended - 10)
    }

    @Test func `wrong replies take the place of right ones`() throws {
        let peer = try EchoPeer(
            EchoPeer.Behaviour(reply: { request, number in
                number % 2 == 0 ? request : EchoRequests.packet(of: 77, textByteCount: 64)
            }))
        defer { peer.stop() }
        let report = try PacketLoad.run(configuration(peer.address, connections: 2, rate: 500))
        let openLoop = try #require(report.openLoop)
        #expect(openLoop.unanswered == 0)
        // Every other one of each connection's.
        #expect(report.errors.mismatched >= (openLoop.intended - 2) / 2)
    }
}
