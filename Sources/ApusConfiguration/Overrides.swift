// What flags say: the last word on single options. It checks nothing that the flag's own type has checked.

public struct Overrides: Sendable {
    struct Entry: Sendable {
        let option: OptionRow
        let value: SettingValue
        let flag: String
    }

    private(set) var entries: [Entry] = []
    /// Where packet listeners listen, in their order; where there are none, those that speak relay. More than there are
    /// add listeners; those beyond are left out.
    public var addresses: [String] = []
    /// For the same listeners, every one.
    public var security: String?
    /// Nil: not `apus serve --relay`.
    public var relay: RelayMode?

    public init() {}

    /// - Parameter flag: as it was given; nil: the option's own.
    public mutating func set<Content>(_ key: Key<Content>, to value: SettingValue, flag: String? = nil) {
        let name = flag ?? key.option.flag ?? key.option.path
        entries.append(Entry(option: key.option, value: value, flag: name))
    }
}

extension Configuration {
    /// A flag for what a listener may override holds for every listener.
    mutating func apply(_ overrides: Overrides) -> [Problem] {
        self.overrides = overrides
        var problems = overrides.relay.map { apply($0) } ?? []
        for entry in overrides.entries {
            do throws(ConfigurationError) {
                try set(entry.option, to: entry.value, origin: .flag(name: entry.flag))
            } catch {
                problems += error.problems
            }
            guard entry.option.isListenerOverridable else { continue }
            for index in writtenListeners.indices { writtenListeners[index].settings[entry.option.name] = nil }
        }
        return problems
    }
}
