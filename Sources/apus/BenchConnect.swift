// `apus bench connect`: connections, or logins at a relay, per second.

import ApusLoad
import ArgumentParser

struct BenchConnect: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "connect",
        abstract: "Connections that come, exchange one PING, and go.",
        discussion: """
            With --session relay each upgrades to WebSocket and logs in, as another peer every time. Exit code 1 when \
            one was refused or answered wrongly.

            Examples:

              apus bench connect --seconds 5 --concurrency 64 --server-pid $(pidof apus)
              apus bench connect --session relay --auth-secret-file secret --server-pid $(pidof apus)
            """
    )

    @OptionGroup var options: BenchOptions
    @OptionGroup var relay: RelayAccessOptions

    @Option(help: "What they speak: packet, or relay.")
    var session = SessionArgument.packet

    @Option(help: "How many seconds are measured.")
    var seconds = 5.0

    @Option(help: "Connections under way at a time.")
    var concurrency = 64

    @Flag(help: "TLS: go on from the session of an earlier connection, where there is one.")
    var resume = false

    @Option(help: "The server's process, for its processor time and memory.")
    var serverPid: Int32?

    func run() throws {
        let line = ProgressLine()
        let report = switch session {
        case .packet: try connect { line.show($0.text(counting: "connections")) }
        case .relay: try logIn { line.show($0.text(counting: "logins")) }
        }
        line.clear()
        try options.json ? Output.json(report) : print(report)
        try fail(for: report.errors)
    }

    private func connect(_ progress: (LoadProgress) -> Void) throws -> ConnectReport {
        try relay.refuse(for: session)
        var configuration = ConnectLoadConfiguration(address: try options.parsed { try .init(parsing: $0) })
        configuration.seconds = seconds
        configuration.concurrency = concurrency
        configuration.serverPID = serverPid
        configuration.resumes = resume
        guard !resume || options.security.kind == .tls else {
            throw Failure(.invalidConfiguration, "apus: --resume: only TLS has sessions to go on from; leave it out")
        }
        configuration.security = try options.clientSecurity()
        configuration.tier = try options.tier { try .fromEnvironment() }
        return try ConnectLoad.run(configuration, progress: progress)
    }

    private func logIn(_ progress: (LoadProgress) -> Void) throws -> ConnectReport {
        guard !resume else {
            throw Failure(.invalidConfiguration, "apus: --resume: not with --session relay; leave it out")
        }
        var configuration = RelayLoginConfiguration(access: try relay.access(options))
        configuration.seconds = seconds
        configuration.concurrency = concurrency
        configuration.serverPID = serverPid
        return try RelayLoginLoad.run(configuration, progress: progress)
    }

    private func print(_ report: ConnectReport) throws {
        try Output.line("\(report.address): \(report.concurrency) connections at a time")
        try Output.line(
            "\(session == .relay ? "logins  " : "connects")   \(report.connections) "
                + "in \(decimal(report.seconds, digits: 2)) s: \(compact(report.connectionsPerSecond))/s")
        if report.resumptionsOffered > 0 {
            try Output.line("resumed    \(report.resumed) of \(report.resumptionsOffered) sessions offered")
        }
        try Output.line(ReportText.latency(report.latency))
        try Output.line(ReportText.generator(report.generator))
        if let server = report.server {
            let what = session == .relay ? "login" : "connection"
            try Output.line(ReportText.server(server, per: what, server.cpuMicrosecondsPerConnection))
        }
    }

    private func fail(for errors: ConnectErrors) throws {
        guard errors.mismatched + errors.closed + errors.connect > 0 else { return }
        throw Failure(
            .runtimeFailure,
            "apus: \(errors.mismatched) replies were wrong, \(errors.closed) connections ended early, "
                + "\(errors.connect) were not made")
    }
}
