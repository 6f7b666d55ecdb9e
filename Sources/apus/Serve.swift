// `apus serve`: a configuration becomes a server, signals become a drain.

import ApusConfiguration
import ApusServer
import ArgumentParser
import Glibc
import Synchronization

struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve NPRO packets.",
        discussion: """
            Answers PING with PONG and ECHO with the same text. Prints one line per listener on stdout when it is ready.

            Every option can be set in a file, by the environment and by a flag; flags have the last word. See apus \
            config default for a file with all of them, and apus check to try one.

            SIGTERM or SIGINT drains: no new connection is accepted, what is under way is answered, and whoever has \
            not left after the shutdown timeout is cut off (exit code 6). A second signal stops at once. Durations \
            are 250ms, 5s, 2m, or a bare number of milliseconds.

            Examples:

              apus serve --address 127.0.0.1:9000 --shards 2
              apus serve --address '[::]:9000' --address unix:/run/apus.sock
              apus serve --config /etc/apus/apus.toml
            """
    )

    @OptionGroup var arguments: ConfigurationArguments
    @OptionGroup var flags: ServeFlags

    func run() throws {
        // Before any thread starts: they inherit what is blocked.
        Signals.block()
        let sources = arguments.sources(flags.overrides)
        let prepared = try PreparedConfiguration(sources) {
            try flags.security.refuseForeignFlags(for: $0.listeners)
        }
        let served = ServedConfiguration(prepared, sources)
        // Here logging begins: LoggingSettings(from: prepared.configuration).
        prepared.warnings.forEach { Output.complain("apus: \($0)") }
        // Here the server learns what the admin endpoint answers with.
        let handle = try Server(prepared.server).start()
        try announce(prepared, handle)
        // Here the service manager is told, and exports begin: ExportSettings(from: prepared.configuration).
        Shutdown(of: handle, serving: served).obeySignals()
        try report(handle.wait())
    }

    private func announce(_ prepared: PreparedConfiguration, _ handle: ServerHandle) throws {
        let shards = prepared.server.shards == 1 ? "1 shard" : "\(prepared.server.shards) shards"
        for (listener, address) in zip(prepared.configuration.listeners, handle.boundAddresses) {
            let manner = "\(listener.speaks.rawValue), \(listener.security.rawValue), \(shards)"
            try Output.line("listening on \(address) (\(manner))")
        }
    }

    private func report(_ exit: ServerExit) throws {
        switch exit {
        case .drained: break
        case .forced(let connections):
            let left = connections == 1 ? "1 connection was" : "\(connections) connections were"
            throw Failure(.drainedWithConnectionsLeft, "apus: stopped; \(left) cut off")
        }
    }
}

/// The first signal drains, the second stops.
private final class Shutdown: Sendable {
    private let handle: ServerHandle
    private let served: ServedConfiguration
    private let isDraining = Atomic(false)

    init(of handle: ServerHandle, serving served: ServedConfiguration) {
        self.handle = handle
        self.served = served
    }

    func obeySignals() { Signals.watch { self.obey($0) } }

    private func obey(_ signal: Int32) {
        let name = Signals.name(of: signal)
        if signal == SIGHUP {
            reload(because: name)
        } else if isDraining.exchange(true, ordering: .relaxed) {
            Output.complain("apus: \(name): stopping at once")
            handle.stop()
        } else {
            let timeout = DrainSettings(from: served.configuration).timeout
            Output.complain("apus: \(name): draining for at most \(timeout.brief); a second signal stops at once")
            handle.shutdown()
        }
    }

    /// Here a reload goes on: `served.prepare()`, the handle takes `next.server` over, `served.adopt(next)`.
    private func reload(because name: String) {
        guard served.hasFile else {
            return Output.complain("apus: \(name): there is no configuration file to reload")
        }
        do {
            let (_, report) = try served.prepare()
            let changes = report.changed.map(\.path).joined(separator: ", ")
            let found = changes.isEmpty ? "nothing changed" : "restart to apply \(changes)"
            Output.complain("apus: \(name): \(found)")
        } catch {
            Output.complain("apus: \(name): refused, the old configuration stays:\n\(error)")
        }
    }
}
