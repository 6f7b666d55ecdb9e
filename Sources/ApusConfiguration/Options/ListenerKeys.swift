// The rows of [[listener]] that are its own; it may set those of [tls] and [handshake] too.

public enum ListenerKeys {
    public static let name = Key.text(
        "listener.name", .text(1...64), "edge", .live,
        "Appears in metrics, logs and errors: letters, digits, dots, dashes and underscores. Names differ; a reload "
            + "knows a listener by its name.")

    public static let `protocol` = Key.text(
        "listener.protocol", .choice(["packet", "relay", "admin"]), "packet", .newConnections,
        "What is spoken: packet (NPRO), relay (NetBird's and openZro's, see [relay]), or admin (HTTP: health, metrics, "
            + "status). hub, broadcast and fabric are reserved for later versions.")

    public static let address = Key.optionalText(
        "listener.address", .address(.listen), .live, traits: .init(flag: "--address"),
        "HOST:PORT, [IPV6]:PORT or unix:PATH. Port 0 takes a free one.")

    public static let security = Key.optionalText(
        "listener.security", .choice(["none", "handshake", "tls"]), .newConnections, traits: .init(flag: "--security"),
        "How connections are protected: handshake (NPRO's), tls, or none. Without it: as "
            + "transport.encryption_enabled says; for relay, tls where a certificate is named, otherwise none; for "
            + "admin, none.")

    public static let session = Key.text(
        "listener.session", .choice(["message", "packet"]), "message", .newConnections,
        "What a packet's payload is: a message, answered by what is registered for it, or opaque bytes for an "
            + "embedder's handler. For protocol packet.")

    public static let proxyProtocol = Key.flag(
        "listener.proxy_protocol", false, .newConnections,
        "Every connection begins with a header of the PROXY protocol, version 1 or 2, that says who its peer is; one "
            + "without is closed. For packet and relay, behind a balancer that sends it and that alone can connect.")

    public static let answers = Key.text(
        "listener.answers", .choice(AdminPaths.allCases.map(\.rawValue)), AdminPaths.all.rawValue, .live,
        "For protocol admin: all paths; only metrics, for /metrics; or only health, for /health, /livez and /readyz.")

    public static let sendBuffer = Key.byteCountOrOff(
        "listener.send_buffer", nil, in: 4096...(1 << 30), .newConnections,
        "What the kernel queues for sending on one TCP connection (SO_SNDBUF), or off: it decides.")

    public static let maxUnsentBytes = Key.byteCountOrOff(
        "listener.max_unsent_bytes", 256 << 10, in: 4096...(1 << 30), .newConnections,
        "Bytes on one TCP connection that the kernel takes beyond what is on its way (TCP_NOTSENT_LOWAT), or off.")

    public static let userTimeout = Key.durationOrOff(
        "listener.tcp_user_timeout", .seconds(30), .newConnections,
        "How long a TCP peer may leave bytes unacknowledged before the connection is given up, or off: a quarter of an "
            + "hour.")

    /// The protocols that later versions speak.
    static let reservedProtocols = ["hub", "broadcast", "fabric"]

    static let own: [OptionRow] = [
        name.option, `protocol`.option, address.option, security.option, session.option, proxyProtocol.option,
        answers.option, sendBuffer.option, maxUnsentBytes.option, userTimeout.option,
    ]
}
