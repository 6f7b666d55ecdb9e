// `apus bench relay`: datagrams between pairs of peers, and how long each takes.

import ApusLoad
import ArgumentParser

extension RelayPlacement: ExpressibleByArgument {}

struct BenchRelay: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "relay",
        abstract: "Datagrams between pairs of peers over a relay.",
        discussion: """
            Logs two peers a pair in over WebSocket, as clients of NetBird and openZro do. Without --rate each pair \
            keeps --window datagrams on their way (closed loop): the first peer sends and the second receives, and \
            with --both-ways each answers what it receives with a datagram. With --rate datagrams leave when they are \
            due, whatever became of those before, and latency counts from then (open loop). Every datagram is \
            verified; what a relay drops is counted as lost. Exit code 1 when one was wrong or a connection ended.

            Examples:

              apus bench relay --pairs 16 --size 1200 --window 64 --auth-secret-file secret
              apus bench relay --rate 20000 --seconds 10 --server-pid $(pidof apus) --json
              apus bench relay --tls --ca ca.pem --placement different --server-pid $(pidof apus)
            """
    )

    @OptionGroup var options: BenchOptions
    @OptionGroup var relay: RelayAccessOptions

    @Option(help: "Pairs of peers.")
    var pairs = 16

    @Option(help: "Bytes of each datagram.")
    var size = 1200

    @Option(help: "Datagrams that a pair keeps on their way, of both directions together.")
    var window = 64

    @Option(help: "Datagrams per second over all pairs (open loop).")
    var rate: Double?

    @Flag(help: "Never sleep: the generator's own wake-ups are in no latency, and its core is busy all the time.")
    var busyPoll = false

    @Flag(help: "Both peers of a pair send.")
    var bothWays = false

    @Option(help: "Shards of a pair's peers: any, same or different. What is not any needs --server-pid.")
    var placement = RelayPlacement.any

    @Option(help: "How many seconds are measured.")
    var seconds = 5.0

    @Option(help: "Seconds before that, which are not.")
    var warmup = 1.0

    @Option(help: "The server's process, for its processor time and memory.")
    var serverPid: Int32?

    func run() throws {
        var configuration = RelayLoadConfiguration(access: try relay.access(options))
        configuration.pairs = pairs
        configuration.datagramByteCount = size
        configuration.window = window
        configuration.rate = rate
        configuration.busyPolls = busyPoll
        configuration.sendsBothWays = bothWays
        configuration.placement = placement
        configuration.seconds = seconds
        configuration.warmupSeconds = warmup
        configuration.serverPID = serverPid

        let line = ProgressLine()
        let report = try RelayLoad.run(configuration) { line.show($0.text(counting: "datagrams")) }
        line.clear()
        try options.json ? Output.json(report) : print(report)
        try fail(for: report.errors)
    }

    private func print(_ report: RelayReport) throws {
        let load = report.rate.map { "open loop at \(compact($0))/s" } ?? "window \(report.window)"
        let ways = bothWays ? "both ways" : "one way"
        try Output.line("\(report.address): \(report.pairs) pairs \(ways), \(load), datagrams of \(report.size) bytes")
        try Output.line(
            "delivered  \(report.messages) in \(decimal(report.seconds, digits: 2)) s: "
                + "\(compact(report.messagesPerSecond))/s, \(compact(report.bytesPerSecond))B/s")
        let late = report.late > 0 ? ", \(report.late) late or twice" : ""
        try Output.line(
            "in all     \(report.sent) sent, \(report.delivered) delivered, \(report.lost) lost\(late)")
        try Output.line(ReportText.latency(report.latency))
        if let openLoop = report.openLoop { try Output.line(ReportText.openLoop(openLoop, "delivered")) }
        try Output.line(ReportText.generator(report.generator))
        if let server = report.server {
            try Output.line(ReportText.server(server, per: "message", server.cpuMicrosecondsPerMessage))
        }
    }

    private func fail(for errors: LoadErrors) throws {
        guard errors != LoadErrors() else { return }
        throw Failure(
            .runtimeFailure,
            "apus: \(errors.mismatched) messages were wrong, \(errors.closed) connections ended early, "
                + "\(errors.connect) were not made")
    }
}
