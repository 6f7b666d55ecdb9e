// What a server refuses to start with.

import ApusServer
import ApusWire
import TestSupport
import Testing

@Suite struct ServerConfigurationTests {
    @Test func theDefaultsAreValid() {
        #expect(ServerConfiguration(address: "127.0.0.1:0").problems().isEmpty)
    }

    @Test func everyMistakeIsNamed() async throws {
        var configuration = ServerConfiguration(listeners: [
            ListenerConfiguration(name: "same", address: "127.0.0.1:0"),
            ListenerConfiguration(name: "same", address: "nowhere"),
        ])
        configuration.shards = 0
        configuration.maxConnections = 0
        configuration.backpressureLimit = 0
        configuration.payloadByteCountMax = PacketFormat.payloadByteCountMax + 1
        configuration.outstandingByteCountMax = 4095
        configuration.memoryBudgetPerShard = 0
        configuration.firstByteTimeout = .zero
        configuration.stalledWriteTimeout = .seconds(-1)
        configuration.idleTimeout = .seconds(86_401)
        configuration.heartbeatInterval = .microseconds(999)
        configuration.shutdownTimeout = .zero
        let names = [
            "listeners", "listener same", "shards", "max_connections", "backpressure_limit", "max_payload_size",
            "max_outstanding_bytes", "memory_budget", "first_byte_timeout", "stalled_write_timeout", "idle_timeout",
            "heartbeat_interval", "shutdown_timeout",
        ]
        let error = try await blocking { startFailure(configuration) }
        guard case .invalidConfiguration(let problems)? = error else {
            Issue.record("started, or failed otherwise: \(String(describing: error))")
            return
        }
        #expect(problems.count == names.count, "\(problems)")
        for name in names { #expect(problems.contains { $0.hasPrefix(name + ":") }, "\(name)") }
        #expect("\(ServerError.invalidConfiguration(problems))".split(separator: "\n").count == names.count)
    }

    @Test func mistakesInDefencesAreNamed() {
        var configuration = ServerConfiguration(address: "127.0.0.1:0")
        configuration.slowPeerGrace = .zero
        configuration.peerByteRateMin = 0
        configuration.controlRateMax = 0
        configuration.addressLimits.connectionsPerSecondMax = 0
        configuration.addressLimits.connectionBurstMax = 0
        configuration.addressLimits.connectionsMax = 0
        configuration.addressLimits.trustedNetworks = ["10.0.0.0/8", "10.0.0.1/8", "here"]
        let names = [
            "slow_peer_grace", "min_peer_rate", "max_control_rate", "max_connection_rate_per_address",
            "max_connection_burst_per_address", "max_connections_per_address",
            "trusted_networks: \"10.0.0.1/8\" is no network", "trusted_networks: \"here\" is no network",
        ]
        let problems = configuration.problems()
        #expect(problems.count == names.count, "\(problems)")
        for name in names { #expect(problems.contains { $0.hasPrefix(name + ":") || $0.hasPrefix(name) }, "\(name)") }
    }

    @Test func networksAreCounted() {
        var configuration = ServerConfiguration(address: "127.0.0.1:0")
        configuration.addressLimits.trustedNetworks = (0...256).map { "10.0.\($0 / 256).\($0 % 256)" }
        #expect(configuration.problems() == ["trusted_networks: at most 256, found 257"])
        configuration.addressLimits.trustedNetworks.removeLast()
        configuration.addressLimits.connectionsMax = nil
        configuration.addressLimits.connectionsPerSecondMax = nil
        #expect(configuration.problems().isEmpty)
    }

    @Test(arguments: ["", "localhost:0", "127.0.0.1", "127.0.0.1:65536", "unix:", "unix:@abstract", "[::1]"])
    func anAddressThatIsNoneIsNamed(_ address: String) {
        let problems = ServerConfiguration(address: address).problems()
        #expect(problems.count == 1)
        #expect(problems.first?.hasPrefix("listener edge: ") == true)
    }

    @Test func aServerListensSomewhere() {
        #expect(ServerConfiguration(listeners: []).problems() == ["listeners: name at least one"])
    }
}
