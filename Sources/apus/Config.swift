// `apus config`: what can be configured, and what is.

import ApusConfiguration
import ArgumentParser

struct Config: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print a default file, the documentation, or what is configured.",
        discussion: """
            Examples:

              apus config default > apus.toml
              apus config show --config apus.toml --origin
            """,
        subcommands: [ConfigDefault.self, ConfigDocs.self, ConfigShow.self]
    )
}

struct ConfigDefault: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "default",
        abstract: "Print a file with every option and its default, commented out.",
        discussion: """
            Example:

              apus config default > apus.toml
            """
    )

    func run() throws { try Output.bytes(Array(DefaultFile.text.utf8)) }
}

struct ConfigDocs: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "docs",
        abstract: "Print the documentation of every option, in Markdown.",
        discussion: """
            Example:

              apus config docs | less
            """
    )

    func run() throws { try Output.bytes(Array(Documentation.markdown.utf8)) }
}

struct ConfigShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Print the effective configuration; secrets are masked.",
        discussion: """
            Reads what apus serve would read with the same flags. Exit code 3 when it is invalid.

            Examples:

              apus config show --config apus.toml --origin
              APUS_SERVER_SHARDS=2 apus config show --origin --json
            """
    )

    @Flag(help: "Say where each value came from: a file's line, a variable, a flag, or the defaults.")
    var origin = false

    @Flag(help: "Print one JSON object instead.")
    var json = false

    @OptionGroup var arguments: ConfigurationArguments
    @OptionGroup var flags: ServeFlags

    private struct Report: Encodable {
        let kind = "config"
        let digest: String
        let settings: [ShownSetting]
    }

    func run() throws {
        let (configuration, problems) = arguments.sources(flags.overrides).read()
        let errors = problems.filter { $0.severity == .error }
        guard errors.isEmpty else { throw ConfigurationError(errors) }
        let settings = configuration.shown
        guard !json else { return try Output.json(Report(digest: configuration.digest, settings: settings)) }
        try Output.line(settings.map(line).joined(separator: "\n"))
    }

    private func line(_ setting: ShownSetting) -> String {
        let value = "\(setting.path) = \(setting.value.isEmpty ? "none" : setting.value)"
        return origin ? "\(value)  # \(setting.origin)" : value
    }
}
