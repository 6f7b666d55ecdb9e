// `apus bench packet`: echoes per second, and how long each takes.

import ApusLoad
import ArgumentParser

struct BenchPacket: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "packet",
        abstract: "Echo requests over connections that stay.",
        discussion: """
            Without --rate each connection keeps --depth requests outstanding (closed loop). With --rate requests \
            leave when they are due, answered or not, and latency counts from then (open loop). Every reply is \
            verified; exit code 1 when one was wrong.

            Examples:

              apus bench packet --connections 64 --depth 16 --size 64 --seconds 5
              apus bench packet --rate 50000 --seconds 10 --server-pid $(pidof apus) --json
            """
    )

    @OptionGroup var options: BenchOptions

    @Option(help: "Connections.")
    var connections = 64

    @Option(help: "Requests a connection keeps outstanding.")
    var depth = 16

    @Option(help: "Bytes of each Echo's text.")
    var size = 64

    @Option(help: "How many seconds are measured.")
    var seconds = 5.0

    @Option(help: "Seconds before that, which are not.")
    var warmup = 1.0

    @Option(help: "Messages per second over all connections (open loop).")
    var rate: Double?

    @Flag(help: "Never sleep: the generator's own wake-ups are in no latency, and its core is busy all the time.")
    var busyPoll = false

    @Flag(help: "Make a connection anew when the server ends it; requests that were never answered count as lost.")
    var reconnect = false

    @Option(help: "The server's process, for its processor time and memory.")
    var serverPid: Int32?

    func run() throws {
        var configuration = PacketLoadConfiguration(address: try options.parsed { try .init(parsing: $0) })
        configuration.connections = connections
        configuration.depth = depth
        configuration.textByteCount = size
        configuration.seconds = seconds
        configuration.warmupSeconds = warmup
        configuration.rate = rate
        configuration.busyPolls = busyPoll
        configuration.reconnects = reconnect
        configuration.serverPID = serverPid
        configuration.security = try options.clientSecurity()
        configuration.tier = try options.tier { try .fromEnvironment() }

        let line = ProgressLine()
        let report = try PacketLoad.run(configuration) { line.show($0.text(counting: "messages")) }
        line.clear()
        try options.json ? Output.json(report) : print(report)
        try fail(for: report.errors)
    }

    private func print(_ report: PacketReport) throws {
        let load = report.rate.map { "open loop at \(compact($0))/s" } ?? "depth \(report.depth)"
        try Output.line("\(report.address): \(report.connections) connections, \(load), \(report.size) bytes of text")
        try Output.line(
            "messages   \(report.messages) in \(decimal(report.seconds, digits: 2)) s: "
                + "\(compact(report.messagesPerSecond))/s, \(compact(report.bytesPerSecond))B/s each way")
        if let count = report.reconnections {
            try Output.line("reconnects \(count), \(report.errors.lost) replies lost")
        }
        try Output.line(ReportText.latency(report.latency))
        if let openLoop = report.openLoop { try Output.line(ReportText.openLoop(openLoop, "answered")) }
        try Output.line(ReportText.generator(report.generator))
        if let server = report.server {
            try Output.line(ReportText.server(server, per: "message", server.cpuMicrosecondsPerMessage))
        }
    }

    private func fail(for errors: LoadErrors) throws {
        guard errors != LoadErrors() else { return }
        throw Failure(
            .runtimeFailure,
            "apus: \(errors.mismatched) replies were wrong, \(errors.closed) connections ended early, "
                + "\(errors.connect) were not made, \(errors.lost) replies were lost")
    }
}

extension LoadProgress {
    /// One line for while it runs.
    func text(counting what: String) -> String {
        "\(isWarmup ? "warming up" : "measuring") \(decimal(elapsedSeconds, digits: 0)) s: "
            + "\(compact(countPerSecond)) \(what)/s, p99 \(decimal(p99, digits: 1)) µs"
    }
}
