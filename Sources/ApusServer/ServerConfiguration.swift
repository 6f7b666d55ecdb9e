// What a server is asked to be. It knows nothing of files, flags or environment: whoever reads those fills this in.

import ApusReactor
import ApusSecurity
import ApusWire

/// A place to listen and what is spoken there.
public struct ListenerConfiguration: Sendable {
    /// Appears in errors, metrics and contexts.
    public var name: String
    /// `HOST:PORT`, `[IPv6]:PORT` or `unix:PATH`. Port 0 takes a free one.
    public var address: String
    public var session: SessionKind
    public var security: ListenerSecurity

    public init(
        name: String = "edge", address: String, session: SessionKind = .message, security: ListenerSecurity = .none
    ) {
        self.name = name
        self.address = address
        self.session = session
        self.security = security
    }
}

/// What a connection speaks.
public enum SessionKind: UInt8, CaseIterable, BitwiseCopyable, Sendable {
    /// NPRO packets whose payloads are messages, answered by the dispatcher.
    case message
    /// NPRO packets with an opaque payload, answered by the raw packet handler.
    case packet
}

/// What happens to a message for which nothing is registered. The protocol has no error message (NPRO §6.1).
public enum UnknownCommand: String, Sendable, CaseIterable {
    /// No reply, as peers expect.
    case silence
    /// The connection is closed with the reason `unknown_command`.
    case close
}

/// Everything a `Server` can be told. The defaults protect.
public struct ServerConfiguration: Sendable {
    public var listeners: [ListenerConfiguration]
    /// Event loops, one thread each; best one per core.
    public var shards: Int = 1
    /// Connections open at once in the whole process; one more is accepted and closed at once.
    public var maxConnections: Int = 10_000
    /// From accept to the first byte.
    public var firstByteTimeout: Duration = .seconds(5)
    /// From accept until a protected connection has its keys: one deadline for the whole handshake.
    public var handshakeTimeout: Duration = .seconds(10)
    /// Connections of one shard that may be without keys at once; one more is accepted and closed at once.
    public var handshakesAtOncePerShard: Int = 1024
    /// NPRO handshakes that may be completed per second, in the whole process. It sizes the table of those that were
    /// seen (`ReplayTable`), which refuses beyond it.
    public var handshakesPerSecondMax: Int = 2000
    /// How long a send may stand still before the connection is closed.
    public var stalledWriteTimeout: Duration = .seconds(5)
    /// Close a connection without a message for so long; nil: never.
    public var idleTimeout: Duration?
    /// Ping a peer to whom nothing was sent for so long; a peer silent for four intervals is closed. Nil: no pings.
    public var heartbeatInterval: Duration? = .seconds(15)
    /// Asynchronous requests of one connection that may be under way.
    public var backpressureLimit: Int = 32
    /// Reply bytes of one connection that may wait before its requests are no longer read; reading goes on below half.
    /// One message is always admitted.
    public var outstandingByteCountMax: Int = 1 << 20
    /// The longest payload a peer may announce.
    public var payloadByteCountMax: Int = PacketFormat.payloadByteCountMax
    /// Bytes all connections of one shard may hold in buffers.
    public var memoryBudgetPerShard: Int = 256 << 20
    public var unknownCommand: UnknownCommand = .silence
    /// Let a custom command named PING or ECHO reach the built-in handlers, as the first NPRO daemon does (NPRO §6.1).
    public var systemAliases = false
    /// How long `shutdown` waits for peers to finish.
    public var shutdownTimeout: Duration = .seconds(30)
    /// Who hears what happens: a log. Nil: nobody.
    public var eventSink: (any ServerEventSink)?
    /// The kernel that rings pretend to run on; nil: what the environment says.
    package var ringTier: RingTier?

    public init(listeners: [ListenerConfiguration]) { self.listeners = listeners }

    public init(address: String) { self.init(listeners: [ListenerConfiguration(address: address)]) }

    /// Some listener speaks NPRO's handshake.
    var isHandshakeSpoken: Bool {
        listeners.contains { listener in
            if case .handshake = listener.security { true } else { false }
        }
    }

    /// Every mistake in the configuration, in words; empty when there is none.
    public func problems() -> [String] { listenerProblems + countProblems + durationProblems }

    private var listenerProblems: [String] {
        var problems: [String] = []
        if listeners.isEmpty { problems.append("listeners: name at least one") }
        if listeners.count > 64 { problems.append("listeners: at most 64, found \(listeners.count)") }
        if Set(listeners.map(\.name)).count != listeners.count { problems.append("listeners: names must differ") }
        for listener in listeners {
            do throws(AddressError) {
                _ = try SocketAddress(parsing: listener.address)
            } catch {
                problems.append("listener \(listener.name): \(error)")
            }
            problems += listener.security.problems().map { "listener \(listener.name): \($0)" }
        }
        return problems
    }

    private var countProblems: [String] {
        let budgetMin = Limits.memoryBudgetMin(payloadByteCountMax: payloadByteCountMax)
        let counts: [(name: String, value: Int, range: ClosedRange<Int>)] = [
            ("shards", shards, 1...256),
            ("max_connections", maxConnections, 1...Limits.connectionsMax),
            ("backpressure_limit", backpressureLimit, 1...4096),
            ("max_handshakes_at_once", handshakesAtOncePerShard, 1...Limits.connectionsMax),
            ("max_handshake_rate", handshakesPerSecondMax, 1...ReplayTable.handshakesPerSecondLimit),
            ("max_payload_size", payloadByteCountMax, 1...PacketFormat.payloadByteCountMax),
            ("max_outstanding_bytes", outstandingByteCountMax, 4096...Limits.outstandingByteCountLimit),
            ("memory_budget", memoryBudgetPerShard, budgetMin...Int.max),
        ]
        return counts.filter { !$0.range.contains($0.value) }.map { name, value, range in
            let most = range.upperBound == .max ? "or more" : "to \(range.upperBound)"
            return "\(name): \(range.lowerBound) \(most), found \(value)"
        }
    }

    private var durationProblems: [String] {
        durations.filter { !(Duration.milliseconds(1)...(.seconds(86_400))).contains($0.1) }
            .map { name, duration in "\(name): 1 ms to 1 day, found \(duration)" }
    }

    private var durations: [(String, Duration)] {
        [
            ("first_byte_timeout", firstByteTimeout), ("handshake_timeout", handshakeTimeout),
            ("stalled_write_timeout", stalledWriteTimeout),
            ("idle_timeout", idleTimeout ?? .seconds(1)), ("heartbeat_interval", heartbeatInterval ?? .seconds(1)),
            ("shutdown_timeout", shutdownTimeout),
        ]
    }
}
