// The rows of [server] about what one peer, and one address, may have.

public enum DefenceKeys {
    public static let slowPeerGrace = Key.duration(
        "server.slow_peer_grace", .seconds(10), .live, traits: .init(flag: "--slow-peer-grace"),
        "How long a packet that has begun may take to arrive, and replies to be taken, beyond what their bytes take at "
            + "min_peer_rate; who dribbles is closed.")

    public static let minPeerRate = Key.byteCount(
        "server.min_peer_rate", 4096, in: 1...(1 << 30), .live, traits: .init(flag: "--min-peer-rate"),
        "Bytes a second that a peer must send of a packet it began, and take of replies that wait.")

    public static let maxControlRate = Key.integer(
        "server.max_control_rate", 10_000, in: 1...1_000_000, .live, traits: .init(flag: "--max-control-rate"),
        "Messages a second of one connection that ask for nothing: PING, PONG, unknown ones, empty packets. Twice as "
            + "many may come at once; beyond that it is closed. Requests do not count.")

    public static let maxConnectionsPerAddress = Key.integerOrOff(
        "server.max_connections_per_address", 1000, in: 1...1_000_000, .live,
        traits: .init(flag: "--max-connections-per-address"),
        "Connections of one address at once, or off: an IPv4 address, or an IPv6 network of 64 bits. One more is "
            + "closed as soon as it is accepted.")

    public static let maxConnectionRatePerAddress = Key.integerOrOff(
        "server.max_connection_rate_per_address", 100, in: 1...1_000_000, .live,
        traits: .init(flag: "--max-connection-rate-per-address"),
        "New connections of one address a second, or off.")

    public static let maxConnectionBurstPerAddress = Key.integer(
        "server.max_connection_burst_per_address", 500, in: 1...1_000_000, .live,
        traits: .init(flag: "--max-connection-burst-per-address"),
        "New connections of one address that may come at once, before the rate counts: after a restart everybody comes "
            + "back.")

    public static let trustedNetworks = Key.texts(
        "server.trusted_networks", .network, .live, traits: .init(flag: "--trusted-network"),
        "Networks whose addresses are not limited, such as 10.0.0.0/8: those of proxies.")

    public static let limitLoopback = Key.flag(
        "server.limit_loopback", false, .live, traits: .init(flag: "--limit-loopback"),
        "Limit 127.0.0.0/8 and ::1 like any other address.")

    static let all: [OptionRow] = [
        slowPeerGrace.option, minPeerRate.option, maxControlRate.option, maxConnectionsPerAddress.option,
        maxConnectionRatePerAddress.option, maxConnectionBurstPerAddress.option, trustedNetworks.option,
        limitLoopback.option,
    ]
}
