// `apus bench idle`: what a connection costs that does nothing.

import ApusLoad
import ArgumentParser

struct BenchIdle: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "idle",
        abstract: "The server's memory per idle connection.",
        discussion: """
            Reads the server's memory with --baseline connections and again with --connections, each after one \
            exchange; the difference, divided, is the memory of one. What the kernel keeps for the sockets is that of \
            this host's, both ends of each where the server is on it too. Exit code 1 when a connection did not last.

            Examples:

              apus bench idle --connections 10000 --server-pid $(pidof apus)
              apus bench idle --session relay --auth-secret-file secret --server-pid $(pidof apus)
            """
    )

    @OptionGroup var options: BenchOptions
    @OptionGroup var relay: RelayAccessOptions

    @Option(help: "What they speak: packet, or relay.")
    var session = SessionArgument.packet

    @Option(help: "Connections at the second reading.")
    var connections = 10_000

    @Option(help: "Connections at the first reading.")
    var baseline = 200

    @Option(help: "The server's process.")
    var serverPid: Int32

    func run() throws {
        var configuration = IdleLoadConfiguration(
            address: try options.parsed { try .init(parsing: $0) }, serverPID: serverPid)
        configuration.connections = connections
        configuration.baseline = baseline
        switch session {
        case .packet:
            try relay.refuse(for: session)
            configuration.security = try options.clientSecurity()
            configuration.tier = try options.tier { try .fromEnvironment() }
        case .relay: configuration.session = .relay(try relay.access(options))
        }

        let line = ProgressLine()
        line.show("opening \(connections) connections")
        let report = try IdleLoad.run(configuration)
        line.clear()
        try options.json ? Output.json(report) : print(report)
        guard report.alive == report.connections else {
            throw Failure(
                .runtimeFailure, "apus: \(report.connections - report.alive) connections did not last")
        }
    }

    private func print(_ report: IdleReport) throws {
        try Output.line("\(report.address): \(report.connections) idle connections")
        try Output.line(
            "memory     \(compact(Double(report.rssBytesBaseline)))B with \(report.baseline) connections, "
                + "\(compact(Double(report.rssBytes)))B with \(report.connections)")
        try Output.line(
            "each       \(decimal(report.bytesPerConnection, digits: 0)) bytes, "
                + "\(decimal(report.pssBytesPerConnection, digits: 0)) with its share of what others map too")
        if let sockets = report.socketBytesPerConnection {
            try Output.line("kernel     \(decimal(sockets, digits: 0)) bytes in the queues of both its ends")
        }
    }
}
