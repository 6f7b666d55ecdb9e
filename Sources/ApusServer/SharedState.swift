// The little that all shards of a server share: the count of connections, what each shard counts and how to wake it.
// All of it is atomic or fixed.

import ApusReactor
import ApusSecurity
import Synchronization

/// What others may know of one shard.
package final class ShardEntry: Sendable {
    package let counters = ShardCounters()
    /// Connections that are this shard's, from the moment one is handed to it.
    package let open = Atomic<Int>(0)
    /// The descriptor of its ring, for doorbells; set before any shard runs.
    package let ring = Atomic<Int32>(-1)
}

package final class SharedState: Sendable {
    /// Pushes from other threads that may wait for a shard.
    static let pushesMax = 65_536

    package let connectionsMax: Int
    package let entries: [ShardEntry]
    package let mail: MailboxGrid
    /// NPRO handshakes that were completed lately: the one table that shards share.
    let replay: ReplayTable
    /// Made once, so that any shard resumes what another began.
    let tickets: TicketKeys
    package let events: ServerEvents
    private let connections = Atomic<Int>(0)
    private let pushes = Atomic<Int>(0)
    private let ending = Atomic<Bool>(false)
    /// Connections that drains had to force.
    private let forced = Atomic<Int>(0)

    package init(
        shardCount: Int, connectionsMax: Int, handshakesPerSecond: Int = 1, events: ServerEvents? = nil
    ) throws(SystemError) {
        self.events = if let events { events } else { try ServerEvents() }
        replay = ReplayTable(handshakesPerSecond: handshakesPerSecond)
        tickets = TicketKeys(nowSeconds: 0)
        mail = try MailboxGrid(shardCount: shardCount)
        self.connectionsMax = connectionsMax
        entries = (0..<shardCount).map { _ in ShardEntry() }
    }

    package var connectionCount: Int { connections.load(ordering: .relaxed) }
    package var forcedCount: Int { forced.load(ordering: .relaxed) }

    /// True the first time.
    func beginEnd() -> Bool {
        guard !ending.exchange(true, ordering: .relaxed) else { return false }
        events.post(.drainBegun(connections: connectionCount))
        return true
    }

    /// The server drains or stops: shards end one after the other.
    var isEnding: Bool { ending.load(ordering: .relaxed) }

    /// One more connection; false when the process has all it may have.
    func admit() -> Bool {
        if connections.add(1, ordering: .relaxed).newValue <= connectionsMax { return true }
        connections.subtract(1, ordering: .relaxed)
        return false
    }

    func release() { connections.subtract(1, ordering: .relaxed) }

    /// One more push may wait; false when too many do.
    func admitPush() -> Bool {
        if pushes.add(1, ordering: .relaxed).newValue <= SharedState.pushesMax { return true }
        pushes.subtract(1, ordering: .relaxed)
        return false
    }

    func pushTaken() { pushes.subtract(1, ordering: .relaxed) }

    func countForced() { forced.add(1, ordering: .relaxed) }

    /// The shard with the fewest connections; of equals, the lowest.
    func leastLoadedShard() -> UInt8 {
        var least = 0
        for shard in entries.indices.dropFirst() where load(shard) < load(least) { least = shard }
        return UInt8(least)
    }

    private func load(_ shard: Int) -> Int { entries[shard].open.load(ordering: .relaxed) }
}
