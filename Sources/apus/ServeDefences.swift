// `apus serve`'s flags about what one peer, and one address, may have.

import ApusServer
import ArgumentParser

struct ServeDefences: ParsableArguments {
    @Option(help: "What an unfinished packet and waiting replies may take beyond their bytes' time.")
    var slowPeerGrace: DurationArgument?

    @Option(help: "Bytes a second that a peer must send of a packet it began, and take of replies that wait.")
    var minPeerRate: ByteCountArgument?

    @Option(help: "Messages a second of one connection that ask for nothing, such as PING.")
    var maxControlRate: Int?

    @Option(help: "Connections of one address at once, or off.")
    var maxConnectionsPerAddress: LimitArgument?

    @Option(help: "New connections of one address a second, or off.")
    var maxConnectionRatePerAddress: LimitArgument?

    @Option(help: "New connections of one address at once, before the rate counts.")
    var maxConnectionBurstPerAddress: Int?

    @Option(help: "A network whose addresses are not limited, such as 10.0.0.0/8; may be given several times.")
    var trustedNetwork: [String] = []

    @Flag(help: "Limit 127.0.0.0/8 and ::1 like any other address.")
    var limitLoopback = false

    func apply(to configuration: inout ServerConfiguration) {
        if let slowPeerGrace { configuration.slowPeerGrace = slowPeerGrace.duration }
        if let minPeerRate { configuration.peerByteRateMin = minPeerRate.byteCount }
        if let maxControlRate { configuration.controlRateMax = maxControlRate }
        if let limit = maxConnectionsPerAddress { configuration.addressLimits.connectionsMax = limit.count }
        if let limit = maxConnectionRatePerAddress {
            configuration.addressLimits.connectionsPerSecondMax = limit.count
        }
        if let burst = maxConnectionBurstPerAddress { configuration.addressLimits.connectionBurstMax = burst }
        configuration.addressLimits.trustedNetworks = trustedNetwork
        configuration.addressLimits.isLoopbackTrusted = !limitLoopback
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
}
