// `apus bench idle`: what a connection costs that does nothing.

import ApusLoad
import ArgumentParser

struct BenchIdle: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "idle",
        abstract: "The server's memory per idle connection.",
        discussion: """
            Reads the server's memory with --baseline connections and again with --connections, each after one \
            exchange; the difference, divided, is the memory of one. Exit code 1 when a connection did not last.

            Example:

              apus bench idle --connections 10000 --server-pid $(pidof apus)
            """
    )

    @OptionGroup var options: BenchOptions

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
        configuration.security = try options.clientSecurity()
        configuration.tier = try options.tier { try .fromEnvironment() }

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
        try Output.line("each       \(decimal(report.bytesPerConnection, digits: 0)) bytes")
    }
}
