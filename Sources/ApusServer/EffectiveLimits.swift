// What a configuration comes to on a host: each limit as a sum with a reason per term, for whoever has to plan for it.
// It is arithmetic; nothing is reserved or opened here.

import ApusReactor
import ApusRelay
import ApusSecurity
import ApusWire

/// One limit, and what it is made of.
public struct EffectiveLimit: Equatable, Sendable {
    public enum Unit: String, Sendable {
        case bytes, connections, descriptors
    }

    public struct Term: Equatable, Sendable {
        /// Negative for what is taken away.
        public let value: Int
        /// What it is for, and how it comes about: `the budget for buffers (memory_budget)`.
        public let reason: String
    }

    /// `connections`, `descriptors`, `memory of a shard`, …
    public let name: String
    public let unit: Unit
    /// They add up to `sum`.
    public let terms: [Term]
    /// The most there can be on this host; nil: nothing says.
    public let available: Int?

    public var sum: Int { terms.reduce(0) { $0 + $1.value } }
    /// There may not be as much.
    public var isBeyondHost: Bool { available.map { sum > $0 } ?? false }
}

/// What the host gives a process.
public struct HostLimits: Equatable, Sendable {
    /// Descriptors a process may have open (nofile), as far as it may raise that.
    public var descriptors: Int
    /// What the kernel queues for one TCP connection at most when nobody says otherwise, in bytes.
    public var tcpSendByteCountMax: Int
    public var tcpReceiveByteCountMax: Int
    /// What it queues for one direction of a UNIX connection, in bytes.
    public var unixByteCount: Int
    /// What all TCP connections of the host may have queued, in bytes; nil: unknown.
    public var tcpTotalByteCountMax: Int?

    /// Of this host. Raises the soft limit of descriptors, as `Server.start` does.
    public static func current() -> HostLimits {
        let memory = SocketMemory.current()
        return HostLimits(
            descriptors: raiseDescriptorLimit(), tcpSendByteCountMax: memory.tcpSendByteCountMax,
            tcpReceiveByteCountMax: memory.tcpReceiveByteCountMax, unixByteCount: memory.unixByteCount,
            tcpTotalByteCountMax: memory.tcpTotalByteCountMax)
    }

    public init(
        descriptors: Int, tcpSendByteCountMax: Int, tcpReceiveByteCountMax: Int, unixByteCount: Int,
        tcpTotalByteCountMax: Int?
    ) {
        self.descriptors = descriptors
        self.tcpSendByteCountMax = tcpSendByteCountMax
        self.tcpReceiveByteCountMax = tcpReceiveByteCountMax
        self.unixByteCount = unixByteCount
        self.tcpTotalByteCountMax = tcpTotalByteCountMax
    }
}

extension ServerConfiguration {
    /// Every limit that depends on more than one setting, for a configuration without `problems()`.
    ///
    /// The sums are what can be in use at worst, not what is: memory is reserved as address space and becomes resident
    /// when it is used.
    public func effectiveLimits(on host: HostLimits = .current()) -> [EffectiveLimit] {
        let connections = connectionLimit(on: host)
        return [
            connections, descriptorLimit(connections.sum, on: host), shardMemory(on: host),
            processMemory(on: host), kernelMemory(connections.sum, on: host),
        ]
    }

    private typealias Term = EffectiveLimit.Term

    private func connectionLimit(on host: HostLimits) -> EffectiveLimit {
        let reach = Limits.connections(
            configured: maxConnections, descriptors: host.descriptors, listeners: listeners.count, shards: shards)
        var terms = [Term(value: maxConnections, reason: "max_connections")]
        if reach < maxConnections {
            let others = Limits.descriptorsBesides(listeners: listeners.count, shards: shards)
            terms.append(
                Term(
                    value: reach - maxConnections,
                    reason: "beyond the \(host.descriptors) descriptors of the process (nofile), of which \(others) "
                        + "are for other things"))
        }
        return EffectiveLimit(name: "connections", unit: .connections, terms: terms, available: nil)
    }

    private func descriptorLimit(_ connections: Int, on host: HostLimits) -> EffectiveLimit {
        let sockets = shards * listeners.count
        let besides = Limits.descriptorsBesides(listeners: listeners.count, shards: shards)
        let terms = [
            Term(value: connections, reason: "connections"),
            Term(value: sockets, reason: "listening sockets, at most one for each listener and shard"),
            Term(value: sockets, reason: "the server's own copies of them, for reloads and upgrades"),
            Term(value: 2 * shards, reason: "each shard's ring and eventfd"),
            Term(
                value: besides - 2 * sockets - 2 * shards,
                reason: "standard streams, the program's own files, a connection that is refused, admin connections"),
        ]
        return EffectiveLimit(name: "descriptors", unit: .descriptors, terms: terms, available: host.descriptors)
    }

    // MARK: Memory

    private func shardMemory(on host: HostLimits) -> EffectiveLimit {
        let ring = RingSizes()
        let slots = Limits.connectionsReserved(
            for: maxConnections, descriptors: host.descriptors, listeners: listeners.count, shards: shards)
        var terms = [
            Term(value: memoryBudgetPerShard, reason: "buffers of connections (memory_budget)"),
            Term(
                value: memoryBudgetPerShard / Limits.asyncMemoryShare,
                reason: "asynchronous requests under way, a quarter of memory_budget"),
            Term(
                value: Int(ring.buffers) * Int(ring.bufferByteCount),
                reason: "receive buffers: \(ring.buffers) of \(ring.bufferByteCount) bytes"),
            Term(
                value: 2 * PacketFormat.payloadByteCountMax,
                reason: "packing and unpacking a payload of the largest size, taken when first needed"),
            Term(
                value: Limits.openedByteCountMax + Limits.recordByteCountMin,
                reason: "what TLS opens, and wants sent, at a time"),
            Term(
                value: slots * Limits.slotByteCount,
                reason: "slots for \(slots) connections (\(Limits.connectionsReserve) times max_connections, for "
                    + "reloads), \(Limits.slotByteCount) bytes each"),
            Term(
                value: Limits.adminConnectionsMax * Limits.slotByteCount,
                reason: "slots for \(Limits.adminConnectionsMax) admin connections besides"),
            Term(value: ShardEventLane.byteCount, reason: "events on their way to the log"),
        ]
        if let relay { terms += relay.terms(slots: slots, peersMax: 2 * Limits.connectionsReserve * maxConnections) }
        return EffectiveLimit(name: "memory of a shard", unit: .bytes, terms: terms, available: nil)
    }

