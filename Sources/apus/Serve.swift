// `apus serve`: flags become a `ServerConfiguration`, signals become a drain.

import ApusServer
import ArgumentParser

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

    @Option(help: "How long a drain by SIGUSR1, or after an upgrade, waits for peers.")
    var drainLimit = DurationArgument(LifecycleSettings().drainLimit)

    @Option(help: "From failing readiness to accepting no more.")
    var drainDelay: DurationArgument?

    @Option(help: "Over which time a drain tells idle peers to leave.")
    var drainWindow: DurationArgument?

    @Option(help: "The UNIX socket on which another process may ask for the listening sockets, or none.")
    var upgradeSocket = UpgradeSocketArgument(.standard)

    @Option(help: "How long a successor has until it serves.")
    var upgradeTimeout = DurationArgument(LifecycleSettings().upgradeTimeout)

    @Option(help: "Take the listening sockets over from the server that has this upgrade socket.")
    var upgradeFrom: String?

    @Option(help: "A file to write the process's number to.")
    var pidFile: String?

    func run() throws {
        // Before any thread starts: they inherit what is blocked.
        Signals.block()
        var configuration = try serverConfiguration()
        let lifecycle = ServerLifecycle(lifecycleSettings)
        let places = configuration.listeners.map { ListenerPlace(name: $0.name, address: $0.address) }
        let exit = try lifecycle.run(places) { inheritance in
            configuration.inherit(inheritance)
            let handle = try Server(configuration).start()
            try announce(handle, configuration)
            return Served(server: handle)
        }
        try report(exit)
    }

    private func announce(_ handle: ServerHandle, _ configuration: ServerConfiguration) throws {
        let shards = configuration.shards == 1 ? "1 shard" : "\(configuration.shards) shards"
        let manner = "packet, \(security.security.rawValue), \(shards)"
        for address in handle.boundAddresses { try Output.line("listening on \(address) (\(manner))") }
    }

    private var lifecycleSettings: LifecycleSettings {
        var settings = LifecycleSettings()
        settings.drainTimeout = shutdownTimeout.duration
        settings.drainLimit = drainLimit.duration
        settings.drainDelay = drainDelay?.duration ?? .zero
        settings.drainWindow = drainWindow?.duration
        settings.upgradeTimeout = upgradeTimeout.duration
        settings.upgradeSocket = upgradeSocket.place
        settings.upgradeFrom = upgradeFrom
        settings.pidFilePath = pidFile
        return settings
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
