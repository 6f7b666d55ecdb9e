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
    /// Sockets that are bound and listen already (socket activation, or an earlier process of this program): nothing is
    /// bound, and `address` says only what they are for. Their number need not be that of the shards. The server owns
    /// them from `start` or `reload` on, also when that fails. Empty: bind.
    public var inherited: [Int32] = []
    /// Leave the path of a UNIX socket in the file system when the server ends: a service manager owns it.
    public var keepsPath = false
    /// Every connection begins with a PROXY protocol header, version 1 or 2, that says who its peer is.
    public var proxyProtocol = false
    /// What a listener that speaks `admin` answers.
    public var adminPaths = AdminScope.all
    /// What the kernel queues for sending on one TCP connection, in bytes (SO_SNDBUF); nil: it decides, within
    /// net.ipv4.tcp_wmem.
    public var sendBufferByteCount: Int?
    /// Bytes on one TCP connection that the kernel takes beyond what is on its way (TCP_NOTSENT_LOWAT): they would be
    /// neither in our memory budget nor in the network. Nil: no limit but the buffer's.
    public var notSentByteCountMax: Int? = 256 << 10
    /// How long a TCP peer may leave bytes unacknowledged, or its window closed, before the kernel gives the connection
    /// up (TCP_USER_TIMEOUT). It also bounds what stays behind when a connection is closed. Nil: a quarter of an hour,
    /// as the system has it.
    public var userTimeout: Duration? = .seconds(30)

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
    /// HTTP requests of operators and their tools (docs/admin.md).
    case admin
    /// WebSocket, and in it the relay protocol of NetBird and openZro (relay.md §1).
    case relay
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
    /// How long a packet that has begun may take to arrive, and replies to be taken, beyond what their bytes take at
    /// `peerByteRateMin`: who dribbles is closed, `slow_request` and `slow_consumer`.
    public var slowPeerGrace: Duration = .seconds(10)
    /// Bytes a second that a peer must send of an unfinished packet, and take of replies that wait.
    public var peerByteRateMin: Int = 4096
    /// Messages a second of one connection that ask for nothing: PING, PONG, unknown ones, empty packets. Twice as many
    /// may come at once; beyond that it is closed, `control_flood`. Requests do not count.
    public var controlRateMax: Int = 10_000
    /// What one address may have.
    public var addressLimits = AddressLimits()
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
    /// For listeners that speak `relay`, which need it.
    public var relay: RelayConfiguration?
    /// For listeners that speak `admin`.
    public var admin = AdminSettings()
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

    /// A relay's peers send through the lanes between shards what they send; without one these carry pushes.
    var mailSizes: MailboxSizes {
        var sizes = MailboxSizes()
        // What a turn of one shard may take in for peers of another, when a few of them send as fast as they can.
        if relay != nil { sizes.dataByteCount = 2 << 20 }
        return sizes
    }

    /// Every mistake in the configuration, in words; empty when there is none.
    public func problems() -> [String] {
        listenerProblems + countProblems + durationProblems + addressLimits.problems() + admin.problems()
            + (relay?.problems() ?? []).map { "relay.\($0)" }
    }

    private var listenerProblems: [String] {
        var problems: [String] = []
        if listeners.isEmpty { problems.append("listeners: name at least one") }
        if listeners.count > Limits.listenersMax {
            problems.append("listeners: at most \(Limits.listenersMax), found \(listeners.count)")
        }
        if Set(listeners.map(\.name)).count != listeners.count { problems.append("listeners: names must differ") }
        for listener in listeners {
            do throws(AddressError) {
                _ = try SocketAddress(parsing: listener.address)
            } catch {
                problems.append("listener \(listener.name): \(error)")
            }
            let others = listener.security.problems() + listener.socketProblems
            problems += others.map { "listener \(listener.name): \($0)" }
            if case .handshake = listener.security, listener.session == .admin || listener.session == .relay {
                let spoken = listener.session.label
                problems.append("listener \(listener.name): \(spoken) is spoken over none or tls, not over a handshake")
            }
            if listener.session == .relay, relay == nil {
                problems.append("listener \(listener.name): it speaks relay, and nothing says how")
            }
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
            ("min_peer_rate", peerByteRateMin, 1...1 << 30),
            ("max_control_rate", controlRateMax, 1...1_000_000),
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
            ("stalled_write_timeout", stalledWriteTimeout), ("slow_peer_grace", slowPeerGrace),
            ("idle_timeout", idleTimeout ?? .seconds(1)), ("heartbeat_interval", heartbeatInterval ?? .seconds(1)),
            ("shutdown_timeout", shutdownTimeout),
        ]
    }
}

extension ListenerConfiguration {
    fileprivate var socketProblems: [String] {
        var problems: [String] = []
        let sizes = [("send_buffer", sendBufferByteCount), ("max_unsent_bytes", notSentByteCountMax)]
        for (name, byteCount) in sizes {
            guard let byteCount, !(4096...(1 << 30)).contains(byteCount) else { continue }
            problems.append("\(name): 4096 to \(1 << 30), found \(byteCount)")
        }
        if let userTimeout, !(Duration.milliseconds(1)...(.seconds(86_400))).contains(userTimeout) {
            problems.append("tcp_user_timeout: 1 ms to 1 day, found \(userTimeout)")
        }
        if inherited.contains(where: { $0 < 0 }) || Set(inherited).count != inherited.count {
            problems.append("inherited sockets: descriptors that are open, each once")
        }
        return problems
    }
}
