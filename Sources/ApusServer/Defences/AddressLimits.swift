// What one address may have of a server, as the embedder asks for it, and whom that does not concern.

import ApusReactor

/// Limits for each peer address: an IPv4 address, or an IPv6 network of 64 bits, which is what one site has. They count
/// the address of the socket: behind a proxy that is the proxy's, so name its network in `trustedNetworks`.
public struct AddressLimits: Equatable, Sendable {
    /// New connections a second; one more is accepted and closed at once, `address_rate`. Nil: as many as come.
    public var connectionsPerSecondMax: Int? = 100
    /// New connections that may come at once, before the rate counts: after a restart everybody comes back.
    public var connectionBurstMax: Int = 500
    /// Connections open at once; one more is accepted and closed at once, `address_limit`. Nil: as many as fit.
    public var connectionsMax: Int? = 1000
    /// Networks that are not limited, such as `10.0.0.0/8` or `2001:db8::/32`.
    public var trustedNetworks: [String] = []
    /// Nor are 127.0.0.0/8 and ::1.
    public var isLoopbackTrusted = true

    public init() {}

    /// Nobody is limited.
    public static var off: AddressLimits {
        var limits = AddressLimits()
        (limits.connectionsPerSecondMax, limits.connectionsMax) = (nil, nil)
        return limits
    }

    /// Every mistake, in words.
    func problems() -> [String] {
        let counts: [(name: String, value: Int?, most: Int)] = [
            ("max_connection_rate_per_address", connectionsPerSecondMax, 1_000_000),
            ("max_connection_burst_per_address", connectionBurstMax, 1_000_000),
            ("max_connections_per_address", connectionsMax, Limits.connectionsMax),
        ]
        var problems = counts.compactMap { name, value, most in
            value.flatMap { 1...most ~= $0 ? nil : "\(name): 1 to \(most), found \($0)" }
        }
        if trustedNetworks.count > AddressPolicy.networksMax {
            problems.append("trusted_networks: at most \(AddressPolicy.networksMax), found \(trustedNetworks.count)")
        }
        problems += trustedNetworks.filter { HostNetwork(parsing: $0) == nil }.map { text in
            "trusted_networks: \"\(text)\" is no network: write it as 10.0.0.0/8 or 2001:db8::/32, "
                + "with no bits set behind the prefix"
        }
        return problems
    }
}

/// The same for a shard.
package struct AddressPolicy: Sendable {
    /// Each is looked at when a connection is accepted.
    static let networksMax = 256

    let limits: HostAllowance
    private let trusted: [HostNetwork]

    package init(_ configuration: AddressLimits) {
        limits = HostAllowance(
            rate: configuration.connectionsPerSecondMax.map {
                RateLimit(perSecond: $0, burst: configuration.connectionBurstMax)
            },
            connectionsMax: configuration.connectionsMax)
        trusted = (configuration.isLoopbackTrusted ? HostNetwork.loopback : [])
            + configuration.trustedNetworks.compactMap(HostNetwork.init(parsing:))
    }

    var isOff: Bool { limits.rate == nil && limits.connectionsMax == nil }

    func trusts(_ host: HostAddress) -> Bool { trusted.contains { $0.contains(host) } }
}
