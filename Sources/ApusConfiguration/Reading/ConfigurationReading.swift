// From a file, the environment and flags to a configuration, with everything that is wrong on the way.

import Foundation

/// Where a configuration comes from; kept, a reload reads the same again.
public struct ConfigurationSources: Sendable {
    /// Nil: no file.
    public var file: String?
    public var environment: [String: String]
    public var overrides: Overrides

    /// - Parameter environment: names and values, as the process has them.
    public init(file: String? = nil, environment: [String: String] = [:], overrides: Overrides = Overrides()) {
        self.file = file
        self.environment = environment
        self.overrides = overrides
    }

    /// Everything that can be read, and everything that is wrong: mistakes of single values and those between values.
    public func read() -> (configuration: Configuration, problems: [Problem]) {
        var configuration = Configuration()
        var problems: [Problem] = []
        if overrides.relay != nil { configuration.takeRelayDefaults() }
        if let file {
            do throws(ConfigurationError) {
                problems = try configuration.read(try ConfigurationSources.text(of: file), from: file)
                problems += configuration.openSecrets(in: file)
            } catch {
                // What follows would only repeat what one slip has caused.
                return (configuration, error.problems)
            }
        }
        if overrides.relay != nil { problems += configuration.readRelatives(environment) }
        problems += configuration.read(environment)
        problems += configuration.apply(overrides)
        problems += configuration.validate()
        return (configuration, problems.inOrder)
    }

    /// - Throws: `ConfigurationError` with every error, and with `strict` every warning too.
    public func load(strict: Bool = false) throws(ConfigurationError) -> Configuration {
        let (configuration, problems) = read()
        let fatal = problems.filter { strict || $0.severity == .error }
        guard fatal.isEmpty else { throw ConfigurationError(fatal) }
        return configuration
    }

    private static func text(of path: String) throws(ConfigurationError) -> String {
        let bytes: Data
        do {
            bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        } catch {
            throw unreadable(path, "cannot be read: is it there, and may you read it?")
        }
        guard bytes.count <= TOMLNode.byteCountMax else {
            throw unreadable(path, "at most \(TOMLNode.byteCountMax) bytes, found \(bytes.count)")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw unreadable(path, "is no UTF-8 text, which TOML is")
        }
        return text
    }

    private static func unreadable(_ path: String, _ reason: String) -> ConfigurationError {
        ConfigurationError([Problem(.error, .file(path: path, line: nil), "", reason)])
    }
}

extension Configuration {
    public static func load(
        file: String?, environment: [String: String] = [:], overrides: Overrides = Overrides(), strict: Bool = false
    ) throws(ConfigurationError) -> Configuration {
        try ConfigurationSources(file: file, environment: environment, overrides: overrides).load(strict: strict)
    }

    /// Take a file's settings over.
    /// - Returns: a problem for each value that cannot be taken.
    /// - Throws: the one problem of a text that is no TOML.
    mutating func read(_ text: String, from path: String) throws(ConfigurationError) -> [Problem] {
        let lines = TOMLLines(of: text)
        let root: [String: TOMLNode]
        do throws(TOMLSyntaxError) {
            root = try TOMLNode.parse(text, lines)
        } catch {
            let origin = Origin.file(path: path, line: error.line)
            throw ConfigurationError([Problem(.error, origin, "", "not TOML: \(error.reason)")])
        }
        var reader = FileReader(path: path, lines: lines)
        reader.read(root)
        settings.merge(reader.settings) { $1 }
        writtenListeners = reader.listeners
        return reader.problems
    }
}

extension Configuration {
    /// A secret in a file that others may read is none.
    fileprivate func openSecrets(in path: String) -> [Problem] {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & 0o077 != 0 else { return [] }
        let own = OptionTable.all.filter { $0.isSecret && isSet($0) }.map { ($0, setting(of: $0).origin) }
        let listeners = writtenListeners.flatMap { listener in
            OptionTable.all.filter(\.isSecret).compactMap { option in
                listener.settings[option.name].map { (option, $0.origin) }
            }
        }
        return (own + listeners).map { option, origin in
            let reason = "others may read this file, and with it the secret: chmod 600 \(path)"
            return Problem(.warning, origin, option.path, reason)
        }
    }
}

/// One file's tables, key by key.
private struct FileReader {
    let path: String
    let lines: TOMLLines
    var settings: [String: Setting] = [:]
    var listeners: [WrittenListener] = []
    var problems: [Problem] = []

    init(path: String, lines: TOMLLines) {
        self.path = path
        self.lines = lines
        problems = lines.zeros.map {
            Problem(.error, .file(path: path, line: $0), "", "a string with a zero byte in it: leave it out")
        }
    }

    private func origin(_ path: [TOMLStep]) -> Origin { .file(path: self.path, line: lines.line(of: path)) }

