// Pairs of peers over a relay that is not ours, right and wrong.

import ApusReactor
import ApusSecurity
import TestSupport
import Testing

@testable import ApusLoad

extension LoadTests {
    @Suite struct RelayLoadTests {}
}

extension LoadTests.RelayLoadTests {
    @Test(arguments: [false, true], [16, 87, 88, 1200, 8782])
    func `all that is sent is delivered, whole`(bothWays: Bool, size: Int) throws {
        let server = try RelayServerProcess()
        var configuration = RelayLoadConfiguration.short(server)
        configuration.sendsBothWays = bothWays
        configuration.datagramByteCount = size
        configuration.serverPID = server.pid
        let report = try RelayLoad.run(configuration)
        let counts = try server.stop()
        #expect(report.sent > 0 && report.sent == report.delivered && report.lost == 0 && report.late == 0)
        #expect(report.errors == LoadErrors())
        #expect(report.messages > 0 && report.messages <= report.delivered && report.latency.p50 > 0)
        #expect((report.server?.cpuMicrosecondsPerMessage ?? 0) > 0)
        #expect(counts["logins"] == 8 && counts["forwarded"] == report.sent && counts["refused"] == 0)
        #expect(report.direction == (bothWays ? "both" : "one"))
    }

    /// Four random bytes repeat now and then: of n keys n² / 2³³ times.
    @Test func `a masking key is used once`() throws {
        let server = try RelayServerProcess()
        let report = try RelayLoad.run(.short(server))
        let repeated = try #require(try server.stop()["repeated_keys"])
        #expect(Double(repeated) <= 5 + Double(report.sent) * Double(report.sent) / 8e9)
    }

    @Test func `what a relay drops is counted, and the window is kept full`() throws {
        let server = try RelayServerProcess(["--drop-every", "10"])
        let report = try RelayLoad.run(.short(server, isLossy: true))
        let counts = try server.stop()
        let dropped = try #require(counts["dropped"])
        #expect(dropped > 0 && report.lost == dropped && report.sent == report.delivered + report.lost)
        #expect(report.sent > 4 * 8 * 10, "the windows emptied")
        #expect(report.errors == LoadErrors())
    }

    /// Window 1: each loss is the last of its pair's, and nothing behind it shows it.
    @Test func `a pair that has lost all its window goes on`() throws {
        let server = try RelayServerProcess(["--drop-every", "50"])
        var configuration = RelayLoadConfiguration.short(server, isLossy: true)
        (configuration.window, configuration.seconds) = (1, 2.2)
        let report = try RelayLoad.run(configuration)
        let dropped = try #require(try server.stop()["dropped"])
        #expect(dropped >= 8, "each of the four has to be silent twice")
        #expect(report.lost == dropped && report.sent == report.delivered + report.lost)
    }

    @Test func `a datagram that was changed on its way is no delivery`() throws {
        let server = try RelayServerProcess(["--alter-every", "10"])
        let report = try RelayLoad.run(.short(server, isLossy: true))
        _ = try server.stop()
        #expect(report.errors.mismatched > 0 && report.errors.mismatched == report.lost)
    }

    @Test func `frames may arrive in pieces`() throws {
        let server = try RelayServerProcess(["--pieces", "7"])
        var configuration = RelayLoadConfiguration.short(server)
        configuration.access.tier = .floor
        let report = try RelayLoad.run(configuration)
        _ = try server.stop()
        #expect(report.sent > 0 && report.sent == report.delivered && report.errors == LoadErrors())
    }

    @Test func `health checks and pings are answered`() throws {
        let server = try RelayServerProcess(["--health-seconds", "0.02"])
        let report = try RelayLoad.run(.short(server))
        let counts = try server.stop()
        #expect(report.errors == LoadErrors() && report.lost == 0)
        #expect(counts["health", default: 0] >= 8 && counts["pongs", default: 0] >= 8)
    }

    @Test func `an open loop keeps its rate and counts from when a datagram was due`() throws {
        let server = try RelayServerProcess()
        var configuration = RelayLoadConfiguration.short(server)
        configuration.rate = 1000
        let report = try RelayLoad.run(configuration)
        _ = try server.stop()
        let openLoop = try #require(report.openLoop)
        #expect(abs(Double(openLoop.intended) - 1000 * report.seconds) <= 2)
        #expect(openLoop.unanswered == 0 && report.lost == 0 && report.sent >= openLoop.intended)
        #expect(report.latency.max >= openLoop.lateness.p50)
    }

    @Test func `a relay that refuses is reported with its reason`() throws {
        let server = try RelayServerProcess()
        var configuration = RelayLoadConfiguration.short(server)
        configuration.access.authSecret = "another"
        let refused = #expect(throws: LoadError.self) { _ = try RelayLoad.run(configuration) }
        #expect("\(String(describing: refused))".contains("signed with another secret"))
        configuration.access = server.access
        configuration.access.exposedAddress = "rel://elsewhere:80"
        let misnamed = #expect(throws: LoadError.self) { _ = try RelayLoad.run(configuration) }
        #expect("\(String(describing: misnamed))".contains("rel://relay.example.com:80"))
        _ = try server.stop()
    }

    @Test func `a server without relay at that path is reported`() throws {
        let server = try RelayServerProcess(["--path", "/elsewhere"])
        let error = #expect(throws: LoadError.self) { _ = try RelayLoad.run(.short(server)) }
        #expect("\(String(describing: error))".contains("answered 404"))
        _ = try server.stop()
    }

    @Test func `peers cannot be placed on the shards of a server that has one`() throws {
        let server = try RelayServerProcess()
        var configuration = RelayLoadConfiguration.short(server)
        (configuration.placement, configuration.serverPID) = (.different, server.pid)
        #expect(throws: LoadError.unplaced(pairs: 4, found: 0, shards: 1)) { _ = try RelayLoad.run(configuration) }
        _ = try server.stop()
    }

    @Test func `no datagram allocates`() throws {
        guard let count = AllocationCount.function else {
            return try AllocationCount.runAgain(filter: "no datagram allocates")
        }
        let server = try RelayServerProcess()
        var configuration = RelayLoadConfiguration.short(server)
        configuration.seconds = 3.5
        var allocations: [Int] = []
        allocations.reserveCapacity(8)
        let report = try RelayLoad.run(configuration) { _ in allocations.append(count()) }
        _ = try server.stop()
        try #require(report.messages > 1000 && allocations.count >= 3)
        // Telling takes some, once a second.
        #expect(allocations[2] - allocations[1] < 10, "\(allocations) and \(report.messages) datagrams")
    }
}
