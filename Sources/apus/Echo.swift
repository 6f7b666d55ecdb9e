// `apus echo`: a text there and back.

import ApusClient
import ArgumentParser

struct Echo: ClientVerb {
    static let configuration = CommandConfiguration(
        abstract: "Send a text and print what comes back.",
        discussion: """
            Exit code 1 when the reply is not the same text.

            Example:

              apus echo hello --address 127.0.0.1:9000
            """
    )

    @Argument(help: "What to send.")
    var text: String

    @OptionGroup var server: ServerOptions

    @Flag(help: "Print a JSON object.")
    var json = false

    private struct Report: Encodable {
        let kind = "echo"
        let address: String
        let text: String
        let roundTrip: Double

        enum CodingKeys: String, CodingKey {
            case kind, address, text
            case roundTrip = "round_trip_us"
        }
    }

    func perform() async throws {
        let settings = try server.settings()
        var connection = try await SteadyConnection(settings)
        let start = ContinuousClock.now
        let reply = try await connection.request(.echo(text))
        let roundTrip = ContinuousClock.now - start
        guard case .echo(let echoed) = reply else {
            throw Failure(.runtimeFailure, "apus: \(settings.address) answered Echo with \(reply.kind)")
        }
        if json {
            try Output.json(Report(address: settings.address, text: echoed, roundTrip: roundTrip.microseconds))
        } else {
            try Output.line(echoed)
        }
        guard echoed == text else {
            throw Failure(.runtimeFailure, "apus: \(settings.address) answered with another text")
        }
        try await connection.client.disconnect()
    }
}
