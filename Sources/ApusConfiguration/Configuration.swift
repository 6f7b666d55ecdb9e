// What was asked for, each value with its origin. It holds what was said and falls back to the option table; it reads
// no file and starts nothing.

/// The effective configuration.
///
///     let configuration = try Configuration.load(file: "apus.toml")
///     configuration[ServerKeys.maxConnections]            // 10000
///     configuration.origin(of: ServerKeys.maxConnections) // apus.toml:3
public struct Configuration: Sendable {
    /// What somebody set, by path. Listeners have their own.
    var settings: [String: Setting] = [:]
    /// As the file lists them.
    var writtenListeners: [WrittenListener] = []
    var overrides = Overrides()
    /// Where the listeners of `apus serve --relay` are, as its relatives write addresses.
    var relayPlaces: [RelayPlace: Setting] = [:]

    /// The option table's values.
    public init() {}

    public subscript<Content>(key: Key<Content>) -> Content { key.content(of: value(of: key.option)) }

    public func origin<Content>(of key: Key<Content>) -> Origin { setting(of: key.option).origin }

    public func value(of option: OptionRow) -> SettingValue { setting(of: option).value }

    /// With the table's value where nobody set one.
    public func setting(of option: OptionRow) -> Setting {
        settings[option.path] ?? Setting(value: option.standard, origin: .standard)
    }

    public func isSet(_ option: OptionRow) -> Bool { settings[option.path] != nil }

    /// Give an option a value, as an embedder does.
    /// - Throws: `ConfigurationError` when the value is none that the option can have.
    public mutating func set<Content>(
        _ key: Key<Content>, to value: SettingValue, origin: Origin = .flag(name: "set")
    ) throws(ConfigurationError) {
        try set(key.option, to: value, origin: origin)
    }

    mutating func set(
        _ option: OptionRow, to value: SettingValue, origin: Origin
    ) throws(ConfigurationError) {
        do throws(Unreadable) {
            settings[option.path] = Setting(value: try option.checked(value), origin: origin)
        } catch {
            throw ConfigurationError([Problem(.error, origin, option.path, error.reason)])
        }
    }
}

/// A `[[listener]]` as it was written.
struct WrittenListener: Sendable {
    /// By key: those of `ListenerKeys` and of the sections that it overrides.
    var settings: [String: Setting] = [:]
    let origin: Origin
}

/// Something wrong, or doubtful, with a configuration.
public struct Problem: Hashable, Sendable, CustomStringConvertible {
    public enum Severity: String, Sendable {
        /// Nothing is started.
        case error
        /// It works, and is probably not meant.
        case warning
    }

    public let severity: Severity
    public let origin: Origin
    /// What is wrong, by path; empty where the whole is meant.
    public let path: String
    /// What is wrong with it, and what to do.
    public let reason: String

    public init(_ severity: Severity, _ origin: Origin, _ path: String, _ reason: String) {
        self.severity = severity
        self.origin = origin
        self.path = path
        self.reason = reason
    }

    /// `apus.toml:12: server.shards: 1 to 256, found 0`
    public var description: String {
        let place = origin == .standard ? "" : "\(origin): "
        let mark = severity == .warning ? "warning: " : ""
        return place + mark + (path.isEmpty ? reason : "\(path): \(reason)")
    }
}

/// Every problem that makes a configuration unusable, in the order of the file.
public struct ConfigurationError: Error, CustomStringConvertible {
    public let problems: [Problem]

    public init(_ problems: [Problem]) { self.problems = problems }

    public var description: String { problems.map(\.description).joined(separator: "\n") }
}

extension [Problem] {
    /// Each once: file by line first, then environment, flags, and what has no place.
    var inOrder: [Problem] {
        var seen: Set<Problem> = []
        return filter { seen.insert($0).inserted }.enumerated().sorted { left, right in
            (left.element.origin.rank, left.offset) < (right.element.origin.rank, right.offset)
        }.map(\.element)
    }
}

extension Origin {
    /// Lines count far less than kinds of origin.
    fileprivate var rank: Int {
        switch self {
        case .file(_, let line): line ?? 0
        case .environment: 1 << 40
        case .flag: 1 << 41
        case .standard: 1 << 42
        }
    }
}
