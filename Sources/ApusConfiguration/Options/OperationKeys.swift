// The rows of [admin], [logging] and [metrics]: what the people who run a server look at.

public enum AdminKeys {
    public static let enabled = Key.flag(
        "admin.enabled", false, .live, traits: .init(flag: "--admin"),
        "Serve the two listeners below. A [[listener]] with protocol admin is served in any case.")

    public static let address = Key.optionalText(
        "admin.address", .addressOrOff(.listen), standard: .text("127.0.0.1:9600"), .live,
        traits: .init(flag: "--admin-address"),
        "Where /livez, /readyz, /metrics and /status are answered, or off.")

    public static let controlSocket = Key.optionalText(
        "admin.control_socket", .addressOrOff(.listen), standard: .text("unix:/run/apus/control.sock"), .live,
        traits: .init(flag: "--control-socket"),
        "The UNIX socket on which reload, drain and log-level are obeyed besides, or off.")

    public static let allowedHosts = Key.texts(
        "admin.allowed_hosts", .hostName, .restart,
        "Names, besides localhost and addresses, under which a listener on the loopback may be asked; others are "
            + "refused, because any page can have its own name resolve to this host.")

    public static let requestTimeout = Key.duration(
        "admin.request_timeout", .seconds(10), in: .milliseconds(100) ... .seconds(86_400), .live,
        "From a request's first byte to its last.")

    public static let idleTimeout = Key.duration(
        "admin.idle_timeout", .seconds(120), in: .milliseconds(100) ... .seconds(86_400), .live,
        "Between two requests of a connection.")

    public static let stallLimit = Key.duration(
        "admin.stall_limit", .seconds(5), in: .milliseconds(100) ... .seconds(86_400), .restart,
        "An event loop that has not turned for so long counts as dead: /livez fails.")

    static let all: [OptionRow] = [
        enabled.option, address.option, controlSocket.option, allowedHosts.option, requestTimeout.option,
        idleTimeout.option, stallLimit.option,
    ]
}

public enum LoggingKeys {
    public static let appName = Key.text(
        "logging.app_name", .text(1...64), "apus", .live, "What records name as their source.")

    public static let level = Key.text(
        "logging.log_level",
        .choice(["trace", "debug", "info", "notice", "warn", "warning", "error", "critical"]), "info", .live,
        traits: .init(flag: "--log-level"),
        "The least level that is written. apus log-level changes it while the server runs.")

    public static let toConsole = Key.flag(
        "logging.log_to_console", true, .live, "Write records to stderr.")

    public static let toFile = Key.flag(
        "logging.log_to_file", false, .live, "Write records to log_file_path.")

    public static let filePath = Key.optionalText(
        "logging.log_file_path", .file, .live, traits: .init(flag: "--log-file"),
        "The file, which is opened anew by SIGHUP. The flag turns log_to_file on.")

    public static let json = Key.flag(
        "logging.json_format", false, .live, traits: .init(flag: "--log-json"),
        "One JSON object a line instead of logfmt.")

    public static let repeats = Key.integer(
        "logging.repeats_per_second", 20, in: 1...1_000_000, .live,
        "Equal records that are written in a second; one more is counted, and the count is written.")

    static let all: [OptionRow] = [
        appName.option, level.option, toConsole.option, toFile.option, filePath.option, json.option, repeats.option,
    ]
}

public enum MetricsKeys {
    public static let otlpAddress = Key.optionalText(
        "metrics.otlp_address", .url, .live,
        "Where the metrics are sent as OTLP over HTTP with JSON: http://HOST:PORT/v1/metrics. Without it: nowhere.")

    public static let otlpInterval = Key.duration(
        "metrics.otlp_interval", .seconds(30), in: .seconds(1) ... .seconds(3600), .live,
        "From one export to the next.")

    public static let otlpTimeout = Key.duration(
        "metrics.otlp_timeout", .seconds(5), in: .milliseconds(100) ... .seconds(60), .live,
        "For one export; what is late is given up, and the next one carries the same totals.")

    public static let resourceAttributes = Key.texts(
        "metrics.resource_attributes", .attribute, .live,
        "NAME=VALUE, sent with each export: \"deployment.environment=production\".")

    static let all: [OptionRow] = [
        otlpAddress.option, otlpInterval.option, otlpTimeout.option, resourceAttributes.option,
    ]
}
