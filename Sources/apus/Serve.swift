// `apus serve`: a configuration becomes a server, signals become a drain.

import ApusConfiguration
import ApusLogging
import ApusServer
import ArgumentParser

struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve NPRO packets, or relay for NetBird's and openZro's clients.",
        discussion: """
            Answers PING with PONG and ECHO with the same text. Prints one line per listener on stdout when it is ready.

            Every option can be set in a file, by the environment and by a flag; flags have the last word. See apus \
            config default for a file with all of them, and apus check to try one.

            SIGTERM or SIGINT drains: no new connection is accepted, what is under way is answered, and whoever has \
            not left after the shutdown timeout is cut off (exit code 6). A second signal stops at once. SIGUSR1 \
            drains until nobody is left, SIGHUP reloads, SIGUSR2 has the program on disk take over, SIGQUIT logs the \
            state. Durations are 250ms, 5s, 2m, or a bare number of milliseconds.

            Examples:

              apus serve --address 127.0.0.1:9000 --shards 2
              apus serve --address '[::]:9000' --address unix:/run/apus.sock
              apus serve --config /etc/apus/apus.toml
              apus serve --relay --listen-address :8443 --exposed-address rels://relay.example.com:8443 \\
                --auth-secret-file relay.secret --tls-cert-file relay.pem --tls-key-file relay.key
            """
    )

    @OptionGroup var arguments: ConfigurationArguments
    @OptionGroup var flags: ServeFlags

    func run() throws {
        // Before any thread starts: they inherit what is blocked.
        Signals.block()
        let sources = arguments.sources(flags.overrides)
        let security = flags.security
        let examine: @Sendable (Configuration) throws -> Void = { try security.refuseForeignFlags(for: $0.listeners) }
        let prepared = try PreparedConfiguration(sources, examine: examine)
        prepared.warnings.forEach { Output.complain("apus: \($0)") }
        let logs = try Logs.start(LogSettings(LoggingSettings(from: prepared.configuration)))
        // Whatever ends it, what was logged is written.
        defer { logs.close() }
        logs.bootstrap()
        let service = Service(
            ServedConfiguration(prepared, sources, examine: examine), logs, takingOverFrom: flags.lifecycle.upgradeFrom)
        try report(try service.run(prepared) { try announce(prepared, $0) })
    }

    private func announce(_ prepared: PreparedConfiguration, _ handle: ServerHandle) throws {
        let shards = prepared.server.shards == 1 ? "1 shard" : "\(prepared.server.shards) shards"
        for (listener, address) in zip(prepared.configuration.listeners, handle.boundAddresses) {
            let isOpen = listener.speaks == .relay && prepared.server.relay?.allowsAnyToken == true
            let tokens = isOpen ? ", ANY TOKEN" : ""
            let manner = "\(listener.speaks.rawValue), \(listener.security.rawValue), \(shards)\(tokens)"
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
