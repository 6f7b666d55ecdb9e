// `apus doctor`: is this host fit for what the server is to do, and if not, how is it mended. The checks are values of
// ApusOperations; here they are asked for and printed.

import ApusOperations
import ArgumentParser
import Foundation

struct Doctor: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say what is wrong with this host, and the exact fix.",
        discussion: """
            Looks at the kernel and its io_uring, limits, network settings, processors and memory, the clock and \
            certificates, and changes nothing. They are held against what the configuration asks for. Each line is a \
            check: ok, warning, failure, or unknown where it could not be looked at; below it stands what mends it.

            Exit code 5 when a check failed, with --strict also after a warning.

            Examples:

              apus doctor
              apus doctor --config /etc/apus/apus.toml --strict
            """
    )

    @OptionGroup var arguments: ConfigurationArguments

    @Flag(help: "Warnings count as failures.")
    var strict = false

    @Flag(help: "Print one JSON object instead.")
    var json = false

    private struct Report: Encodable {
        let kind = "doctor"
        let fit: Bool
        let checks: [Finding]
    }

    func run() throws {
        let findings = try DoctorSubject.read(arguments.sources()).examine()
        let isFit = findings.areFit(strictly: strict)
        if json {
            try Output.json(Report(fit: isFit, checks: findings))
        } else {
            let text = FindingText(findings, isColoured: Output.isColoured)
            try Output.line(text.lines.joined(separator: "\n"))
        }
        guard !isFit else { return }
        throw Failure(.hostNotFit, "apus: this host is not fit: \(blamed(findings).joined(separator: ", "))")
    }

    private func blamed(_ findings: [Finding]) -> [String] {
        findings.filter { ![$0].areFit(strictly: strict) }.map(\.name)
    }
}

extension Output {
    /// Colours are for a terminal whose user did not ask to be spared them (no-color.org).
    static var isColoured: Bool {
        let environment = ProcessInfo.processInfo.environment
        return isTerminal && (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
    }
}