    private mutating func complain(_ path: [TOMLStep], _ name: String, _ reason: String) {
        problems.append(Problem(.error, origin(path), name, reason))
    }

    mutating func read(_ root: [String: TOMLNode]) {
        for (name, node) in root.sorted(by: { $0.key < $1.key }) {
            guard let section = Section(rawValue: name) else {
                complain([.key(name)], name, unknownSection(name))
                continue
            }
            switch (section, node) {
            case (.listener, .array(let nodes)): readListeners(nodes)
            case (.listener, _): complain([.key(name)], name, "write [[listener]], once for each")
            case (_, .table(let entries)): readSection(section, entries)
            default: complain([.key(name)], name, "a table, found \(node.kindName): write [\(name)]")
            }
        }
    }

    private mutating func readSection(_ section: Section, _ entries: [String: TOMLNode]) {
        for (name, node) in entries.sorted(by: { $0.key < $1.key }) {
            let steps: [TOMLStep] = [.key(section.rawValue), .key(name)]
            guard let option = OptionTable.byPath["\(section.rawValue).\(name)"] else {
                complain(steps, "\(section.rawValue).\(name)", KeyHint.unknown(name, in: section))
                continue
            }
            if let setting = read(node, as: option, at: steps, named: option.path) { settings[option.path] = setting }
        }
    }

    private mutating func readListeners(_ nodes: [TOMLNode]) {
        for (index, node) in nodes.enumerated() {
            let steps: [TOMLStep] = [.key(Section.listener.rawValue), .index(index)]
            guard case .table(let entries) = node else {
                complain(steps, "listener", "a table, found \(node.kindName)")
                continue
            }
            listeners.append(readListener(entries, at: steps))
        }
    }

    private mutating func readListener(_ entries: [String: TOMLNode], at steps: [TOMLStep]) -> WrittenListener {
        var listener = WrittenListener(origin: origin(steps))
        for (name, node) in entries.sorted(by: { $0.key < $1.key }) {
            let steps = steps + [.key(name)]
            guard let option = OptionTable.listenerKeys[name] else {
                complain(steps, "listener.\(name)", KeyHint.unknown(name, in: .listener))
                continue
            }
            listener.settings[name] = read(node, as: option, at: steps, named: "listener.\(name)")
        }
        return listener
    }

    /// Nil when the value cannot be taken.
    private mutating func read(
        _ node: TOMLNode, as option: OptionRow, at steps: [TOMLStep], named name: String
    ) -> Setting? {
        do throws(Unreadable) {
            return Setting(value: try option.read(node), origin: origin(steps))
        } catch {
            complain(steps, name, KeyHint.reserved(node, option) ?? error.reason)
            return nil
        }
    }

    private func unknownSection(_ name: String) -> String {
        let names = Section.allCases.map(\.rawValue)
        if let near = Suggestion.nearest(to: name, among: names) { return "no such section: did you mean [\(near)]?" }
        let owners = OptionTable.all.filter { $0.name == name && $0.section != .listener }.map(\.path)
        if let owner = owners.first { return "no such section: did you mean \(owner)?" }
        return "no such section: there are \(names.joined(separator: ", "))"
    }
}

/// What was probably meant by a key that is none.
enum KeyHint {
    /// Names that other programs have for the same.
    private static let synonyms = [
        "pins": "pinned_sha256 (TLS) or pinned_keys (handshake)", "pin": "pinned_sha256 or pinned_keys",
        "cert": "certificate", "certificate_file": "certificate", "key_file": "key", "ca_file": "ca",
        "min_version": "minimum_version", "level": "log_level", "file": "log_file_path", "format": "json_format",
        "listen": "address", "bind": "address", "threads": "shards", "workers": "shards",
    ]

    static func unknown(_ name: String, in section: Section) -> String {
        let keys = section == .listener ? Array(OptionTable.listenerKeys.keys)
            : OptionTable.options(of: section).map(\.name)
        if let near = Suggestion.nearest(to: name, among: keys) { return "no such key: did you mean \(near)?" }
        if let other = OptionTable.all.first(where: { $0.name == name && $0.section != .listener }) {
            return "no such key here: did you mean \(other.path), in the section [\(other.section.rawValue)]?"
        }
        if let synonym = synonyms[name] { return "no such key: did you mean \(synonym)?" }
        return "no such key: see apus config docs"
    }

    /// A protocol that is known and not spoken yet.
    static func reserved(_ node: TOMLNode, _ option: OptionRow) -> String? {
        guard option.path == ListenerKeys.protocol.option.path, case .text(let text) = node,
            ListenerKeys.reservedProtocols.contains(text)
        else { return nil }
        return "\(text) is not in this version: it is reserved; use packet, relay or admin"
    }
}
