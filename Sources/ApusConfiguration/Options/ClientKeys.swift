// The rows of [client]: what the verbs that talk to a server are told.

public enum ClientKeys {
    public static let address = Key.text(
        "client.address", .address(.connect), "127.0.0.1:9000", .eachRun, traits: .init(flag: "--address"),
        "The server: HOST:PORT, [IPV6]:PORT or unix:PATH.")

    public static let connectionTimeout = Key.duration(
        "client.connection_timeout", .seconds(5), .eachRun,
        traits: .init(earlierEnvironment: ["NETWORK_PROTOCOL_CONNECTION_TIMEOUT_MS"]),
        "From connecting to a connection with its keys, over all addresses of a name. The flag --timeout sets it too.")

    public static let operationTimeout = Key.duration(
        "client.operation_timeout", .seconds(3), .eachRun,
        "For what has no reply: the server's end of the connection after DISCONNECT.")

    public static let responseTimeout = Key.duration(
        "client.response_timeout", .seconds(5), .eachRun, traits: .init(flag: "--timeout"),
        "From a request to its reply.")

    public static let heartbeatInterval = Key.durationOrOff(
        "client.heartbeat_interval", .seconds(15), .eachRun,
        "Ping the server when nothing was sent or received for so long; four silent intervals end the connection. "
            + "Or off.")

    public static let autoReconnect = Key.flag(
        "client.auto_reconnect", true, .eachRun,
        "Connect again when the connection is lost, and ask again what may be asked twice: PING and ECHO. A server "
            + "that cannot be reached in the first place is an error at once.")

    public static let maxReconnectAttempts = Key.integer(
        "client.max_reconnect_attempts", 3, in: 1...1_000_000, .eachRun,
        "Attempts in a row after which a lost connection is given up.")

    public static let reconnectDelay = Key.duration(
        "client.reconnect_delay", .seconds(1), in: .milliseconds(1) ... .seconds(3600), .eachRun,
        "Before each attempt.")

    static let all: [OptionRow] = [
        address.option, connectionTimeout.option, operationTimeout.option, responseTimeout.option,
        heartbeatInterval.option, autoReconnect.option, maxReconnectAttempts.option, reconnectDelay.option,
    ]
}
