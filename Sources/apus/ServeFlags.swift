// The flags of `apus serve`: each overrides an option of the table. What they leave out, the file or the environment
// says.

import ApusConfiguration
import ApusServer
import ArgumentParser

struct ServeFlags: ParsableArguments {
    @Option(help: ArgumentHelp(stringLiteral: addressHelp))
    var address: [String] = []

    @Option(help: ServerKeys.shards.help)
    var shards: ShardCountArgument?

    @OptionGroup var security: ServeSecurity

    @Option(help: ServerKeys.maxConnections.help)
    var maxConnections: Int?

    @Option(help: ServerKeys.unknownCommand.help)
    var unknownCommand: UnknownCommand?

    @Flag(help: ServerKeys.systemAliases.help)
    var systemAliases = false

    @Option(help: ServerKeys.idleTimeout.help)
    var idleTimeout: OptionalDurationArgument?

    @Option(help: ServerKeys.heartbeatInterval.help)
    var heartbeatInterval: OptionalDurationArgument?

    @Option(help: ServerKeys.connectionTimeout.help)
    var connectionTimeout: DurationArgument?

    @Option(help: ServerKeys.shutdownTimeout.help)
    var shutdownTimeout: DurationArgument?

    @OptionGroup var lifecycle: LifecycleFlags

    @OptionGroup var defences: ServeDefences

    @Option(help: ServerKeys.maxOutstandingBytes.help)
    var maxOutstandingBytes: ByteCountArgument?

    @Option(help: TransportKeys.maxPayloadSize.help)
    var maxPayloadSize: ByteCountArgument?

    @OptionGroup var operation: OperationFlags

    // Beside one another: groups within groups make the parser slow.
    @OptionGroup var relay: ServeRelay
    @OptionGroup var relatives: RelativeFlags
    @OptionGroup var refusedRelatives: RefusedRelativeFlags

    private static let addressHelp =
        "HOST:PORT, [IPV6]:PORT or unix:PATH; may be given several times. The first is where the first packet listener "
        + "of the file listens, or the first that speaks relay, and so on; those beyond are left out. (default: "
        + "\(Apus.defaultAddress))"

    /// What was given, as values of the table.
    var overrides: Overrides {
        var overrides = Overrides()
        overrides.addresses = address
        if let shards { overrides.set(ServerKeys.shards, to: shards.count.map { .integer($0) } ?? .auto) }
        if let maxConnections { overrides.set(ServerKeys.maxConnections, to: .integer(maxConnections)) }
        if let unknownCommand { overrides.set(ServerKeys.unknownCommand, to: .text(unknownCommand.rawValue)) }
        if systemAliases { overrides.set(ServerKeys.systemAliases, to: .flag(true)) }
        if let maxOutstandingBytes { overrides.set(ServerKeys.maxOutstandingBytes, to: maxOutstandingBytes.setting) }
        if let maxPayloadSize { overrides.set(TransportKeys.maxPayloadSize, to: maxPayloadSize.setting) }
        addTimes(to: &overrides)
        security.add(to: &overrides)
        lifecycle.add(to: &overrides)
        defences.add(to: &overrides)
        operation.add(to: &overrides, isRelay: relay.relay)
        let logging: [RelativeArgument] = [
            ("log-level", operation.logLevel?.rawValue), ("log-file", operation.logFile),
        ]
        relay.add(to: &overrides, relatives: relativeArguments + logging)
        return overrides
    }

    private var relativeArguments: [RelativeArgument] { relatives.given + refusedRelatives.given }

    func validate() throws { try relay.refuse(relativeArguments) }

    private func addTimes(to overrides: inout Overrides) {
        if let idleTimeout { overrides.set(ServerKeys.idleTimeout, to: idleTimeout.setting) }
        if let heartbeatInterval { overrides.set(ServerKeys.heartbeatInterval, to: heartbeatInterval.setting) }
        if let connectionTimeout { overrides.set(ServerKeys.connectionTimeout, to: connectionTimeout.setting) }
        if let shutdownTimeout { overrides.set(ServerKeys.shutdownTimeout, to: shutdownTimeout.setting) }
    }
}

/// Flags about how a server ends, and how another follows it.
struct LifecycleFlags: ParsableArguments {
    @Option(help: ServerKeys.drainLimit.help)
    var drainLimit: DurationArgument?

    @Option(help: ServerKeys.drainDelay.help)
    var drainDelay: DurationArgument?

    @Option(help: ServerKeys.drainWindow.help)
    var drainWindow: OptionalDurationArgument?

    @Option(help: ServerKeys.upgradeSocket.help)
    var upgradeSocket: String?

    @Option(help: ServerKeys.upgradeTimeout.help)
    var upgradeTimeout: DurationArgument?

    @Option(help: "Take the listening sockets over from the server that has this upgrade socket.")
    var upgradeFrom: String?

    @Option(help: ServerKeys.pidFile.help)
    var pidFile: String?

    func add(to overrides: inout Overrides) {
        if let drainLimit { overrides.set(ServerKeys.drainLimit, to: drainLimit.setting) }
        if let drainDelay { overrides.set(ServerKeys.drainDelay, to: drainDelay.setting) }
        if let drainWindow { overrides.set(ServerKeys.drainWindow, to: drainWindow.setting) }
        if let upgradeSocket { overrides.set(ServerKeys.upgradeSocket, to: .text(upgradeSocket)) }
        if let upgradeTimeout { overrides.set(ServerKeys.upgradeTimeout, to: upgradeTimeout.setting) }
        if let pidFile { overrides.set(ServerKeys.pidFile, to: .text(pidFile)) }
    }
}

/// Flags about what the people who run a server look at.
struct OperationFlags: ParsableArguments {
    @Flag(help: AdminKeys.enabled.help)
    var admin = false

    @Option(help: AdminKeys.address.help)
    var adminAddress: String?

    @Option(help: AdminKeys.controlSocket.help)
    var controlSocket: String?

    @Option(help: LoggingKeys.level.help)
    var logLevel: LogLevelArgument?

    @Option(help: LoggingKeys.filePath.help)
    var logFile: String?

    @Flag(help: LoggingKeys.json.help)
    var logJson = false

    /// - Parameter isRelay: what is logged is then said as the relay's relatives say it.
    func add(to overrides: inout Overrides, isRelay: Bool) {
        if admin { overrides.set(AdminKeys.enabled, to: .flag(true)) }
        if let adminAddress { overrides.set(AdminKeys.address, to: adminAddress.settingOrOff) }
        if let controlSocket { overrides.set(AdminKeys.controlSocket, to: controlSocket.settingOrOff) }
        if logJson { overrides.set(LoggingKeys.json, to: .flag(true)) }
        if isRelay { return }
        if let logLevel { overrides.set(LoggingKeys.level, to: .text(logLevel.rawValue)) }
        if let logFile {
            overrides.set(LoggingKeys.filePath, to: .text(logFile))
            overrides.set(LoggingKeys.toFile, to: .flag(true), flag: "--log-file")
        }
    }
}

enum LogLevelArgument: String, CaseIterable, ExpressibleByArgument {
    case trace, debug, info, notice, warn, warning, error, critical
}

extension UnknownCommand: ExpressibleByArgument {}

extension DurationArgument {
    var setting: SettingValue { .duration(duration) }
}

extension OptionalDurationArgument {
    var setting: SettingValue { duration.map { .duration($0) } ?? .off }
}

extension ByteCountArgument {
    var setting: SettingValue { .byteCount(byteCount) }
}

extension String {
    fileprivate var settingOrOff: SettingValue { self == "off" ? .off : .text(self) }
}
