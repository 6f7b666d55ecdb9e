// `apus serve --relay`: a configuration that begins with the relatives' defaults and heeds their environment and flags
// (relay.md §3.5), so that a deployment can change its image and nothing else.

import ApusWire

/// What that mode is told besides what every server is told.
public struct RelayMode: Sendable {
    /// What was given, by the names of the relatives' flags, as it was written.
    private var flags: [String: String] = [:]
    /// Whether this host has IPv6: an address without a host then means both kinds.
    public var hasIPv6: Bool

    public init(hasIPv6: Bool) { self.hasIPv6 = hasIPv6 }

    /// - Parameter name: of one of `RelativeOption.all` that is a flag.
    public mutating func set(_ name: String, to text: String) {
        precondition(RelativeOption.flags[name] != nil, "\(name) is no flag of the relatives")
        flags[name] = text
    }

    fileprivate var given: [(option: RelativeOption, text: String)] {
        RelativeOption.all.compactMap { option in flags[option.name].map { (option, $0) } }
    }
}

extension Configuration {
    /// What this mode has where nobody says otherwise.
    ///
    /// The relatives limit neither connections nor addresses, and their clients often come through one proxy: limits
    /// of an address would shut them out. They also tell all clients to leave at once, who all come back at once: the
    /// window spreads that, and ends well before the 10 s that Docker gives a container to stop.
    mutating func takeRelayDefaults() {
        let origin = Origin.flag(name: "--relay")
        let places = [(RelayPlace.relay, ":443"), (.metrics, ":9090"), (.health, ":9000")]
        for (place, address) in places {
            relayPlaces[place] = Setting(value: .text(address), origin: origin)
        }
        let values: [(OptionRow, SettingValue)] = [
            (ServerKeys.maxConnections.option, .integer(65_536)), (DefenceKeys.maxConnectionsPerAddress.option, .off),
            (DefenceKeys.maxConnectionRatePerAddress.option, .off),
            (ServerKeys.drainWindow.option, .duration(.seconds(5))),
        ]
        for (option, value) in values { settings[option.path] = Setting(value: value, origin: origin) }
    }

    // MARK: Environment

    /// Take the relatives' variables over; an empty one counts as unset.
    mutating func readRelatives(_ environment: [String: String]) -> [Problem] {
        RelativeOption.all.flatMap { option -> [Problem] in
            let found = option.variables.compactMap { name in
                environment[name].flatMap { $0.isEmpty ? nil : (name: name, text: $0) }
            }
            guard let first = found.first else { return [] }
            if let other = found.dropFirst().first(where: { $0.text != first.text }) {
                let reason = "\(other.name) says otherwise: leave one of them out"
                return [Problem(.error, .environment(name: first.name), option.path, reason)]
            }
            return take(first.text, for: option, from: .environment(name: first.name))
        }
    }

    // MARK: Flags

    mutating func apply(_ mode: RelayMode) -> [Problem] {
        mode.given.flatMap { option, text in take(text, for: option, from: .flag(name: option.flag)) }
    }

    // MARK: Both

    private mutating func take(_ text: String, for option: RelativeOption, from origin: Origin) -> [Problem] {
        do throws(Unreadable) {
            return try set(option, to: text, origin)
        } catch {
            return [Problem(.error, origin, option.path, error.reason)]
        }
    }

    private mutating func set(
        _ option: RelativeOption, to text: String, _ origin: Origin
    ) throws(Unreadable) -> [Problem] {
        switch option.meaning {
        case .place(let place): relayPlaces[place] = Setting(value: .text(text), origin: origin)
        case .port(let place):
            guard let port = UInt16(text) else { throw Unreadable(reason: "a port, 0 to 65535, found \"\(text)\"") }
            relayPlaces[place] = Setting(value: .text(":\(port)"), origin: origin)
        case .key(let row): settings[row.path] = Setting(value: try row.readRelative(text), origin: origin)
        case .logLevel: try setLogLevel(text, origin)
        case .logFile: try setLogFile(text, origin)
        case .livenessFactor: try setLiveness(text, origin)
        case .refused(let fix):
            if try option.asksForSomething(text) { throw Unreadable(reason: fix) }
        case .idle(let other):
            return [Problem(.warning, origin, "", "of no effect without \(other), which there is not here")]
        }
        return []
    }

    /// logrus' names; what ends a program there is written and goes on here.
    private mutating func setLogLevel(_ text: String, _ origin: Origin) throws(Unreadable) {
        let name = text.lowercased()
        let level = ["panic", "fatal"].contains(name) ? "critical" : name
        let value = try LoggingKeys.level.option.checked(.text(level))
        settings[LoggingKeys.level.option.path] = Setting(value: value, origin: origin)
    }

    private mutating func setLogFile(_ text: String, _ origin: Origin) throws(Unreadable) {
        if text == "syslog" {
            throw Unreadable(reason: "there is no syslog here: use console, which a service manager keeps, or a path")
        }
        let isConsole = text == "console"
        settings[LoggingKeys.toConsole.option.path] = Setting(value: .flag(isConsole), origin: origin)
        settings[LoggingKeys.toFile.option.path] = Setting(value: .flag(!isConsole), origin: origin)
        settings[LoggingKeys.filePath.option.path] = Setting(value: isConsole ? .none : .text(text), origin: origin)
    }

    private mutating func setLiveness(_ text: String, _ origin: Origin) throws(Unreadable) {
        guard let factor = Int(text), 1...80 ~= factor else {
            throw Unreadable(reason: "how many times 45s a peer may be silent, 1 to 80, found \"\(text)\"")
        }
        let value = SettingValue.duration(.seconds(45 * factor))
        settings[RelayKeys.livenessTimeout.option.path] = Setting(value: value, origin: origin)
    }
}

extension OptionRow {
    /// A relative's value of the same option.
    fileprivate func readRelative(_ text: String) throws(Unreadable) -> SettingValue {
        guard case .texts(.network) = kind else { return try read(text) }
        let parts = text.split(separator: ",").map { $0.filter { $0 != " " } }.filter { !$0.isEmpty }
        var seen: Set<String> = []
        return try checked(.texts(parts.map(OptionRow.network).filter { seen.insert($0).inserted }))
    }

    /// They take a network with any bits behind its prefix. What is no network is left as it is, and refused as such.
    private static func network(_ text: String) -> String {
        guard text.contains("/"), let network = HostPrefix(parsingAround: text) else { return text }
        return network.description
    }
}

extension RelativeOption {
    /// Of what it sets; empty where that is no option of the table.
    fileprivate var path: String {
        switch meaning {
        case .key(let row): row.path
        case .logLevel: LoggingKeys.level.option.path
        case .logFile: LoggingKeys.filePath.option.path
        case .livenessFactor: RelayKeys.livenessTimeout.option.path
        case .place, .port, .refused, .idle: ""
        }
    }

    /// Their defaults ask for nothing: empty, false, port 0.
    fileprivate func asksForSomething(_ text: String) throws(Unreadable) -> Bool {
        guard isFlag else { return !["", "0"].contains(text) }
        switch text.lowercased() {
        case "1", "t", "true": return true
        case "0", "f", "false": return false
        default: throw Unreadable(reason: "true or false, found \"\(text)\"")
        }
    }
}
