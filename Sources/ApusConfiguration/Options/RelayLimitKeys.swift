// The rows of [relay] about what one peer, and all of them, may have waiting; and about whom the relay believes.

public enum RelayLimitKeys {
    public static let backlogPerPeer = Key.byteCount(
        "relay.backlog_per_peer", 1 << 20, in: (64 << 10)...(1 << 30), .restart,
        "Bytes of messages that may wait for one peer beyond its connection's buffers; then the oldest of whoever has "
            + "most waiting there is dropped.")

    public static let backlogBudget = Key.byteCount(
        "relay.backlog_budget", 64 << 20, in: (1 << 20)...(1 << 36), .restart,
        "The same for all peers of one event loop.")

    public static let maxMessageAge = Key.duration(
        "relay.max_message_age", .seconds(1), in: .milliseconds(1) ... .seconds(60), .live,
        "A message that has waited longer is dropped when its turn comes: what it carries was sent again by then.")

    public static let maxSubscriptionsPerPeer = Key.integer(
        "relay.max_subscriptions_per_peer", 65_536, in: 244...1_048_576, .restart,
        "Peers that one peer may ask to be told about at once, of those that one event loop keeps.")

    public static let maxSubscriptions = Key.integer(
        "relay.max_subscriptions", 1 << 20, in: 1024...(1 << 26), .restart,
        "The same for all that one event loop keeps.")

    public static let allowedOrigins = Key.texts(
        "relay.allowed_origins", .origin, .newConnections,
        "Web pages that may connect, such as https://app.example.com, or same_host alone for those of the host that "
            + "they ask for. Without any: all, since the token decides. Native clients name none.")

    public static let trustedProxies = Key.texts(
        "relay.trusted_proxies", .network, .newConnections, traits: .init(flag: "--trusted-proxies"),
        "Proxies whose X-Real-IP and X-Forwarded-For are believed, addresses or networks such as 10.0.0.0/8; the "
            + "limits of an address do not count for them. Without any: nobody.")

    public static let flapCount = Key.integer(
        "relay.flap_count", 5, in: 2...1000, .restart,
        "A peer's place that is taken over so often within flap_window is told in the log: two hosts have one key.")

    public static let flapWindow = Key.duration(
        "relay.flap_window", .seconds(60), in: .seconds(1) ... .seconds(3600), .restart,
        "See flap_count.")

    static let all: [OptionRow] = [
        backlogPerPeer.option, backlogBudget.option, maxMessageAge.option, maxSubscriptionsPerPeer.option,
        maxSubscriptions.option, allowedOrigins.option, trustedProxies.option, flapCount.option, flapWindow.option,
    ]
}
