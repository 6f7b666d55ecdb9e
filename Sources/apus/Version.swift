// `apus version`.

import ArgumentParser

struct Version: ParsableCommand {
    static let number = "0.1.0"

    static let configuration = CommandConfiguration(
        abstract: "Print the version.",
        discussion: """
            Example:

              apus version --json
            """
    )

    @Flag(help: "Print a JSON object.")
    var json = false

    private struct Report: Encodable {
        let version: String
    }

    func run() throws {
        if json { try Output.json(Report(version: Version.number)) } else { try Output.line("apus \(Version.number)") }
    }
}
