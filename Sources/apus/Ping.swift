// `apus ping`: is it there, and how far away.

import ApusClient
import ArgumentParser

struct Ping: ClientVerb {
    static let configuration = CommandConfiguration(
        abstract: "Measure round trips to a server.",
        discussion: """
            Prints each round trip and a summary. Exit code 1 when a pong is missing.

            Example:

              apus ping --address 127.0.0.1:9000 --count 10 --interval 100ms
            """
    )

    @OptionGroup var server: ServerOptions

    @Option(help: "How many.")
    var count = 4

    @Option(help: "From one ping to the next.")
    var interval = DurationArgument(.seconds(1))

    @Flag(help: "Print one JSON object instead.")
    var json = false

    func validate() throws {
        guard count >= 1 else { throw ValidationError("--count \(count): ping at least once.") }
    }

    func perform() async throws {
        let settings = try server.settings()
        var connection = try await SteadyConnection(settings)
        var roundTrips = RoundTrips(address: settings.address)
        do {
            try await ping(&connection, &roundTrips)
        } catch {
            try roundTrips.summarize(asJSON: json)
            throw error
        }
        try roundTrips.summarize(asJSON: json)
        try await connection.client.disconnect()
    }

    private func ping(_ connection: inout SteadyConnection, _ roundTrips: inout RoundTrips) async throws {
        let clock = ContinuousClock()
        for index in 0..<count {
            let start = clock.now
            roundTrips.sent += 1
            _ = try await connection.request(.ping)
            let duration = clock.now - start
            roundTrips.durations.append(duration)
            if !json {
                try Output.line("pong from \(roundTrips.address): ping \(index + 1), \(milliseconds(duration)) ms")
            }
            if index + 1 < count { try await Task.sleep(until: start + interval.duration) }
        }
    }
}

/// What pinging found.
struct RoundTrips {
    let address: String
    var sent = 0
    var durations: [Duration] = []

    init(address: String) { self.address = address }

    private struct Report: Encodable {
        struct Spread: Encodable {
            let min, mean, max: Double
        }

        let kind = "ping"
        let address: String
        let sent: Int
        let received: Int
        /// Absent when there is none.
        let spread: Spread?
        let roundTrips: [Double]

        enum CodingKeys: String, CodingKey {
            case kind, address, sent, received
            case spread = "round_trip_us"
            case roundTrips = "round_trips_us"
        }
    }

    func summarize(asJSON: Bool) throws {
        if asJSON { try Output.json(report) } else { try Output.line(summary) }
    }

    var summary: String {
        let counts = "\(address): \(sent) sent, \(durations.count) answered"
        guard let min = durations.min(), let max = durations.max() else { return counts }
        return counts
            + ", round trip min/mean/max \(milliseconds(min))/\(milliseconds(mean))/\(milliseconds(max)) ms"
    }

    private var mean: Duration { durations.reduce(.zero, +) / max(durations.count, 1) }

    private var report: some Encodable {
        let roundTrips = durations.map(\.microseconds)
        var spread: Report.Spread?
        if let min = roundTrips.min(), let max = roundTrips.max() {
            spread = Report.Spread(min: min, mean: mean.microseconds, max: max)
        }
        return Report(
            address: address, sent: sent, received: durations.count, spread: spread, roundTrips: roundTrips)
    }
}

/// With three digits after the point: `0.084`.
private func milliseconds(_ duration: Duration) -> String { decimal(duration.microseconds / 1000, digits: 3) }
