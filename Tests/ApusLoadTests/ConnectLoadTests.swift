import ApusReactor
import ApusWire
import Glibc
import TestSupport
import Testing

@testable import ApusLoad

extension LoadTests {
    @Suite struct ConnectLoadTests {}
}

extension LoadTests.ConnectLoadTests {
    private func configuration(_ address: SocketAddress) -> ConnectLoadConfiguration {
        var configuration = ConnectLoadConfiguration(address: address)
        configuration.concurrency = 4
        configuration.seconds = 0.5
        configuration.warmupSeconds = 0
        return configuration
    }

    @Test(arguments: loopbackAddresses + [temporarySocketPath()], RingTier.allCases)
    func `each connection exchanges a PING for a PONG`(text: String, tier: RingTier) throws {
        let peer = try EchoPeer(at: text)
        defer {
            peer.stop()
            removeSocketFile(peer.address)
        }
        var configuration = configuration(peer.address)
        configuration.tier = tier
        configuration.serverPID = getpid()
        let report = try ConnectLoad.run(configuration)
        #expect(report.connections > 4)
        #expect(report.errors == ConnectErrors())
        #expect(report.connections <= peer.counts.pings)
        #expect(peer.counts.pings <= report.connections + configuration.concurrency)
        #expect(report.connectionsPerSecond == Double(report.connections) / report.seconds)
        #expect(report.latency.p50 > 0)
        #expect(report.generator.cpuMicrosecondsPerConnection ?? 0 > 0)
        #expect(report.server?.cpuMicrosecondsPerConnection != nil)
    }

    @Test func `towards an IPv4 loopback the sources take turns`() throws {
        let peer = try EchoPeer()
        defer { peer.stop() }
        let report = try ConnectLoad.run(configuration(peer.address))
        #expect(report.connections > 16)
        #expect(peer.counts.sources == Set((2...17).map { "127.0.0.\($0)" }))
    }

    @Test func `a server that closes without an answer is reported`() throws {
        let peer = try EchoPeer(EchoPeer.Behaviour(toPing: .close))
        defer { peer.stop() }
        #expect(throws: LoadError.closed(peer.address)) { _ = try ConnectLoad.run(configuration(peer.address)) }
    }

    @Test func `a server that never answers is reported`() throws {
        let peer = try EchoPeer(EchoPeer.Behaviour(toPing: .silence))
        defer { peer.stop() }
        let error = #expect(throws: LoadError.self) { _ = try ConnectLoad.run(configuration(peer.address)) }
        #expect(error?.isNoReply == true, "\(String(describing: error))")
    }

    @Test func `where nobody listens the run ends at once`() throws {
        let nowhere = try SocketAddress(parsing: temporarySocketPath())
        #expect(throws: LoadError.refused(nowhere)) { _ = try ConnectLoad.run(configuration(nowhere)) }
    }
}
