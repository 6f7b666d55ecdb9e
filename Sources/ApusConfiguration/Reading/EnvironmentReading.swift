// The environment's settings. Names that are nearly ours are warnings only: orchestrators put such variables there.

extension Configuration {
    private static let prefixes = ["APUS_", "NETWORK_PROTOCOL_"]
    /// What else of ours is in an environment.
    private static let others: Set = ["APUS_CONFIG", "APUS_RING_TIER"]

    /// Take the environment over. An empty variable counts as unset, as deployments write it.
    mutating func read(_ environment: [String: String]) -> [Problem] {
        var problems: [Problem] = []
        var ranks: [String: Int] = [:]
        for (name, text) in environment.sorted(by: { $0.key < $1.key }) where !text.isEmpty {
            guard Configuration.prefixes.contains(where: name.hasPrefix), !Configuration.others.contains(name) else {
                continue
            }
            guard let targets = OptionTable.environmentNames[name] else {
                problems += unknown(name)
                continue
            }
            for (option, rank) in targets where rank >= ranks[option.path, default: 0] {
                ranks[option.path] = rank
                problems += read(text, from: name, as: option)
            }
        }
        return problems
    }

    private mutating func read(_ text: String, from name: String, as option: OptionRow) -> [Problem] {
        let origin = Origin.environment(name: name)
        do throws(Unreadable) {
            settings[option.path] = Setting(value: try option.read(text), origin: origin)
            return []
        } catch {
            return [Problem(.error, origin, option.path, error.reason)]
        }
    }

    /// Kubernetes names variables after services: one called `apus-server` brings APUS_SERVER_PORT and six more.
    private func unknown(_ name: String) -> [Problem] {
        let sections = Section.allCases.filter { $0 != .listener }.map { $0.rawValue.uppercased() + "_" }
        let rest = Configuration.prefixes.first(where: name.hasPrefix).map { name.dropFirst($0.count) } ?? ""
        guard sections.contains(where: rest.hasPrefix) else { return [] }
        let near = Suggestion.nearest(to: name, among: Array(OptionTable.environmentNames.keys))
        let hint = near.map { ": did you mean \($0)?" } ?? ": it sets nothing"
        return [Problem(.warning, .environment(name: name), "", "no option has this variable\(hint)")]
    }
}
