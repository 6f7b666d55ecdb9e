// `apus top`: a server's numbers while they move, or once.

import ApusOperations
import ArgumentParser
import Foundation

struct Top: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what a server is doing, live.",
        discussion: """
            Asks the admin endpoint for its status and shows rates, service times, loops, listeners, the connections \
            that move or wait most, and why things were closed, refused or dropped.

            Keys: b orders connections by bytes, w by bytes that wait, p pauses, q or Ctrl-C quits. --once prints one \
            picture of an interval, without any control codes, and needs no terminal.

            Examples:

              apus top
              apus top --address unix:/run/apus/control.sock --interval 500ms
              apus top --once --json
            """
    )

    static let defaultAddress = "127.0.0.1:9600"

    @Option(help: "The admin endpoint: HOST:PORT, [IPV6]:PORT or unix:PATH.")
    var address = Top.defaultAddress

    @Option(help: "From one sample to the next.")
    var interval = DurationArgument(.seconds(1))

    @Flag(help: "Print one picture of one interval and leave.")
    var once = false

    @Flag(help: "With --once: print one JSON object instead.")
    var json = false

    /// Shorter ones measure the endpoint rather than the server.
    private static let intervalMin = Duration.milliseconds(100)

    func validate() throws {
        guard !json || once else { throw ValidationError("--json goes with --once: a live view is no object.") }
        guard (Top.intervalMin...(.seconds(3600))).contains(interval.duration) else {
            throw ValidationError("--interval \(interval.duration.brief): 100ms to an hour.")
        }
    }

    func run() throws {
        let connection = try StatusConnection(to: address)
        if once { try printOnce(connection) } else { try watch(connection) }
    }

    private func printOnce(_ connection: StatusConnection) throws {
        let earlier = try Top.failing { try StatusSampler.sample(connection) }
        Thread.sleep(forTimeInterval: interval.duration.seconds)
        let figures = TopFigures(earlier: earlier, later: try Top.failing { try StatusSampler.sample(connection) })
        if json { return try Output.json(figures) }
        // As wide as the terminal, or as wide as a log may be; as long as it takes.
        let width = Output.isTerminal ? Terminal.size.width : 120
        let lines = TopFrame(figures, address: address).lines(width: width, height: 10_000)
        try Output.line(lines.joined(separator: "\n"))
    }

    private static func failing(_ body: () throws -> StatusSample) throws -> StatusSample {
        do {
            return try body()
        } catch let failure as StatusUnreachable {
            throw Failure(
                .runtimeFailure,
                "apus: no status from \(failure): is the server running, with its admin endpoint there?")
        } catch let failure as StatusUnreadable {
            throw Failure(.runtimeFailure, "apus: \(failure)")
        }
    }

    private func watch(_ connection: StatusConnection) throws {
        guard let terminal = Terminal(isColoured: Output.isColoured) else {
            throw Failure(.usage, "apus: top needs a terminal; without one: apus top --once")
        }
        let events = try TopEvents()
        events.watchSignals()
        let sampler = StatusSampler(connection, every: interval.duration)
        var screen = TopScreen(address: address, on: terminal, events: events, sampler: sampler)
        try terminal.enter()
        defer { terminal.leave() }
        try screen.run()
    }
}
