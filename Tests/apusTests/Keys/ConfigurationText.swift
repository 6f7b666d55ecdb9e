// A configuration file in the making: keys with their TOML, written out as the sections they belong to.

struct ConfigurationText: Sendable {
    private var settings: [(path: String, toml: String)] = []
    /// Besides the listener that the keys of `listener` describe, one for admin, named watch.
    var isWatched = false

    /// - Parameter toml: empty: leave the key out.
    mutating func set(_ path: String, _ toml: String) {
        settings.removeAll { $0.path == path }
        if !toml.isEmpty { settings.append((path, toml)) }
    }

    var text: String {
        let sections = Dictionary(grouping: settings) { $0.path.prefix { $0 != "." } }
        let tables = sections.sorted { $0.key < $1.key }.map { section, settings in
            let lines = settings.map { "\($0.path.dropFirst(section.count + 1)) = \($0.toml)" }
            return (["\(section == "listener" ? "[[listener]]" : "[\(section)]")"] + lines).joined(separator: "\n")
        }
        let watch = "[[listener]]\nname = 'watch'\nprotocol = 'admin'\naddress = '127.0.0.1:0'"
        return (tables + (isWatched ? [watch] : [])).joined(separator: "\n\n") + "\n"
    }
}
