// What the process around the server is asked to be: logs, exports, drains. Plain values; nothing here opens anything.

import ApusConfiguration

struct LoggingSettings: Equatable, Sendable {
    let appName: String
    /// trace, debug, info, warn or error.
    let level: String
    let writesToConsole: Bool
    /// Nil: no file.
    let filePath: String?
    /// Otherwise logfmt.
    let isJSON: Bool

    init(from configuration: Configuration) {
        appName = configuration[LoggingKeys.appName]
        level = configuration[LoggingKeys.level]
        writesToConsole = configuration[LoggingKeys.toConsole]
        filePath = configuration[LoggingKeys.toFile] ? configuration[LoggingKeys.filePath] : nil
        isJSON = configuration[LoggingKeys.json]
    }
}

/// The export of metrics to an OpenTelemetry collector.
struct ExportSettings: Equatable, Sendable {
    struct Attribute: Equatable, Sendable {
        let name: String
        let value: String
    }

    /// `http://HOST:PORT/PATH`
    let address: String
    let interval: Duration
    let timeout: Duration
    let attributes: [Attribute]

    /// Nil where nothing is exported.
    init?(from configuration: Configuration) {
        guard let address = configuration[MetricsKeys.otlpAddress] else { return nil }
        self.address = address
        interval = configuration[MetricsKeys.otlpInterval]
        timeout = configuration[MetricsKeys.otlpTimeout]
        attributes = configuration[MetricsKeys.resourceAttributes].map { text in
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            return Attribute(name: parts[0], value: parts.count > 1 ? parts[1] : "")
        }
    }
}

struct DrainSettings: Equatable, Sendable {
    /// For SIGTERM and SIGINT.
    let timeout: Duration
    /// For SIGUSR1.
    let limit: Duration
    /// Over how long idle peers are told to leave; nil: at once.
    let window: Duration?

    init(from configuration: Configuration) {
        timeout = configuration[ServerKeys.shutdownTimeout]
        limit = configuration[ServerKeys.drainLimit]
        window = configuration[ServerKeys.drainWindow]
    }
}
