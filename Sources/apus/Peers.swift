// `apus peers`: who is connected to a relay.

import ApusOperations
import ArgumentParser

struct Peers: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the peers that are connected to a running relay.",
        discussion: """
            Each with its id, as the clients' logs show it, its address, how long it has been there, the bytes that it \
            sent and was sent, and those that wait for it.

            Examples:

              apus peers --control unix:/run/apus/control.sock
              apus peers --sort queue --limit 20 --json
            """
    )

    @Option(help: "What comes first: \(allOrders); of ids the smallest, of all else the most.")
    var sort = PeerList.Order.id

    @Option(help: "How many are listed at most, 1 to \(limitMax): the first in that order.")
    var limit = limitMax

    @OptionGroup var options: ControlOptions

    private static let limitMax = 10_000
    private static let allOrders = PeerList.Order.allCases.map(\.rawValue).joined(separator: ", ")

    func validate() throws {
        guard 1...Peers.limitMax ~= limit else {
            throw ValidationError("--limit \(limit): 1 to \(Peers.limitMax).")
        }
    }

    func run() throws {
        // All of them: which come first is found out here.
        let response = try ControlConnection.open(to: options.control, timeout: options.timeout.duration)
            .request("GET", "/status?peers=\(Peers.limitMax)")
        guard response.isSuccess else {
            throw Failure(.runtimeFailure, "apus: no list of peers from \(options.control): \(response.text)")
        }
        try show(try list(response))
    }

    private func list(_ response: ControlResponse) throws -> PeerList {
        do throws(StatusUnreadable) {
            return try PeerList(json: response.body, by: sort, countMax: limit)
        } catch {
            throw Failure(.runtimeFailure, "apus: \(options.control): \(error)")
        }
    }

    private func show(_ list: PeerList) throws {
        if options.json { return try Output.json(list) }
        // As wide as the terminal, or as wide as a log may be.
        let width = Output.isTerminal ? Terminal.size.width : 200
        try Output.line(list.lines(width: width).joined(separator: "\n"))
    }
}

extension PeerList.Order: ExpressibleByArgument {}
