import ApusReactor
import ApusServer
import ApusWire
import Synchronization
import TestSupport
import Testing

@testable import ApusLoad

extension LoadTests {
    @Suite struct ReconnectTests {}
}

extension LoadTests.ReconnectTests {
    private func configuration(_ address: SocketAddress) -> PacketLoadConfiguration {
        var configuration = PacketLoadConfiguration.short(address, connections: 8, depth: 3)
        configuration.reconnects = true
        configuration.drainSeconds = 5
        return configuration
    }

    /// Says goodbye behind every connection's tenth reply, answers what comes all the same, and waits for the client
    /// to go, as a draining server does.
    private func drainingPeer() throws -> EchoPeer {
        let goodbye = PacketEncoder.encode(.disconnect)
        return try EchoPeer(EchoPeer.Behaviour(reply: { request, number in number == 9 ? request + goodbye : request }))
    }

    @Test func `a connection that is told to leave is made anew when all it asked is answered`() throws {
        let peer = try drainingPeer()
        defer { peer.stop() }
        var configuration = configuration(peer.address)
        configuration.rate = 2000
        let report = try PacketLoad.run(configuration)
        #expect(report.errors == LoadErrors())
        #expect(try #require(report.reconnections) >= 8)
        #expect(try #require(report.openLoop).unanswered == 0)
    }

    @Test func `a closed loop goes on with its depth`() throws {
        let peer = try drainingPeer()
        defer { peer.stop() }
        let report = try PacketLoad.run(configuration(peer.address))
        #expect(report.errors == LoadErrors())
        #expect(try #require(report.reconnections) >= 8)
        #expect(report.messages >= 8 * 10)
    }

    @Test func `while nobody listens it tries again`() throws {
        let first = try Server(ServerConfiguration(address: "127.0.0.1:0")).start()
        let address = first.boundAddresses[0]
        var configuration = configuration(try SocketAddress(parsing: address))
        configuration.seconds = 1
        let load = configuration
        let report = Mutex<PacketReport?>(nil)
        let thread = try LoopThread.start(name: "load") {
            do throws(LoadError) {
                let found = try PacketLoad.run(load)
                report.withLock { $0 = found }
            } catch {
                Issue.record(error)
            }
        }
        sleepForTest(200 * .millisecond)
        first.shutdown(timeout: .seconds(5))
        #expect(first.wait() == .drained)
        let second = try Server(ServerConfiguration(address: address)).start()
        thread.join()
        second.stop()
        second.wait()
        let found = try #require(report.withLock { $0 })
        #expect(found.errors.mismatched == 0 && found.errors.closed == 0)
        #expect(try #require(found.reconnections) >= 8)
    }

    @Test func `what a peer took and never answered is lost`() throws {
        // Each connection ends behind its tenth reply, with two more requests in it.
        let peer = try EchoPeer(EchoPeer.Behaviour(closesAt: 10))
        defer { peer.stop() }
        let report = try PacketLoad.run(configuration(peer.address))
        #expect(report.errors.lost > 0 && report.errors.closed == 0)
        #expect(try #require(report.reconnections) > 0)
        #expect(report.messages > 0)
    }

    @Test func `without being asked to, nothing is made anew`() throws {
        let peer = try EchoPeer(EchoPeer.Behaviour(closesAt: 10))
        defer { peer.stop() }
        let report = try PacketLoad.run(.untilClosed(peer.address, connections: 2, depth: 1))
        #expect(report.reconnections == nil && report.errors.lost == 0 && report.errors.closed == 2)
    }
}
