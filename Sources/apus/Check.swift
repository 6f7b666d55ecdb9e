// `apus check`: would this configuration serve, here and now? It starts nothing and changes nothing.

import ApusConfiguration
import ApusServer
import ArgumentParser

struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Try a configuration without starting a server.",
        discussion: """
            Reads what apus serve would read with the same flags; looks at certificates, keys and secrets; binds each \
            address for a moment; and adds up memory and open files. A port that a running apus holds is told and is \
            no error, so a file can be checked before a reload.

            Exit code 3 when something is wrong, 4 when only an address cannot be bound. With --strict a warning is \
            wrong too.

            Examples:

              apus check --config /etc/apus/apus.toml
              apus check --config apus.toml --strict --json
            """
    )

    @Flag(help: "Take warnings for errors.")
    var strict = false

    @Flag(help: "Print one JSON object instead.")
    var json = false

    @OptionGroup var arguments: ConfigurationArguments
    @OptionGroup var flags: ServeFlags

    func run() throws {
        let sources = arguments.sources(flags.overrides)
        let (configuration, problems) = sources.read()
        try flags.security.refuseForeignFlags(for: configuration.listeners)
        var report = CheckReport(file: sources.file, problems: problems)
        if report.errors.isEmpty { examine(configuration, &report) }
        try json ? Output.json(report) : print(report)
        try leave(report)
    }

    /// What only files, addresses and the host can tell.
    private func examine(_ configuration: Configuration, _ report: inout CheckReport) {
        report.digest = configuration.digest
        report.settings = configuration.shown
        do throws(ConfigurationError) {
            let server = try serverConfiguration(from: configuration)
            let limits = LimitSums(server)
            report.limits = limits
            report.problems += limits.problems
            report.problems += CertificateCheck.problems(of: server, configuration, at: Certs.now)
        } catch {
            report.problems += error.problems
        }
        report.addresses = configuration.listeners.map(AddressCheck.init(of:))
    }

    private func print(_ report: CheckReport) throws {
        report.problems.forEach { Output.complain("apus: \($0)") }
        report.addresses.filter(\.isUnusable).forEach { Output.complain("apus: \($0.sentence)") }
        guard report.digest != nil else { return }
        try Output.line(report.text(strict: strict))
    }

    private func leave(_ report: CheckReport) throws {
        let fatal = strict ? report.problems : report.errors
        if !fatal.isEmpty { throw Failure(.invalidConfiguration, "apus: \(report.verdict)") }
        if report.addresses.contains(where: \.isUnusable) { throw Failure(.cannotBind, "apus: \(report.verdict)") }
    }
}
