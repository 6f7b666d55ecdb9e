// What a reload changes, key by key, computed from the option table. It reloads nothing.

public struct ReloadReport: Sendable {
    public enum Outcome: String, CaseIterable, Sendable {
        case unchanged
        /// For everybody.
        case applied
        /// For what begins from now on.
        case appliedToNewConnections = "applied to new connections"
        case needsRestart = "needs restart"
    }

    public struct Entry: Sendable {
        /// `server.shards`, or `listener.edge.address`; `listener.edge` where it comes or goes as a whole.
        public let path: String
        public let outcome: Outcome
        /// As TOML; secrets are `"***"`.
        public let before: String
        public let after: String
    }

    /// Every key, in the order of the documents.
    public let entries: [Entry]

    public var changed: [Entry] { entries.filter { $0.outcome != .unchanged } }
    public var needsRestart: [Entry] { entries.filter { $0.outcome == .needsRestart } }

    /// - Parameters:
    ///   - started: what the process began with. Keys that need a restart are compared with it: they wait until it is
    ///     started anew or the old value comes back, however many reloads there are between. Nil: with `old`.
    ///   - needingRestart: names of keys that the server could not take over beyond what the table says, since it
    ///     depends on how it was started.
    public init(
        from old: Configuration, to new: Configuration, startedWith started: Configuration? = nil,
        needingRestart: Set<String> = []
    ) {
        let options = OptionTable.all.filter { $0.section != .listener }
        entries = options.map { option in
            let waits = option.reload == .restart || option.isServers && needingRestart.contains(option.name)
            let before = waits ? started ?? old : old
            let entry = Entry(option, option.path, before.value(of: option), new.value(of: option))
            return waits ? entry.waiting : entry
        } + ReloadReport.listenerEntries(old.listeners, new.listeners)
    }

    private static func listenerEntries(_ old: [Listener], _ new: [Listener]) -> [Entry] {
        let removed = old.filter { listener in !new.contains { $0.name == listener.name } }
        let rest = new.flatMap { listener in
            guard let before = old.first(where: { $0.name == listener.name }) else {
                let path = "listener.\(listener.name)"
                return [Entry(path: path, outcome: .applied, before: "", after: listener.address)]
            }
            return differences(before, listener)
        }
        return removed.map {
            Entry(path: "listener.\($0.name)", outcome: .applied, before: $0.address, after: "")
        } + rest
    }

    private static func differences(_ old: Listener, _ new: Listener) -> [Entry] {
        let options = ListenerKeys.own + OptionTable.all.filter { $0.isListenerOverridable && isOwn($0, old, new) }
        return options.map { option in
            Entry(option, "listener.\(new.name).\(option.name)", effective(option, of: old), effective(option, of: new))
        }
    }

    private static func isOwn(_ option: OptionRow, _ old: Listener, _ new: Listener) -> Bool {
        old.isOwn(option) || new.isOwn(option)
    }

    private static func effective(_ option: OptionRow, of listener: Listener) -> SettingValue {
        let isSecurity = option.path == ListenerKeys.security.option.path
        return isSecurity ? .text(listener.security.rawValue) : listener.setting(of: option).value
    }
}

extension ReloadReport.Entry {
    init(_ option: OptionRow, _ path: String, _ old: SettingValue, _ new: SettingValue) {
        self.init(
            path: path, outcome: old == new ? .unchanged : option.reload.outcome, before: option.shown(old),
            after: option.shown(new))
    }
}

extension ReloadReport.Entry {
    /// The same, for a server that has to start anew.
    fileprivate var waiting: Self {
        Self(path: path, outcome: outcome == .unchanged ? .unchanged : .needsRestart, before: before, after: after)
    }
}

extension OptionRow {
    /// Of the sections whose keys the server knows by name.
    fileprivate var isServers: Bool { section == .server || section == .transport || section == .relay }
}

extension ReloadClass {
    fileprivate var outcome: ReloadReport.Outcome {
        switch self {
        case .live: .applied
        case .newConnections: .appliedToNewConnections
        case .restart: .needsRestart
        // The server has no use for it, and the next run of a verb reads it.
        case .eachRun: .applied
        }
    }
}

extension ReloadReport: CustomStringConvertible {
    /// One line for each key that changed; `nothing changed` without any.
    public var description: String {
        guard !changed.isEmpty else { return "nothing changed" }
        return changed.map { entry in
            let values = [entry.before, entry.after].map { $0.isEmpty ? "none" : $0 }.joined(separator: " → ")
            return "\(entry.path): \(values) (\(entry.outcome.rawValue))"
        }.joined(separator: "\n")
    }
}
