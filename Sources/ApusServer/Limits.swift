// Every limit of a shard, computed once from the configuration. Nothing in the shard grows beyond what stands here.

import ApusReactor
import ApusWire

package struct Limits: Sendable {
    /// A slot is 32 bits of a token, but descriptors and memory end long before.
    static let connectionsMax = 1_000_000
    /// Listeners at once, those that were removed and still have connections among them. A listener's slot is a byte of
    /// its connections, and every shard has rows for all there can be.
    package static let listenersMax = 64
    /// Admin connections at once in the process, beside those that are configured: whoever looks after a server that is
    /// full must get in.
    static let adminConnectionsMax = 32
    /// One send; more would hide from the stalled-write clock how the peer drains (it counts completed sends).
    static let sendByteCountMax = 256 << 10
    /// Undecoded bytes kept for a connection that waits before its receive is cancelled. The cancel leaves at the end
    /// of the turn, so what the kernel receives in that turn still arrives: at worst all buffers that the ring lends.
    /// Also the most of a packet that is gathered once the shard's buffers run low.
    static let backlogByteCountMax = 64 << 10
    /// Asynchronous requests a shard may have under way, those of connections that are gone among them: each is a task.
    static let asyncRequestsMax = 16_384
    /// The bytes that those requests hold are at most this part of a shard's buffer memory; they are not in it.
    static let asyncMemoryShare = 4
    /// A push to a connection of another shard: half of what its lane holds (a record must lie in one piece) less the
    /// record's header.
    static let mailByteCountMax = (128 << 10) - 16
    /// What may wait on a connection before a reply is written: the reply of the longest packet must still fit the
    /// largest buffer (32 MiB), since what gathers lies in one.
    /// With TLS the same as records.
    static let outstandingByteCountLimit = BufferPool.chunkByteCountMax - PacketFormat.payloadByteCountMax - 4096
        - (recordByteCountMax(plaintextByteCount: BufferPool.chunkByteCountMax) - BufferPool.chunkByteCountMax)
    /// What TLS opens at a time: four of its records, so that a lease is mostly opened in one step.
    static let openedByteCountMax = 64 << 10
    /// What TLS may want sent at a time: its largest record and some.
    static let recordByteCountMin = 32 << 10
    /// What sealing adds to so many bytes, at most: a header and a tag for each record of 16 KiB.
    static func recordByteCountMax(plaintextByteCount: Int) -> Int {
        plaintextByteCount + (plaintextByteCount / (16 << 10) + 1) * 128
    }
    /// What a peer of the relay may have gathered before messages for it wait in its backlog; and how much more of what
    /// is said besides: answers to pings, probes, news.
    static let relayGatheredByteCountMax = 64 << 10
    static let relayControlByteCountMax = 16 << 10
    /// The same of all that is said to who has not logged in: answers to a few pings.
    static let relayStrangerByteCountMax = 1 << 10
    /// After our FIN a peer has so long to send its own; until then its bytes are read and thrown away.
    static let lingerTimeout: Nanoseconds = 2 * .second
    /// A turn that comes so much later than it was to: the process was stopped. Peers then have as long again to be
    /// read before anything of theirs is overdue.
    static let standstill: Nanoseconds = 100 * .millisecond
    /// Connections accepted from a socket's queue when it is left; no queue of ours is longer.
    static let acceptRestMax = 4096
    /// How long accepting pauses when the process has no descriptor left.
    static let acceptPause: Nanoseconds = 100 * .millisecond
    /// A client that was held up may send so many seconds' worth of control messages at once.
    static let controlBurstSeconds = 2
    /// Silent heartbeat intervals after which a peer counts as dead (NPRO §6.1).
    static let silentIntervalsMax: UInt64 = 4

    /// Slots for connections; how many may be open at once is the process's to say (`SharedState.connectionsMax`).
    package var connections: Int
    var firstByteTimeout: Timeout
    /// From accept until keys are agreed on, all messages together.
    var handshakeTimeout: Timeout
    /// Connections of this shard that may be without keys at once.
    var handshakesAtOnce: Int
    var stalledWriteTimeout: Timeout
    /// What a packet or a batch of replies may take beyond its bytes' time.
    var slowPeerGrace: Timeout
    private var nanosecondsPerByte: Nanoseconds
    /// When a send is looked at for the first time.
    var sendPatience: Nanoseconds { min(stalledWriteTimeout.length, slowPeerGrace.length) }
    /// Messages of one connection that ask for nothing.
    var control: RateLimit
    var idleTimeout: Timeout?
    var heartbeatInterval: Timeout?
    /// From the first byte of an admin request to its last, and between two of them.
    var adminRequestTimeout: Nanoseconds
    var adminIdleTimeout: Nanoseconds
    package var asyncRequests: UInt32
    package var outstandingByteCountMax: Int
    package var payloadByteCountMax: Int
    package var memoryByteCount: Int
    /// Above this much of the budget a connection that has replies waiting is not read further.
    var memoryHighWater: Int

    /// What may wait on a TLS connection, its own records included. It never falls: beyond it connections are cut.
    var recordByteCountLimit: Int

    package init(_ configuration: ServerConfiguration) {
        connections = configuration.maxConnections + Limits.adminConnectionsMax
        firstByteTimeout = Timeout(configuration.firstByteTimeout)
        handshakeTimeout = Timeout(configuration.handshakeTimeout)
        handshakesAtOnce = configuration.handshakesAtOncePerShard
        stalledWriteTimeout = Timeout(configuration.stalledWriteTimeout)
        slowPeerGrace = Timeout(configuration.slowPeerGrace)
        nanosecondsPerByte = .second / Nanoseconds(configuration.peerByteRateMin)
        control = RateLimit(
            perSecond: configuration.controlRateMax, burst: Limits.controlBurstSeconds * configuration.controlRateMax)
        idleTimeout = configuration.idleTimeout.map { Timeout($0) }
        heartbeatInterval = configuration.heartbeatInterval.map { Timeout($0) }
        adminRequestTimeout = Nanoseconds(configuration.admin.requestTimeout)
        adminIdleTimeout = Nanoseconds(configuration.admin.idleTimeout)
        asyncRequests = UInt32(configuration.backpressureLimit)
        outstandingByteCountMax = configuration.outstandingByteCountMax
        recordByteCountLimit = outstandingByteCountMax + PacketFormat.payloadByteCountMax + (1 << 20)
        payloadByteCountMax = configuration.payloadByteCountMax
        memoryByteCount = configuration.memoryBudgetPerShard
        memoryHighWater = configuration.memoryBudgetPerShard / 8 * 7
    }

    /// Slots are reserved for so many times the connections that are configured, so that a reload may allow more. One
    /// that is never used costs address space only.
    static let connectionsReserve = 4

    /// When so many bytes, which began at `start`, have taken a peer too long.
    func deadline(from start: Instant, for byteCount: Int) -> Instant {
        // At most 48 MiB at a byte a second: 2^56 ns.
        slowPeerGrace.deadline(from: start) + Nanoseconds(byteCount) * nanosecondsPerByte
    }

    /// What one slot reserves in its shard: the connection, its generation, its places in two lists, its timer.
    static var slotByteCount: Int {
        MemoryLayout<Connection>.stride + MemoryLayout<Bool>.stride + 3 * MemoryLayout<UInt32>.stride
            + TimerWheel.timerByteCount
    }

    /// The connections a process can hold: what was asked for, as far as its descriptors reach.
    /// - Parameter descriptors: the process's limit (nofile).
    package static func connections(configured: Int, descriptors: Int, listeners: Int, shards: Int) -> Int {
        max(1, min(configured, descriptors - descriptorsBesides(listeners: listeners, shards: shards)))
    }

    /// Descriptors that are no connections.
    static func descriptorsBesides(listeners: Int, shards: Int) -> Int {
        let perShard = 2 * listeners + 2  // its listening sockets and the server's own copies, its ring, its eventfd
        // Standard streams, the program's own files, a connection that is refused; and admin connections.
        let others = 32 + adminConnectionsMax
        return shards * perShard + others
    }

    /// Slots to reserve at start, for all that a reload may allow.
    static func connectionsReserved(for configured: Int, descriptors: Int, listeners: Int, shards: Int) -> Int {
        connections(
            configured: min(configured * connectionsReserve, connectionsMax), descriptors: descriptors,
            listeners: listeners, shards: shards)
    }

    /// What a reload changes while connections are there. What was reserved stays, and timeouts that became shorter
    /// begin now.
    mutating func replace(with new: Limits, at now: Instant) {
        let old = self
        self = new
        connections = old.connections
        memoryByteCount = old.memoryByteCount
        memoryHighWater = old.memoryHighWater
        recordByteCountLimit = max(old.recordByteCountLimit, new.recordByteCountLimit)
        firstByteTimeout = old.firstByteTimeout.replaced(by: new.firstByteTimeout, at: now)
        handshakeTimeout = old.handshakeTimeout.replaced(by: new.handshakeTimeout, at: now)
        stalledWriteTimeout = old.stalledWriteTimeout.replaced(by: new.stalledWriteTimeout, at: now)
        slowPeerGrace = old.slowPeerGrace.replaced(
            by: new.slowPeerGrace, at: now, isStricter: new.nanosecondsPerByte < old.nanosecondsPerByte)
        idleTimeout = new.idleTimeout.map { Timeout.replacing(old.idleTimeout, by: $0, at: now) }
        heartbeatInterval = new.heartbeatInterval.map { Timeout.replacing(old.heartbeatInterval, by: $0, at: now) }
    }

    /// What one connection needs to echo the longest message: a packet is gathered by doubling (the old and the new
    /// buffer stand side by side for a copy), then its reply stands beside it.
    static func memoryBudgetMin(payloadByteCountMax: Int) -> Int {
        let packet = PacketFormat.headerByteCount + payloadByteCountMax
        let gathered = 2 * packet  // a power of two that holds it
        let reply = 2 * packet
        let copying = packet
        return max(gathered + reply + copying, 1 << 20)
    }
}
