// The part of the documents about `apus serve --relay`, from the table of the relatives' flags.

enum RelativeDocumentation {
    static var markdown: String {
        let rows = RelativeOption.all.map { option in "| \(cells(of: option).joined(separator: " | ")) |" }
        let table = ["| Flag | Variables | Default | Here |", "|---|---|---|---|"] + rows
        return "\(introduction)\n\n\(table.joined(separator: "\n"))"
    }

    private static func cells(of option: RelativeOption) -> [String] {
        let short = option.short.map { "`-\($0)`, " } ?? ""
        let variables = option.variables.map { "`\($0)`" }.joined(separator: ", ")
        return [
            option.isVariableAlone ? "none" : "\(short)`\(option.flag)`", variables,
            option.standard.isEmpty ? "none" : "`\(option.standard)`", meaning(of: option),
        ]
    }

    private static func meaning(of option: RelativeOption) -> String {
        switch option.meaning {
        case .place(.relay):
            "the relay's listener, named relay; without a host, with 0.0.0.0 or [::] it is every interface"
        case .place(let place), .port(let place):
            "a listener named \(place.rawValue), protocol admin, that answers \(place.rawValue) alone"
        case .key(let row): "`\(row.path)`"
        case .logLevel: "`logging.log_level`; panic and fatal are critical"
        case .logFile: "`console`, or `logging.log_file_path` alone"
        case .livenessFactor: "`relay.liveness_timeout`, in units of 45s"
        case .refused(let fix): "refused: \(fix)"
        case .idle(let other): "a warning: of no effect without \(other)"
        }
    }

    private static let introduction = """
        ## `apus serve --relay`

        Takes the place of the relays of NetBird and openZro: their flags, their variables and their defaults, and
        clients that notice nothing. `--flag VALUE`, `--flag=VALUE`, `-l VALUE` and `-lVALUE` are the same, and a flag
        that is true or false may stand alone. Everything else on this page can be set too, by `--config`, by
        `APUS_…` or by its flag; the order is: this mode's defaults, the file, `NB_…` and `OZ_…`, `APUS_…`, flags. Two
        variables of one name that differ are an error. Without `--relay` none of these variables is read.

        In this mode `server.max_connections` is 65536, and `server.max_connections_per_address` and
        `server.max_connection_rate_per_address` are `"off"` unless somebody says otherwise: the relatives have no such
        limits, and where all clients come through one proxy they would shut them out. `server.drain_window` is 5s, so
        that clients are told to leave one after the other, and all of them within the 10 seconds that Docker waits for
        a container to stop. No packet listener is added. A flag with nothing behind its `=` is not given.
        """
}
