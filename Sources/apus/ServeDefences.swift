// `apus serve`'s flags about what one peer, and one address, may have.

import ApusConfiguration
import ArgumentParser

struct ServeDefences: ParsableArguments {
    @Option(help: DefenceKeys.slowPeerGrace.help)
    var slowPeerGrace: DurationArgument?

    @Option(help: DefenceKeys.minPeerRate.help)
    var minPeerRate: ByteCountArgument?

    @Option(help: DefenceKeys.maxControlRate.help)
    var maxControlRate: Int?

    @Option(help: DefenceKeys.maxConnectionsPerAddress.help)
    var maxConnectionsPerAddress: LimitArgument?

    @Option(help: DefenceKeys.maxConnectionRatePerAddress.help)
    var maxConnectionRatePerAddress: LimitArgument?

    @Option(help: DefenceKeys.maxConnectionBurstPerAddress.help)
    var maxConnectionBurstPerAddress: Int?

    @Option(help: DefenceKeys.trustedNetworks.help)
    var trustedNetwork: [String] = []

    @Flag(help: DefenceKeys.limitLoopback.help)
    var limitLoopback = false

    func add(to overrides: inout Overrides) {
        if let slowPeerGrace { overrides.set(DefenceKeys.slowPeerGrace, to: slowPeerGrace.setting) }
        if let minPeerRate { overrides.set(DefenceKeys.minPeerRate, to: minPeerRate.setting) }
        if let maxControlRate { overrides.set(DefenceKeys.maxControlRate, to: .integer(maxControlRate)) }
        if let limit = maxConnectionsPerAddress {
            overrides.set(DefenceKeys.maxConnectionsPerAddress, to: limit.setting)
        }
        if let limit = maxConnectionRatePerAddress {
            overrides.set(DefenceKeys.maxConnectionRatePerAddress, to: limit.setting)
        }
        if let burst = maxConnectionBurstPerAddress {
            overrides.set(DefenceKeys.maxConnectionBurstPerAddress, to: .integer(burst))
        }
        if !trustedNetwork.isEmpty { overrides.set(DefenceKeys.trustedNetworks, to: .texts(trustedNetwork)) }
        if limitLoopback { overrides.set(DefenceKeys.limitLoopback, to: .flag(true)) }
    }
}

/// How many, or `off`.
struct LimitArgument: ExpressibleByArgument, Sendable {
    /// Nil: as many as come.
    let count: Int?

    init?(argument: String) {
        if argument == "off" {
            count = nil
        } else {
            guard let given = Int(argument) else { return nil }
            count = given
        }
    }

    var setting: SettingValue { count.map { .integer($0) } ?? .off }
}
