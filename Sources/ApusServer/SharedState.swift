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
    /// Its loop has ended, as loops do in a drain.
    package let hasEnded = Atomic<Bool>(false)
    /// The kernel's number of its thread; 0 before it runs.
    package let thread = Atomic<Int32>(0)
}

package final class SharedState: Sendable {
    /// Pushes from other threads that may wait for a shard.
    static let pushesMax = 65_536

    private let connectionLimit: Atomic<Int>
    package let entries: [ShardEntry]
    package let mail: MailboxGrid
    package let vitals = ServerVitals()
    /// What each address has.
    package let hosts: HostTable
    /// What refers to each listener slot: its acceptors, and connections from the moment they are admitted.
    let listenerUses = ListenerUses()
    /// Acceptors that hand connections to other shards. While there are any, no shard may end by itself.
    let sharingAcceptors = Atomic<Int>(0)
    /// NPRO handshakes that were completed lately: the one table that shards share, unless a reload makes another.
    let replay: ReplayTable
    /// Made once, so that any shard resumes what another began.
    let tickets: TicketKeys
    package let events: ServerEvents
    /// Where ids of peers go, the same in all shards; nobody outside knows it.
    let relaySeed: UInt64
    /// Connections there can ever be at once, and as many again that have left and are still known somewhere.
    let peersMax: Int
    private let connections = Atomic<Int>(0)
    private let pushes = Atomic<Int>(0)
    private let ending = Atomic<Bool>(false)
    private let handedOn = Atomic<Bool>(false)
    /// Connections that drains had to force.
    private let forced = Atomic<Int>(0)

    /// - Parameter relaySeed: random, but for a simulation that has to be had again.
    package init(
        shardCount: Int, connectionsMax: Int, handshakesPerSecond: Int = 1, mailSizes: MailboxSizes = MailboxSizes(),
        relaySeed: UInt64 = .random(in: .min ... .max), events: ServerEvents? = nil
    ) throws(SystemError) {
        self.relaySeed = relaySeed
        self.events = if let events { events } else { try ServerEvents() }
        replay = ReplayTable(handshakesPerSecond: handshakesPerSecond)
        tickets = TicketKeys(nowSeconds: 0)
        mail = try MailboxGrid(shardCount: shardCount, sizes: mailSizes)
        hosts = try HostTable(connectionsMax: connectionsMax * Limits.connectionsReserve)
        connectionLimit = Atomic(connectionsMax)
        peersMax = 2 * connectionsMax * Limits.connectionsReserve
        entries = (0..<shardCount).map { _ in ShardEntry() }
    }

    /// Connections that the process may have at once. When it falls, those that are there stay.
    package var connectionsMax: Int { connectionLimit.load(ordering: .relaxed) }
    func limitConnections(to count: Int) { connectionLimit.store(count, ordering: .relaxed) }

    package var connectionCount: Int { connections.load(ordering: .relaxed) }
    package var forcedCount: Int { forced.load(ordering: .relaxed) }

    /// True the first time.
    @discardableResult
    package func beginEnd() -> Bool {
        guard !ending.exchange(true, ordering: .acquiringAndReleasing) else { return false }
        events.post(.drainBegun(connections: connectionCount))
        return true
    }

    /// The server drains or stops: shards end one after the other.
    var isEnding: Bool { ending.load(ordering: .acquiring) }

    /// Another process accepts from now on. Whoever was accepted here is served all the same, also when the end begins
    /// before a shard has heard of this.
    package func handOnListeners() { handedOn.store(true, ordering: .releasing) }
    var areListenersHandedOn: Bool { handedOn.load(ordering: .acquiring) }

    /// One more connection; false when the process has all it may have. Admin connections have places of their own.
    func admit(_ admission: Admission) -> Bool {
        guard admission.session == .admin ? vitals.admitAdmin() : admitConnection() else { return false }
        listenerUses.add(to: admission.listener)
        return true
    }

    private func admitConnection() -> Bool {
        if connections.add(1, ordering: .relaxed).newValue <= connectionsMax { return true }
        connections.subtract(1, ordering: .relaxed)
        return false
    }

    /// One connection less; its address too has one less.
    func release(_ admission: Admission) {
        hosts.release(admission.host)
        if admission.session == .admin { vitals.releaseAdmin() } else { connections.subtract(1, ordering: .relaxed) }
        listenerUses.remove(from: admission.listener)
    }

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

/// How much refers to each listener slot. A slot gets another listener only at zero.
final class ListenerUses: Sendable {
    /// All of it atomic; the pointer does not change.
    private nonisolated(unsafe) let counts: UnsafeMutablePointer<Atomic<Int>>

    init() {
        counts = .allocate(capacity: Limits.listenersMax)
        for slot in 0..<Limits.listenersMax { (counts + slot).initialize(to: Atomic(0)) }
    }

    deinit {
        counts.deinitialize(count: Limits.listenersMax)
        counts.deallocate()
    }

    func add(to slot: UInt8) { count(slot).pointee.add(1, ordering: .relaxed) }
    func remove(from slot: UInt8) { count(slot).pointee.subtract(1, ordering: .releasing) }
    func isUsed(_ slot: UInt8) -> Bool { count(slot).pointee.load(ordering: .acquiring) > 0 }

    private func count(_ slot: UInt8) -> UnsafeMutablePointer<Atomic<Int>> {
        precondition(Int(slot) < Limits.listenersMax, "no such slot")
        return counts + Int(slot)
    }
}
