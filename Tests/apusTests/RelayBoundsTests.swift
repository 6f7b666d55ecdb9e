// What the option table takes for a relay, the server takes: neither sees the other, and whoever was told yes by one
// must not be told no by the second.

import ApusConfiguration
import ApusServer
import Testing

@testable import apus

@Suite struct RelayBoundsTests {
    private static func configuration() throws -> Configuration {
        var overrides = Overrides()
        var mode = RelayMode(hasIPv6: false)
        mode.set("exposed-address", to: "rels://relay.example.com")
        mode.set("auth-secret", to: "0123456789abcdef")
        overrides.relay = mode
        return try Configuration.load(file: nil, overrides: overrides)
    }

    /// What the server says about this relay.
    private static func problems(_ change: (inout RelayConfiguration) -> Void) throws -> [String] {
        var server = try serverConfiguration(from: configuration())
        var relay = try #require(server.relay)
        change(&relay)
        server.relay = relay
        return server.problems()
    }

    // MARK: Bounds

    private typealias Count = (key: Key<Int>, set: @Sendable (inout RelayConfiguration, Int) -> Void)
    private static let counts: [Count] = [
        (RelayLimitKeys.backlogPerPeer, { $0.backlogByteCountMax = $1 }),
        (RelayLimitKeys.backlogBudget, { $0.backlogBudgetPerShard = $1 }),
        (RelayLimitKeys.maxSubscriptionsPerPeer, { $0.subscriptionsPerPeerMax = $1 }),
        (RelayLimitKeys.maxSubscriptions, { $0.subscriptionsPerShardMax = $1 }),
        (RelayLimitKeys.flapCount, { $0.flapCount = $1 }),
    ]

    @Test(arguments: counts.indices) func countsHaveOneBoundAndOneName(index: Int) throws {
        let (key, set) = Self.counts[index]
        let bounds = try #require(key.option.integers)
        for inside in [bounds.lowerBound, bounds.upperBound] {
            #expect(try Self.problems { set(&$0, inside) } == [])
        }
        for outside in [bounds.lowerBound - 1, bounds.upperBound + 1] {
            let problems = try Self.problems { set(&$0, outside) }
            #expect(problems.count == 1 && problems[0].hasPrefix("\(key.option.path): "), "\(problems)")
        }
    }

    private typealias Time = (key: Key<Duration>, set: @Sendable (inout RelayConfiguration, Duration) -> Void)
    private static let times: [Time] = [
        (RelayKeys.healthInterval, { $0.healthInterval = $1 }),
        (RelayKeys.livenessTimeout, { $0.livenessTimeout = $1 }),
        (RelayLimitKeys.maxMessageAge, { $0.messageAgeMax = $1 }), (RelayLimitKeys.flapWindow, { $0.flapWindow = $1 }),
    ]

    @Test(arguments: times.indices) func timesHaveOneBoundAndOneName(index: Int) throws {
        let (key, set) = Self.times[index]
        guard case .duration(let bounds) = key.option.kind else {
            Issue.record("\(key.option.path) is no duration")
            return
        }
        for inside in [bounds.lowerBound, bounds.upperBound] {
            #expect(try Self.problems { set(&$0, inside) } == [])
        }
        for outside in [bounds.lowerBound - .milliseconds(1), bounds.upperBound + .milliseconds(1)] {
            let problems = try Self.problems { set(&$0, outside) }
            #expect(problems.count == 1 && problems[0].hasPrefix("\(key.option.path): "), "\(problems)")
        }
    }

    // MARK: Networks

    @Test(arguments: [
        "10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "::1", "::ffff:10.0.0.0/8", "::ffff:10.0.0.0/104", "10.0.0.0/08",
        "10.0.0.1/8", "10.0.0.0/33", "010.0.0.0/8", "fe80::1%1", "10.0.0.0/", "proxy.example",
    ])
    func aNetworkOfTheTableIsOneOfTheServer(text: String) throws {
        let isNetwork = ["10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "::1", "::ffff:10.0.0.0/8"].contains(text)
        for key in [RelayLimitKeys.trustedProxies, DefenceKeys.trustedNetworks] {
            var configuration = try Self.configuration()
            guard isNetwork else {
                #expect(throws: ConfigurationError.self) { try configuration.set(key, to: .texts([text])) }
                continue
            }
            try configuration.set(key, to: .texts([text]))
            #expect(try serverConfiguration(from: configuration).problems() == [])
        }
    }

    @Test func networksAreCountedAlike() throws {
        var configuration = try Self.configuration()
        let networks = (0...256).map { "10.0.\($0 / 256).\($0 % 256)" }
        #expect(throws: ConfigurationError.self) {
            try configuration.set(DefenceKeys.trustedNetworks, to: .texts(networks))
        }
        try configuration.set(DefenceKeys.trustedNetworks, to: .texts(networks.dropLast()))
        #expect(try serverConfiguration(from: configuration).problems() == [])
    }
}

extension OptionRow {
    fileprivate var integers: ClosedRange<Int>? {
        if case .integer(let bounds) = kind { return bounds }
        if case .byteCount(let bounds) = kind { return bounds }
        return nil
    }
}
