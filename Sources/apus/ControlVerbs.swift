// `apus reload`, `apus drain`, `apus log-level`: the changes that a running server is asked for.

import ApusLogging
import ArgumentParser
import Logging

struct Reload: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Let a running server read its configuration and certificates again.",
        discussion: """
            The server prepares the whole new state and swaps it, or refuses all of it and keeps the old. Prints what \
            was applied, what needs a restart, and what is unchanged. Exit code 3 when the configuration is refused.

            Example:

              apus reload --control unix:/run/apus/control.sock
            """
    )

    @OptionGroup var options: ControlOptions

    func run() throws { try options.post("/reload", kind: "reload", refusal: .invalidConfiguration) }
}

struct Drain: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Let a running server finish: no new connections, and peers leave when they are done.",
        discussion: """
            Returns as soon as the server has begun to drain. The server ends when nobody is left, or at its limit.

            Example:

              apus drain --within 2m --control unix:/run/apus/control.sock
            """
    )

    @Option(help: "Cut off whoever has not left after so long, to the second; the configured time without it.")
    var within: DurationArgument?

    @OptionGroup var options: ControlOptions

    func run() throws {
        // Rounded up: nobody is cut off before the time that was given.
        let limit = within.map { "?timeout=\(Int($0.duration.seconds.rounded(.up)))" } ?? ""
        try options.post("/drain\(limit)", kind: "drain")
    }
}

struct LogLevel: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Change what a running server logs.",
        discussion: """
            From now on and until it is changed again or the server ends: trace, debug, info, notice, warning, error \
            or critical.

            Example:

              apus log-level debug --control unix:/run/apus/control.sock
            """
    )

    @Argument(help: ArgumentHelp("The least severe level that is written.", valueName: "LEVEL"))
    var level: NewLogLevelArgument

    @OptionGroup var options: ControlOptions

    func run() throws { try options.post("/log-level?level=\(level.level)", kind: "log-level") }
}

struct NewLogLevelArgument: ExpressibleByArgument, Sendable {
    let level: Logger.Level

    init?(argument: String) {
        guard let level = Logger.Level(name: argument) else { return nil }
        self.level = level
    }

    static var allValueStrings: [String] { Logger.Level.allCases.map(\.rawValue) }
}
