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
    let repeatsPerSecondMax: Int

    init(from configuration: Configuration) {
        appName = configuration[LoggingKeys.appName]
        level = configuration[LoggingKeys.level]
        writesToConsole = configuration[LoggingKeys.toConsole]
        filePath = configuration[LoggingKeys.toFile] ? configuration[LoggingKeys.filePath] : nil
        isJSON = configuration[LoggingKeys.json]
        repeatsPerSecondMax = configuration[LoggingKeys.repeats]
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

/// What one peer, and one address, may have.
struct DefenceSettings: Equatable, Sendable {
    let slowPeerGrace: Duration
    let peerByteRateMin: Int
    let controlRateMax: Int
    /// Of one address; nil: as many as fit.
    let connectionsMax: Int?
    let connectionsPerSecondMax: Int?
    let connectionBurstMax: Int
    let trustedNetworks: [String]
    let isLoopbackTrusted: Bool

    init(from configuration: Configuration) {
        slowPeerGrace = configuration[DefenceKeys.slowPeerGrace]
        peerByteRateMin = configuration[DefenceKeys.minPeerRate]
        controlRateMax = configuration[DefenceKeys.maxControlRate]
        connectionsMax = configuration[DefenceKeys.maxConnectionsPerAddress]
        connectionsPerSecondMax = configuration[DefenceKeys.maxConnectionRatePerAddress]
        connectionBurstMax = configuration[DefenceKeys.maxConnectionBurstPerAddress]
        trustedNetworks = configuration[DefenceKeys.trustedNetworks]
        isLoopbackTrusted = !configuration[DefenceKeys.limitLoopback]
    }
}

/// How the admin listeners treat those who ask.
struct AdminLimits: Equatable, Sendable {
    let allowedHosts: [String]
    let requestTimeout: Duration
    let idleTimeout: Duration
    /// A loop that has not turned for so long counts as dead.
    let stallLimit: Duration

    init(from configuration: Configuration) {
        allowedHosts = configuration[AdminKeys.allowedHosts]
        requestTimeout = configuration[AdminKeys.requestTimeout]
        idleTimeout = configuration[AdminKeys.idleTimeout]
        stallLimit = configuration[AdminKeys.stallLimit]
    }
}

/// A listener's TCP sockets.
struct SocketSettings: Equatable, Sendable {
    /// Nil: the kernel decides.
    let sendBufferByteCount: Int?
    let notSentByteCountMax: Int?
    let userTimeout: Duration?

    init(from listener: Listener) {
        sendBufferByteCount = listener[ListenerKeys.sendBuffer]
        notSentByteCountMax = listener[ListenerKeys.maxUnsentBytes]
        userTimeout = listener[ListenerKeys.userTimeout]
    }
}

/// Handing the listening sockets to a successor.
struct UpgradeSettings: Equatable, Sendable {
    /// `auto`, `none`, or a path.
    let socket: String
    let timeout: Duration
    /// Nil: no such file.
    let pidFilePath: String?

    init(from configuration: Configuration) {
        socket = configuration[ServerKeys.upgradeSocket] ?? "auto"
        timeout = configuration[ServerKeys.upgradeTimeout]
        pidFilePath = configuration[ServerKeys.pidFile]
    }
}

struct DrainSettings: Equatable, Sendable {
    /// For SIGTERM and SIGINT.
    let timeout: Duration
    /// For SIGUSR1.
    let limit: Duration
    /// From failing readiness to accepting no more.
    let delay: Duration
    /// Over how long idle peers are told to leave; nil: at once.
    let window: Duration?

    init(from configuration: Configuration) {
        timeout = configuration[ServerKeys.shutdownTimeout]
        limit = configuration[ServerKeys.drainLimit]
        delay = configuration[ServerKeys.drainDelay]
        window = configuration[ServerKeys.drainWindow]
    }
}