    private func processMemory(on host: HostLimits) -> EffectiveLimit {
        let shard = shardMemory(on: host).sum
        let mailbox = mailSizes.mailboxByteCount
        let slots = Limits.connectionsReserved(
            for: maxConnections, descriptors: host.descriptors, listeners: listeners.count, shards: shards)
        // As `Server.start` has it made.
        let counted = Limits.connectionsReserve * min(maxConnections, slots)
        var terms = [
            Term(value: shards * shard, reason: "shards: \(shards) of \(shard) bytes"),
            Term(
                value: shards * (shards - 1) * mailbox,
                reason: "mailboxes between shards: \(shards * (shards - 1)) of \(mailbox) bytes"),
            Term(
                value: HostTable.memoryByteCount(connectionsMax: counted),
                reason: "connections counted by address, for as many as a reload may allow"),
        ]
        if isHandshakeSpoken {
            terms.append(
                Term(
                    value: ReplayTable.memoryByteCount(handshakesPerSecond: handshakesPerSecondMax),
                    reason: "handshakes remembered: \(handshakesPerSecondMax) a second (max_handshake_rate)"))
        }
        return EffectiveLimit(name: "memory of the process", unit: .bytes, terms: terms, available: nil)
    }

    /// Any listener may have all connections, so the one whose connections cost most counts.
    private func kernelMemory(_ connections: Int, on host: HostLimits) -> EffectiveLimit {
        let costs = listeners.map { $0.kernelByteCounts(on: host) }
        guard let most = costs.max(by: { $0.send + $0.receive < $1.send + $1.receive }) else {
            return EffectiveLimit(name: "kernel socket buffers", unit: .bytes, terms: [], available: nil)
        }
        let terms = [
            Term(value: connections * most.send, reason: "to send: \(most.send) bytes a connection, \(most.reason)"),
            Term(
                value: connections * most.receive,
                reason: "received: \(most.receive) bytes a connection, \(most.receiveReason)"),
        ]
        return EffectiveLimit(
            name: "kernel socket buffers", unit: .bytes, terms: terms,
            available: most.isTCP ? host.tcpTotalByteCountMax : nil)
    }
}

extension RelayConfiguration {
    /// What a shard reserves for its relay, as `RelayShard` does.
    fileprivate func terms(slots: Int, peersMax: Int) -> [EffectiveLimit.Term] {
        let settings = RelaySettings(self)
        let backlog = BacklogLimits(settings)
        let registry = PeerRegistryLimits(settings.sizes, peersMax: peersMax)
        return [
            EffectiveLimit.Term(
                value: RelayBacklog.memoryByteCount(slotCount: slots, backlog),
                reason: "messages that wait for slow peers (backlog_budget), and what keeps them in order"),
            EffectiveLimit.Term(
                value: PeerDirectory.memoryByteCount(capacity: peersMax),
                reason: "where \(peersMax) peers are, twice what connections are reserved"),
            EffectiveLimit.Term(
                value: PeerRegistry.memoryByteCount(registry),
                reason: "peers whose home is the shard, and who is interested in them (max_subscriptions)"),
            EffectiveLimit.Term(
                value: UntoldPlaces.memoryByteCount(capacity: peersMax),
                reason: "what other shards could not be told of those yet"),
            EffectiveLimit.Term(
                value: PeerNewsQueue.memoryByteCount(slotCount: slots, capacity: settings.sizes.interestsMax),
                reason: "news that waits for peers to have room"),
            EffectiveLimit.Term(
                value: slots * MemoryLayout<RelayPeer>.stride + peersMax * MemoryLayout<UInt64>.stride
                    + 2 * WaitingSlots.memoryByteCount(slotCount: slots),
                reason: "peers of \(slots) slots, those that wait for lanes or buffers, those being forgotten"),
        ]
    }
}

/// What the kernel may keep for one connection.
private struct KernelByteCounts {
    let isTCP: Bool
    let send: Int
    let receive: Int
    let reason: String
    let receiveReason: String
}

extension ListenerConfiguration {
    fileprivate func kernelByteCounts(on host: HostLimits) -> KernelByteCounts {
        if address.hasPrefix("unix:") {
            let reason = "a UNIX socket's queue (net.core.wmem_default)"
            return KernelByteCounts(
                isTCP: false, send: host.unixByteCount, receive: host.unixByteCount, reason: reason,
                receiveReason: reason)
        }
        // The kernel doubles what it is asked for, for its own bookkeeping.
        let send = sendBufferByteCount.map { 2 * $0 } ?? host.tcpSendByteCountMax
        let unsent = notSentByteCountMax.map { ", of which \($0) may wait (max_unsent_bytes)" } ?? ""
        let source = sendBufferByteCount == nil ? "net.ipv4.tcp_wmem" : "twice send_buffer"
        return KernelByteCounts(
            isTCP: true, send: send, receive: host.tcpReceiveByteCountMax, reason: source + unsent,
            receiveReason: "net.ipv4.tcp_rmem")
    }
}
