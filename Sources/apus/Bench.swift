// `apus bench`: what the benchmarks share.

import ApusLoad
import ApusSecurity
import ArgumentParser
import Foundation

struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure a server.",
        discussion: """
            The load generator is one thread with an io_uring of its own. With --server-pid it also reads the server's \
            processor time, the figure that agrees from run to run.

            Example:

              apus bench packet --connections 64 --depth 16 --seconds 5
            """,
        subcommands: [BenchPacket.self, BenchRelay.self, BenchConnect.self, BenchIdle.self]
    )
}

struct BenchOptions: ParsableArguments {
    @Option(help: "HOST:PORT, [IPV6]:PORT or unix:PATH; HOST as a number.")
    var address = Apus.defaultAddress

    @Flag(help: "Print one JSON object instead.")
    var json = false

    @OptionGroup var security: ClientSecurityOptions

    /// The generator packs no payload, and takes the server's name from the address.
    /// - Parameter standard: where no flag says anything.
    func clientSecurity(standard: SecurityArgument = .handshake) throws -> ClientSecurity? {
        guard security.handshake.compressionSettings.algorithms.isEmpty else {
            throw Failure(.invalidConfiguration, "apus: --compression: the load generator has none; leave it out")
        }
        var options = security
        if options.kind == .tls, options.serverName == nil { options.serverName = hostOfAddress }
        return try options.clientSecurity(standard: standard)
    }

    /// Nil for a UNIX path.
    private var hostOfAddress: String? {
        guard !address.hasPrefix("unix:"), let colon = address.lastIndex(of: ":") else { return nil }
        return address[..<colon].trimmingCharacters(in: CharacterSet(charactersIn: "[]"))
    }

    /// The load generator's form of `--address`.
    func parsed<Address>(_ parse: (String) throws -> Address) throws -> Address {
        do {
            return try parse(address)
        } catch {
            throw Failure(.invalidConfiguration, "apus: --address: \(error)")
        }
    }

    /// The ring's tier, by which a ring can be told to pretend an older kernel.
    func tier<Tier>(_ read: () throws -> Tier) throws -> Tier {
        do {
            return try read()
        } catch {
            throw Failure(.hostNotFit, "apus: \(error)")
        }
    }
}

/// Lines that a report is printed as.
enum ReportText {
    static func latency(_ latency: LatencyReport) -> String {
        let columns = [
            ("p50", latency.p50), ("p90", latency.p90), ("p99", latency.p99), ("p99.9", latency.p999),
            ("max", latency.max),
        ]
        return "latency    " + columns.map { "\($0) \(decimal($1, digits: 1)) µs" }.joined(separator: "  ")
    }

    /// - Parameter wanted: what became of a message that was not in vain.
    static func openLoop(_ openLoop: OpenLoopReport, _ wanted: String) -> String {
        let text = "open loop  \(openLoop.intended) due, \(openLoop.unanswered) never \(wanted), "
            + "at most \(openLoop.backlogMax) behind"
        return openLoop.backlogExceeded ? text + " — the server cannot keep this rate" : text
    }

    static func generator(_ generator: GeneratorReport) -> String {
        let text = "generator  \(decimal(generator.utilization * 100, digits: 0)) % of a core"
        if generator.busyPolls { return text + ", for it never sleeps" }
        guard generator.bottleneck else { return text }
        return text + " — it was the bottleneck: the figures tell of the generator, not of the server"
    }

    static func server(_ server: ServerReport, per what: String, _ microseconds: Double?) -> String {
        "server     \(decimal(microseconds ?? 0, digits: 3)) µs CPU per \(what), "
            + "\(decimal(server.userShare * 100, digits: 0)) % of it in user mode, "
            + "\(compact(Double(server.rssBytes)))B resident"
    }
}
