// One value of one option, and where it came from. It knows neither which option nor what it is good for.

/// What an option may be set to.
public enum SettingValue: Hashable, Sendable {
    /// Nothing: the option has no value of its own accord.
    case none
    /// What can be switched off is.
    case off
    /// A number that is found out when it is needed.
    case auto
    case flag(Bool)
    case integer(Int)
    case duration(Duration)
    case byteCount(Int)
    case text(String)
    case texts([String])
}

/// Where a value came from.
public enum Origin: Hashable, Sendable {
    /// The option table.
    case standard
    /// - line: from 1; nil where the file as a whole is meant.
    case file(path: String, line: Int?)
    case environment(name: String)
    case flag(name: String)
}

extension Origin: CustomStringConvertible {
    /// `apus.toml:12`, `APUS_SERVER_SHARDS`, `--shards`, `default`.
    public var description: String {
        switch self {
        case .standard: "default"
        case .file(let path, let line): line.map { "\(path):\($0)" } ?? path
        case .environment(let name), .flag(let name): name
        }
    }
}

public struct Setting: Hashable, Sendable {
    public let value: SettingValue
    public let origin: Origin
}
