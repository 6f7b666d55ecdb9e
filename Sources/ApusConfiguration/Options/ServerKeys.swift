// The rows of [server]: what holds for the whole process.

public enum ServerKeys {
    public static let address = Key.text(
        "server.address", .address(.listen), "127.0.0.1:9000", .live,
        "Where the packet listener named edge listens: HOST:PORT, [IPV6]:PORT or unix:PATH. Not beside a [[listener]] "
            + "with protocol packet, which has an address of its own.")

    public static let shards = Key.integerOrAuto(
        "server.shards", in: 1...256, .restart, traits: .init(flag: "--shards"),
        "Event loops, one thread each: a number, or auto for one per core.")

    public static let maxConnections = Key.integer(
        "server.max_connections", 10_000, in: 1...1_000_000, .live, traits: .init(flag: "--max-connections"),
        "Connections at once in the whole process; one more is closed as soon as it is accepted. The process's limit "
            + "of open files bounds it too. A reload goes up to four times what the server started with.")

    public static let backpressureLimit = Key.integer(
        "server.backpressure_limit", 32, in: 1...1_000_000, .live,
        traits: .init(earlierEnvironment: ["NETWORK_PROTOCOL_BACKPRESSURE_LIMIT"]),
        "Asynchronous requests of one connection that may be under way; further ones wait undecoded. More than 4096 "
            + "count as 4096. Synchronous replies are bounded in bytes, by max_outstanding_bytes.")

    public static let maxOutstandingBytes = Key.byteCount(
        "server.max_outstanding_bytes", 1 << 20, in: 4096...16_510_848, .live,
        traits: .init(flag: "--max-outstanding-bytes"),
        "Reply bytes of a connection that may wait before its requests are read no further; reading goes on below "
            + "half. One message is always admitted.")

    public static let memoryBudget = Key.byteCount(
        "server.memory_budget", 256 << 20, in: (1 << 20)...(1 << 40), .restart,
        "Bytes that all connections of one event loop may hold in buffers.")

    public static let connectionTimeout = Key.duration(
        "server.connection_timeout", .seconds(5), .live,
        traits: .init(
            flag: "--connection-timeout", earlierEnvironment: ["NETWORK_PROTOCOL_CONNECTION_TIMEOUT_MS"]),
        "From accept to the first byte, and for a write that stands still. It never ends a quiet connection.")

    public static let handshakeTimeout = Key.duration(
        "server.handshake_timeout", .seconds(10), .live, traits: .init(flag: "--handshake-timeout"),
        "From accept until a protected connection has its keys, and until a relay's peer has logged in: one deadline "
            + "for all of it.")

    public static let maxHandshakeRate = Key.integer(
        "server.max_handshake_rate", 2000, in: 1...750_000, .restart, traits: .init(flag: "--max-handshake-rate"),
        "NPRO handshakes a second in the whole process; more are refused. It sizes the table of those that were seen: "
            + "544 bytes each.")

    public static let maxHandshakesAtOnce = Key.integer(
        "server.max_handshakes_at_once", 1024, in: 1...1_000_000, .live,
        "Connections of one event loop that may be without keys, or not logged in to a relay, at once; one more is "
            + "closed as soon as it is accepted.")

    public static let idleTimeout = Key.durationOrOff(
        "server.idle_timeout", nil, .live, traits: .init(flag: "--idle-timeout"),
        "Close a connection without a message for so long, or off. PING and PONG are no messages.")

    public static let heartbeatInterval = Key.durationOrOff(
        "server.heartbeat_interval", .seconds(15), .live,
        traits: .init(flag: "--heartbeat-interval", earlierEnvironment: ["NETWORK_PROTOCOL_HEARTBEAT_INTERVAL_MS"]),
        "Ping after so long without sending; four silent intervals end a connection. Or off.")

    public static let shutdownTimeout = Key.duration(
        "server.shutdown_timeout", .seconds(30), .live, traits: .init(flag: "--shutdown-timeout"),
        "How long a drain waits for peers; who has not left by then is cut off.")

    public static let drainDelay = Key.duration(
        "server.drain_delay", .zero, in: .zero ... .seconds(3600), .live, traits: .init(flag: "--drain-delay"),
        "From failing readiness to accepting no more, for load balancers to notice.")

    public static let drainWindow = Key.durationOrOff(
        "server.drain_window", nil, .live, traits: .init(flag: "--drain-window"),
        "Spread over so long, a drain tells idle peers to leave, so that they do not all come back elsewhere at once. "
            + "Or off: all are told at once.")

    public static let drainLimit = Key.duration(
        "server.drain_limit", .seconds(3600), .live, traits: .init(flag: "--drain-limit"),
        "How long a drain by SIGUSR1, or after an upgrade, waits for peers, instead of shutdown_timeout.")

    public static let upgradeSocket = Key.optionalText(
        "server.upgrade_socket", .text(1...107), standard: .text("auto"), .restart,
        traits: .init(flag: "--upgrade-socket"),
        "The path of the UNIX socket on which another process may ask for the listening sockets; none for none; auto "
            + "for /run/apus/upgrade.sock where that folder can be written.")

    public static let upgradeTimeout = Key.duration(
        "server.upgrade_timeout", .seconds(30), .live, traits: .init(flag: "--upgrade-timeout"),
        "How long a successor has until it serves; then the old server goes on.")

    public static let pidFile = Key.optionalText(
        "server.pid_file", .file, .restart, traits: .init(flag: "--pid-file"),
        "A file to write the process's number to.")

    public static let unknownCommand = Key.text(
        "server.unknown_command", .choice(["silence", "close"]), "silence", .live,
        traits: .init(flag: "--unknown-command"),
        "What a message gets that nobody handles: silence, or close for the end of its connection.")

    public static let systemAliases = Key.flag(
        "server.system_aliases", false, .restart, traits: .init(flag: "--system-aliases"),
        "Let custom commands named PING and ECHO mean the messages, as the first NPRO daemon does.")

    static let all: [OptionRow] = [
        address.option, shards.option, maxConnections.option, backpressureLimit.option, maxOutstandingBytes.option,
        memoryBudget.option, connectionTimeout.option, handshakeTimeout.option, maxHandshakeRate.option,
        maxHandshakesAtOnce.option, idleTimeout.option, heartbeatInterval.option, shutdownTimeout.option,
        drainDelay.option, drainWindow.option, drainLimit.option, upgradeSocket.option, upgradeTimeout.option,
        pidFile.option, unknownCommand.option, systemAliases.option,
    ] + DefenceKeys.all
}
