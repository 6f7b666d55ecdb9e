// The page that `apus config docs` prints; docs/configuration.md is it, and a test keeps them equal.

public enum Documentation {
    public static var markdown: String {
        let chapters = [introduction] + Section.allCases.map(section) + [RelativeDocumentation.markdown, inheritance]
        return chapters.joined(separator: "\n\n") + "\n"
    }

    private static let introduction = """
        # Configuration

        This page is printed by `apus config docs` from the option table; the parser, the environment, the flags and
        the reload report read the same table.

        The flag `--config` names the file, for `serve`, `check`, `config show`, `ping`, `echo` and `send`.
        `apus config show` prints what is effective, with `--origin` where each value came from. `apus check` ends
        with exit code 3 when something is wrong; with `--strict` a warning is wrong too.

        A value comes from the defaults, then the file (`apus serve --config FILE`, or the variable `APUS_CONFIG`),
        then the environment, then flags; the last one counts, and `apus config show --origin` says which that was.
        `apus config default` prints a file with every option, `apus check` tries a configuration without starting
        anything.

        - **Unknown keys are errors**, with a suggestion. A file that is no TOML is one error; otherwise all errors
          are told at once, each with its file and line, and the exit code is 3.
        - **Durations** are `"250ms"`, `"5s"`, `"2m"`, `"1h"`, or a bare number of milliseconds. **Sizes** are bytes,
          or `"64KiB"`, `"16MiB"`, `"1GiB"`.
        - **The environment**: `APUS_SECTION_KEY`, such as `APUS_SERVER_MAX_CONNECTIONS=5000`; for `server`, `client`,
          `transport` and `logging` also `NETWORK_PROTOCOL_SECTION_KEY`, which `APUS_…` beats. Lists stand between
          commas. An empty variable counts as unset. Listeners cannot be set this way. A variable that begins like an
          option and is none is a warning.
        - **Reload** says when a change takes effect: *live* at once, *new connections* for what begins afterwards,
          *restart* at the next start. A reload takes everything over or refuses everything.
        - **Secrets** are never shown: `apus config show` prints `***`, and the digest of `apus check` knows only
          whether there is one.
        """

    private static func section(_ section: Section) -> String {
        let options = section == .listener ? ListenerKeys.own : OptionTable.options(of: section)
        let title = section == .listener ? "## `[[listener]]`" : "## `[\(section.rawValue)]`"
        let table = ["| Key | Value | Default | Reload | Meaning |", "|---|---|---|---|---|"] + options.map(row)
        return "\(title)\n\n\(code(section.summary))\n\n\(table.joined(separator: "\n"))"
    }

    private static func row(_ option: OptionRow) -> String {
        var meaning = code(option.summary)
        if let flag = option.flag { meaning += " Flag: `\(flag)`." }
        if !option.earlierEnvironment.isEmpty {
            meaning += " Also `\(option.earlierEnvironment.joined(separator: "`, `"))`."
        }
        if option.isSecret { meaning += " A secret." }
        let standard = option.standard == .none ? "none" : "`\(option.standard.toml)`"
        let cells = ["`\(option.name)`", code(option.kind.shape), standard, option.reload.rawValue, meaning]
        return "| \(cells.joined(separator: " | ")) |"
    }

    /// A pipe would end the cell, and angle brackets would be a tag.
    private static func code(_ text: String) -> String {
        text.replacing("|", with: "\\|").replacing("[[listener]]", with: "`[[listener]]`")
    }

    private static let inheritance = """
        ## Files of NPRO's first implementation

        A file with only `[server]`, `[client]`, `[transport]` and `[logging]`, whole or in part, is valid: one packet
        listener at `server.address`. Its variables are honoured: `NETWORK_PROTOCOL_SERVER_ADDRESS`,
        `NETWORK_PROTOCOL_BACKPRESSURE_LIMIT`, `NETWORK_PROTOCOL_CONNECTION_TIMEOUT_MS` (server and client),
        `NETWORK_PROTOCOL_HEARTBEAT_INTERVAL_MS`. What differs:

        - Every key has an effect. `connection_timeout` is for the first byte and for a write that stands still, never
          for a quiet connection; `backpressure_limit` counts asynchronous messages; `encryption_enabled` is `security
          = "handshake"`.
        - What a file leaves out has the default of this page, which is not always theirs: 10000 connections and not
          1000, compression level 3 and not 6.
        - `max_payload_size` ends at 16 MiB, where the protocol ends. `compression_level` above 19 counts as 19,
          `backpressure_limit` above 4096 as 4096; both are warnings.
        - An address to listen at is numeric; an address to connect to may be a name.

        ## Example

        ```toml
        [[listener]]
        name = "edge"
        address = "[::]:9000"
        security = "handshake"
        psk_file = "/etc/apus/psk"

        [[listener]]
        name = "local"
        address = "unix:/run/apus/edge.sock"
        security = "none"

        [[listener]]
        name = "partners"
        address = "[::]:9443"
        security = "tls"
        verify_client = "required"

        [tls]
        certificate = "/etc/apus/edge.pem"
        key = "/etc/apus/edge.key"
        ca = "/etc/apus/partners-ca.pem"

        [server]
        max_connections = 50000
        idle_timeout = "10m"

        [admin]
        enabled = true
        ```
        """
}
