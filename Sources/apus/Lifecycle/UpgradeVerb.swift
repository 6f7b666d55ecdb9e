// `apus upgrade`: have a running server replaced by the program that is on disk now.

import ArgumentParser
import Glibc

struct Upgrade: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Replace a running server by the program on disk, without refusing a connection.",
        discussion: """
            The server starts the program anew with its own arguments and hands it the listening sockets. When the \
            new process serves, the old one accepts no more and ends when its peers have gone. When the new process \
            fails, nothing has changed, and the reason is printed (exit code 1).

            Example:

              apus upgrade --socket /run/apus/upgrade.sock
            """
    )

    @Option(help: "The server's upgrade socket.")
    var socket = UpgradeSocketPlace.standardPath

    @Option(help: "How long to wait for the outcome.")
    var timeout = DurationArgument(.seconds(60))

    @Flag(help: "Print a JSON object.")
    var json = false

    private struct Report: Encodable {
        let succeeded: Bool
        let text: String
    }

    func run() throws {
        let outcome: HandOverMessage
        do throws(HandOverError) {
            let channel = try HandOverChannel.connect(to: socket)
            let deadline = Deadline(after: timeout.duration)
            try channel.send(.upgrade, by: deadline)
            let (message, descriptors) = try channel.receive(by: deadline)
            descriptors.forEach { close($0) }
            outcome = message
        } catch {
            throw Failure(.runtimeFailure, "apus: \(error)")
        }
        try report(outcome)
    }

    private func report(_ outcome: HandOverMessage) throws {
        switch outcome {
        case .outcome(true, let text):
            try json ? Output.json(Report(succeeded: true, text: text)) : Output.line(text)
        case .outcome(false, let text), .refused(let text):
            if json { try Output.json(Report(succeeded: false, text: text)) }
            throw Failure(.runtimeFailure, "apus: \(text)")
        case .take, .upgrade, .listener, .end, .ready, .released, .failed:
            throw Failure(.runtimeFailure, "apus: \(HandOverViolation.unexpected)")
        }
    }
}
