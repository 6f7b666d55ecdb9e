// Peers that log in and go, and peers that stay and do nothing, at a relay that is not ours.

import Testing

@testable import ApusLoad

extension LoadTests {
    @Suite struct RelayIdleTests {}
}

extension LoadTests.RelayIdleTests {
    @Test func `every login is another peer's`() throws {
        let server = try RelayServerProcess()
        var configuration = RelayLoginConfiguration(access: server.access)
        (configuration.concurrency, configuration.seconds, configuration.warmupSeconds) = (8, 0.3, 0)
        configuration.serverPID = server.pid
        let report = try RelayLoginLoad.run(configuration)
        let counts = try server.stop()
        #expect(report.connections > 8 && report.errors == ConnectErrors())
        #expect(counts["logins", default: 0] >= report.connections && counts["refused"] == 0)
        #expect((report.server?.cpuMicrosecondsPerConnection ?? 0) > 0)
    }

    @Test func `logins with a wrong secret are none`() throws {
        let server = try RelayServerProcess()
        var configuration = RelayLoginConfiguration(access: server.access)
        (configuration.concurrency, configuration.seconds, configuration.warmupSeconds) = (2, 0.2, 0)
        configuration.access.authSecret = "another"
        let error = #expect(throws: LoadError.self) { _ = try RelayLoginLoad.run(configuration) }
        #expect("\(String(describing: error))".contains("signed with another secret"))
        _ = try server.stop()
    }

    @Test(arguments: [150, 151])
    func `every idle peer has exchanged a datagram and stays`(connections: Int) throws {
        let server = try RelayServerProcess()
        var configuration = IdleLoadConfiguration(address: server.address, serverPID: server.pid)
        configuration.session = .relay(server.access)
        (configuration.connections, configuration.baseline, configuration.settleSeconds) = (connections, 20, 0.05)
        let report = try IdleLoad.run(configuration)
        let counts = try server.stop()
        #expect(report.alive == connections && report.connections == connections && report.session == "relay")
        #expect(counts["logins"] == connections && counts["forwarded"] == connections && counts["unknown"] == 0)
        #expect(report.rssBytes > 0 && report.socketBytesPerConnection != nil)
    }
}
