// Every limit of a shard, computed once from the configuration. Nothing in the shard grows beyond what stands here.

import ApusReactor
import ApusWire

package struct Limits: Sendable {
    /// A slot is 32 bits of a token, but descriptors and memory end long before.
    static let connectionsMax = 1_000_000
    /// A listener's index is a byte of its connections, and every shard has rows for all there can be.
    static let listenersMax = 64
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
    /// After our FIN a peer has so long to send its own; until then its bytes are read and thrown away.
    static let lingerTimeout: Nanoseconds = 2 * .second
    /// How long accepting pauses when the process has no descriptor left.
    static let acceptPause: Nanoseconds = 100 * .millisecond
    /// Silent heartbeat intervals after which a peer counts as dead (NPRO §6.1).
    static let silentIntervalsMax: UInt64 = 4

    package var connections: Int
    var firstByteTimeout: Nanoseconds
    /// From accept until keys are agreed on, all messages together.
    var handshakeTimeout: Nanoseconds
    /// Connections of this shard that may be without keys at once.
    var handshakesAtOnce: Int
    var stalledWriteTimeout: Nanoseconds
    var idleTimeout: Nanoseconds?
    var heartbeatInterval: Nanoseconds?
    /// From the first byte of an admin request to its last, and between two of them.
    var adminRequestTimeout: Nanoseconds
    var adminIdleTimeout: Nanoseconds
    package var asyncRequests: UInt32
    package var outstandingByteCountMax: Int
    package var payloadByteCountMax: Int
    package var memoryByteCount: Int
    /// Above this much of the budget a connection that has replies waiting is not read further.
    var memoryHighWater: Int

    /// What may wait on a TLS connection, its own records included.
    var recordByteCountLimit: Int { outstandingByteCountMax + PacketFormat.payloadByteCountMax + (1 << 20) }

    package init(_ configuration: ServerConfiguration) {
        connections = configuration.maxConnections + Limits.adminConnectionsMax
        firstByteTimeout = Nanoseconds(configuration.firstByteTimeout)
        handshakeTimeout = Nanoseconds(configuration.handshakeTimeout)
        handshakesAtOnce = configuration.handshakesAtOncePerShard
        stalledWriteTimeout = Nanoseconds(configuration.stalledWriteTimeout)
        idleTimeout = configuration.idleTimeout.map { Nanoseconds($0) }
        heartbeatInterval = configuration.heartbeatInterval.map { Nanoseconds($0) }
        adminRequestTimeout = Nanoseconds(configuration.admin.requestTimeout)
        adminIdleTimeout = Nanoseconds(configuration.admin.idleTimeout)
        asyncRequests = UInt32(configuration.backpressureLimit)
        outstandingByteCountMax = configuration.outstandingByteCountMax
        payloadByteCountMax = configuration.payloadByteCountMax
        memoryByteCount = configuration.memoryBudgetPerShard
        memoryHighWater = configuration.memoryBudgetPerShard / 8 * 7
    }

    /// The connections a process can hold: what was asked for, as far as its descriptors reach.
    /// - Parameter descriptors: the process's limit (nofile).
    package static func connections(configured: Int, descriptors: Int, listeners: Int, shards: Int) -> Int {
        let perShard = listeners + 2  // its listening sockets, its ring, its eventfd
        // Standard streams, the program's own files, a connection that is refused; and admin connections.
        let others = 32 + adminConnectionsMax
        return max(1, min(configured, descriptors - shards * perShard - others))
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
