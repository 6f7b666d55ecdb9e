import ApusReactor
import ApusWire
import Glibc
import Testing

@testable import ApusLoad

extension LoadTests {
    @Suite struct IdleLoadTests {}
}

extension LoadTests.IdleLoadTests {
    private func configuration(_ address: SocketAddress) -> IdleLoadConfiguration {
        var configuration = IdleLoadConfiguration(address: address, serverPID: getpid())
        configuration.connections = 150
        configuration.baseline = 20
        configuration.settleSeconds = 0.05
        return configuration
    }

    @Test func `every connection exchanges once and stays`() throws {
        let peer = try EchoPeer()
        defer { peer.stop() }
        let report = try IdleLoad.run(configuration(peer.address))
        #expect(report.connections == 150 && report.baseline == 20 && report.alive == 150)
        #expect(peer.counts.connections == 150 && peer.counts.requests == 150)
        #expect(report.rssBytesBaseline > 0)
        #expect(report.bytesPerConnection == Double(report.rssBytes - report.rssBytesBaseline) / 130)
    }

    @Test func `the server's PINGs are answered while nothing else happens`() throws {
        let peer = try EchoPeer(EchoPeer.Behaviour(reply: { request, _ in request + PacketEncoder.encode(.ping) }))
        defer { peer.stop() }
        let report = try IdleLoad.run(configuration(peer.address))
        #expect(report.alive == 150)
        #expect(peer.counts { $0.pongs >= 150 }.pongs == 150)
    }

    @Test func `a server that ends every connection is reported`() throws {
        let peer = try EchoPeer(EchoPeer.Behaviour(closesAt: 0))
        defer { peer.stop() }
        #expect(throws: LoadError.closed(peer.address)) { _ = try IdleLoad.run(configuration(peer.address)) }
    }

    @Test func `a process that is not there is reported before anything is opened`() throws {
        let peer = try EchoPeer()
        defer { peer.stop() }
        var configuration = configuration(peer.address)
        // Process numbers end at 2^22.
        configuration.serverPID = 5_000_000
        let error = #expect(throws: LoadError.self) { _ = try IdleLoad.run(configuration) }
        #expect(error?.isServer == true, "\(String(describing: error))")
        #expect(peer.counts.connections == 0)
    }
}
