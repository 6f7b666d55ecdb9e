// `apus serve`: flags become a `ServerConfiguration`, signals become a drain.

import ApusServer
import ArgumentParser
import Glibc
import Synchronization

struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serve NPRO packets.",
        discussion: """
            Answers PING with PONG and ECHO with the same text. Prints one line per listener on stdout when it is ready.

            SIGTERM or SIGINT drains: no new connection is accepted, what is under way is answered, and whoever has \
            not left after the shutdown timeout is cut off (exit code 6). A second signal stops at once. Durations \
            are 250ms, 5s, 2m, or a bare number of milliseconds.

            Examples:

              apus serve --address 127.0.0.1:9000 --shards 2
              apus serve --address '[::]:9000' --address unix:/run/apus.sock
            """
    )

    @Option(help: "HOST:PORT, [IPV6]:PORT or unix:PATH; may be given several times. (default: \(Apus.defaultAddress))")
    var address: [String] = []

    @Option(help: "Event loops, one thread each: a number, or auto for one per core.")
    var shards = ShardCountArgument(nil)

    @OptionGroup var security: ServeSecurity

    @OptionGroup(visibility: .hidden) var defences: ServeDefences

    @Option(help: "Connections at once; one more is closed as soon as it is accepted.")
    var maxConnections = ServerConfiguration.standard.maxConnections

    @Option(help: "What a message gets that nobody handles: silence or close.")
    var unknownCommand = UnknownCommand.silence

    @Flag(help: "Let custom commands named PING and ECHO mean the messages, as the first NPRO daemon does.")
    var systemAliases = false

    @Option(help: "Close a connection without a message for so long, or off.")
    var idleTimeout = OptionalDurationArgument(ServerConfiguration.standard.idleTimeout)

    @Option(help: "Ping after so long without sending; four silent intervals end a connection. Or off.")
    var heartbeatInterval = OptionalDurationArgument(ServerConfiguration.standard.heartbeatInterval)

    @Option(help: "From accept to the first byte, and for a write that stands still.")
    var connectionTimeout = DurationArgument(ServerConfiguration.standard.firstByteTimeout)

    @Option(help: "How long a drain waits for peers.")
    var shutdownTimeout = DurationArgument(ServerConfiguration.standard.shutdownTimeout)

    @Option(help: "Reply bytes of a connection that may wait before its requests are read no further.")
    var maxOutstandingBytes = ByteCountArgument(ServerConfiguration.standard.outstandingByteCountMax)

    @Option(help: "The longest payload a peer may send.")
    var maxPayloadSize = ByteCountArgument(ServerConfiguration.standard.payloadByteCountMax)

    func run() throws {
        // Before any thread starts: they inherit what is blocked.
        Signals.block()
        let configuration = try serverConfiguration()
        let handle = try Server(configuration).start()
        let shards = configuration.shards == 1 ? "1 shard" : "\(configuration.shards) shards"
        let manner = "packet, \(security.security.rawValue), \(shards)"
        for address in handle.boundAddresses { try Output.line("listening on \(address) (\(manner))") }
        Shutdown(of: handle, timeout: configuration.shutdownTimeout).obeySignals()
        try report(handle.wait())
    }

    func serverConfiguration() throws -> ServerConfiguration {
        let protection = try security.listenerSecurity()
        let addresses = address.isEmpty ? [Apus.defaultAddress] : address
        let listeners = addresses.enumerated().map { index, address in
            ListenerConfiguration(
                name: index == 0 ? "edge" : "edge-\(index + 1)", address: address, security: protection)
        }
        var configuration = ServerConfiguration(listeners: listeners)
        configuration.shards = shards.count ?? UsableCores.count
        configuration.maxConnections = maxConnections
        configuration.unknownCommand = unknownCommand
        configuration.systemAliases = systemAliases
        configuration.idleTimeout = idleTimeout.duration
        configuration.heartbeatInterval = heartbeatInterval.duration
        configuration.firstByteTimeout = connectionTimeout.duration
        if let timeout = security.handshakeTimeout { configuration.handshakeTimeout = timeout.duration }
        if let rate = security.maxHandshakeRate { configuration.handshakesPerSecondMax = rate }
        configuration.stalledWriteTimeout = connectionTimeout.duration
        configuration.shutdownTimeout = shutdownTimeout.duration
        configuration.outstandingByteCountMax = maxOutstandingBytes.byteCount
        configuration.payloadByteCountMax = maxPayloadSize.byteCount
        defences.apply(to: &configuration)
        return configuration
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

extension UnknownCommand: ExpressibleByArgument {}

extension ServerConfiguration {
    /// Where the flags' defaults come from.
    fileprivate static let standard = ServerConfiguration(address: Apus.defaultAddress)
}

/// The first signal drains, the second stops.
private final class Shutdown: Sendable {
    private let handle: ServerHandle
    private let timeout: Duration
    private let isDraining = Atomic(false)

    init(of handle: ServerHandle, timeout: Duration) {
        self.handle = handle
        self.timeout = timeout
    }

    func obeySignals() { Signals.watch { self.obey($0) } }

    private func obey(_ signal: Int32) {
        let name = Signals.name(of: signal)
        if signal == SIGHUP {
            Output.complain("apus: \(name): there is no configuration file to reload")
        } else if isDraining.exchange(true, ordering: .relaxed) {
            Output.complain("apus: \(name): stopping at once")
            handle.stop()
        } else {
            Output.complain("apus: \(name): draining for at most \(timeout.brief); a second signal stops at once")
            handle.shutdown()
        }
    }
}
