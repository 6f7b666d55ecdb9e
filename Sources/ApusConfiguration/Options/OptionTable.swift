// The option table: parser, environment, flags, documents, reload report all read it, and nothing else knows a key.

public enum OptionTable {
    /// Every option, in the order of the documents.
    public static let all: [OptionRow] =
        ListenerKeys.own + ServerKeys.all + ClientKeys.all + TransportKeys.all + TLSKeys.all
        + HandshakeKeys.all + RelayKeys.all + AdminKeys.all + LoggingKeys.all + MetricsKeys.all

    /// By path: `server.shards`.
    static let byPath = Dictionary(uniqueKeysWithValues: all.map { ($0.path, $0) })

    public static func options(of section: Section) -> [OptionRow] { all.filter { $0.section == section } }

    /// What a `[[listener]]` may hold, by key.
    static let listenerKeys = Dictionary(
        uniqueKeysWithValues: (ListenerKeys.own + all.filter(\.isListenerOverridable)).map { ($0.name, $0) })

    /// Which option a variable sets, and how strong its name is among those that set the same.
    static let environmentNames: [String: [(option: OptionRow, rank: Int)]] = {
        var names: [String: [(OptionRow, Int)]] = [:]
        for option in all {
            for (rank, name) in option.environment.enumerated() { names[name, default: []].append((option, rank)) }
        }
        return names
    }()
}
