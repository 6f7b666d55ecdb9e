import ApusReactor
import Foundation
import Testing

@testable import ApusLoad

@Suite struct LoadReportTests {
    private let latency = LatencyReport(min: 1, mean: 2, p50: 3, p90: 4, p99: 5, p999: 6, max: 7)
    private let generator = GeneratorReport(
        cpuUserSeconds: 0.1, cpuSystemSeconds: 0.2, utilization: 0.9, bottleneck: false)
    private let server = ServerReport(
        pid: 7, cpuUserSeconds: 0.1, cpuSystemSeconds: 0.9, cpuMicrosecondsPerMessage: 0.09, userShare: 0.1,
        rssBytes: 4096)

    private func packetReport(server: ServerReport?) -> PacketReport {
        PacketReport(
            address: "127.0.0.1:9000", connections: 64, depth: 16, size: 64, seconds: 2, rate: nil, messages: 123,
            messagesPerSecond: 61.5, bytesPerSecond: 5227.5, errors: LoadErrors(), latency: latency, openLoop: nil,
            generator: generator, server: server)
    }

    private func object(_ report: some Encodable) throws -> [String: Any] {
        let decoded = try JSONSerialization.jsonObject(with: try JSONEncoder().encode(report))
        return try #require(decoded as? [String: Any])
    }

    private func keys(_ object: [String: Any], _ key: String) throws -> Set<String> {
        Set(try #require(object[key] as? [String: Any]).keys)
    }

    @Test func `a packet report has the names that scripts read`() throws {
        let object = try object(packetReport(server: server))
        #expect(
            Set(object.keys) == [
                "kind", "address", "connections", "depth", "size", "seconds", "rate", "messages", "messages_per_second",
                "bytes_per_second", "reconnections", "errors", "latency_us", "open_loop", "generator", "server",
            ])
        #expect(object["kind"] as? String == "packet")
        #expect(object["messages"] as? Int == 123)
        #expect(try keys(object, "errors") == ["mismatched", "closed", "connect", "lost"])
        #expect(try keys(object, "latency_us") == ["min", "mean", "p50", "p90", "p99", "p99_9", "max"])
        #expect(
            try keys(object, "generator") == [
                "cpu_user_seconds", "cpu_system_seconds", "utilization", "busy_poll", "bottleneck",
            ])
        #expect(
            try keys(object, "server") == [
                "pid", "cpu_user_seconds", "cpu_system_seconds", "cpu_us_per_message", "user_share", "rss_bytes",
            ])
    }

    @Test func `what a packet report does not know is null, not absent`() throws {
        let object = try object(packetReport(server: nil))
        #expect(object["rate"] is NSNull && object["server"] is NSNull && object["open_loop"] is NSNull)
    }

    @Test func `a connect report has the names that scripts read`() throws {
        var generator = generator
        generator.cpuMicrosecondsPerConnection = 20
        var server = server
        server.cpuMicrosecondsPerMessage = nil
        server.cpuMicrosecondsPerConnection = 14
        let report = ConnectReport(
            address: "127.0.0.1:9000", connections: 5, concurrency: 2, resumptionsOffered: 4, resumed: 3,
            connectionsPerSecond: 2.5, seconds: 2, errors: ConnectErrors(), latency: latency,
            generator: generator, server: server)
        let object = try object(report)
        #expect(
            Set(object.keys) == [
                "kind", "address", "connections", "concurrency", "connections_per_second", "seconds", "errors",
                "latency_us", "generator", "server", "resumptions_offered", "resumed",
            ])
        #expect(object["kind"] as? String == "connect")
        #expect(object["resumptions_offered"] as? Int == 4 && object["resumed"] as? Int == 3)
        #expect(try keys(object, "errors") == ["mismatched", "closed", "connect", "address_unavailable"])
        #expect(
            try keys(object, "server") == [
                "pid", "cpu_user_seconds", "cpu_system_seconds", "cpu_us_per_connection", "user_share", "rss_bytes",
            ])
    }

    @Test func `an idle report has the names that scripts read`() throws {
        var configuration = IdleLoadConfiguration(address: try .init(parsing: "127.0.0.1:9000"), serverPID: 7)
        configuration.session = .relay(RelayAccess(address: configuration.address))
        let report = IdleReport(
            configuration,
            from: IdleReading(made: 200, alive: 200, resident: 1000, proportional: 5000, sockets: 4096),
            to: IdleReading(made: 10_000, alive: 10_000, resident: 9_801_000, proportional: 19_605_000, sockets: nil))
        let object = try object(report)
        #expect(
            Set(object.keys) == [
                "kind", "address", "session", "connections", "baseline", "alive", "pid", "rss_bytes_baseline",
                "rss_bytes", "bytes_per_connection", "pss_bytes_per_connection",
                "socket_bytes_per_connection",
            ])
        #expect(object["kind"] as? String == "idle" && object["session"] as? String == "relay")
        #expect(report.bytesPerConnection == 1000 && report.pssBytesPerConnection == 2000)
        #expect(report.socketBytesPerConnection == nil)
    }

    @Test func `the generator is the bottleneck when it is busy and the server is not`() {
        #expect(GeneratorReport.isBottleneck(generator: 0.96, server: 0.80))
        #expect(!GeneratorReport.isBottleneck(generator: 0.96, server: 0.95))
        #expect(!GeneratorReport.isBottleneck(generator: 0.96, server: 1.90))
        #expect(!GeneratorReport.isBottleneck(generator: 0.94, server: 0.10))
        // Nobody said which process is the server: a busy generator is suspect.
        #expect(GeneratorReport.isBottleneck(generator: 0.96, server: nil))
    }
}
