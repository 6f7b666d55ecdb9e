// What one shard owns and its sessions and handlers reach: connections, buffers, routes, counters. It never calls the
// ring, so code that is given it can only collect; the shard acts at the end of the turn.

import ApusReactor
import ApusSecurity
import ApusWire

/// What a shard is made from; the same for all but the index and what counts and wakes it.
package struct ShardSettings: Sendable {
    package var index: UInt8
    package var limits: Limits
    package var dispatcher: Dispatcher
    package var unknownCommand: UnknownCommand
    package var systemAliases: Bool
    package var listenerNames: [String]  // tidy: settings, before the loop runs
    package var addressPolicy: AddressPolicy
    package var counters: ShardCounters
    package var sessions: [SessionKind]  // tidy: settings, before the loop runs
    package var securities: [ListenerSecurity]  // tidy: settings, before the loop runs
    /// Listeners whose connections begin with a PROXY header.
    package var proxied = ListenerSet()
    package var shared: SharedState
    package var inbox: Inbox<ShardEvent>
    /// Answers admin requests; needed where a listener speaks them.
    package var admin: AdminDesk?
    /// Needed where a listener speaks `relay`.
    package var relay: RelaySettings?

    package init(
        _ configuration: ServerConfiguration, _ dispatcher: Dispatcher, index: UInt8, shared: SharedState,
        inbox: Inbox<ShardEvent>
    ) {
        self.index = index
        self.dispatcher = dispatcher
        self.shared = shared
        self.inbox = inbox
        limits = Limits(configuration)
        unknownCommand = configuration.unknownCommand
        systemAliases = configuration.systemAliases
        listenerNames = configuration.listeners.map(\.name)
        sessions = configuration.listeners.map(\.session)
        addressPolicy = AddressPolicy(configuration.addressLimits)
        securities = configuration.listeners.map(\.security)
        counters = shared.entries[Int(index)].counters
        relay = configuration.relay.map { RelaySettings($0) }
        for (slot, listener) in configuration.listeners.enumerated() where listener.proxyProtocol {
            proxied.insert(UInt8(slot))
        }
    }
}

package struct ShardState: ~Copyable {
    package let index: UInt8
    package private(set) var limits: Limits
    package let counters: ShardCounters
    package let shared: SharedState
    let shardCount: Int
    package let inbox: Inbox<ShardEvent>
    let admin: AdminDesk?
    package var slab: Slab
    package var pool: BufferPool
    package var asyncReplies = AsyncReplies()
    /// Nil until a listener may speak `relay`; then for good.
    package private(set) var relay: UnsafeMutablePointer<RelayShard>?
    let routes: Routes
    private(set) var unknownCommand: UnknownCommand
    /// Looked at when a connection is accepted.
    private(set) var addressPolicy: AddressPolicy
    /// By slot, as `sessions` and `guards` are; a slot has another listener only when nothing refers to the one before.
    private(set) var listenerNames: [String]  // tidy: as many as there are slots; read by handlers that ask
    private(set) var sessions = InlineArray<64, SessionKind>(repeating: .message)
    private(set) var proxied: ListenerSet
    /// NPRO handshakes that were completed lately.
    private(set) var replay: ReplayTable
    /// The reload that was taken in last.
    private(set) var epoch: UInt64 = 0
    /// Seals and opens for all connections.
    var aead: AEADContext
    /// By slot; allocated in `init`, freed in `deinit`.
    let guards: UnsafeMutablePointer<ListenerGuard>
    /// Connections that have not agreed on keys.
    var handshakeCount = 0
    /// A payload that was unpacked, one that is being packed, and what TLS opened, and what it wants sent.
    var unpacked: Scratch
    var packed: Scratch
    var opened = Scratch(byteCount: Limits.openedByteCountMax)
    var records = Scratch(byteCount: Limits.recordByteCountMin)
    /// The time of this turn.
    package var now: Instant
    package var isDraining = false
    /// While a drain is paced: connections in slots below may be told to leave.
    var leavingSlotCount = UInt32.max
    /// Messages that came in this turn.
    var messageCount: UInt64 = 0
    /// Asynchronous requests under way, also of connections that are gone, and the bytes they hold.
    private(set) var asyncCount = 0
    private var asyncByteCount = 0
    /// A connection waits because of these, not of its own.
    var isAsyncStarved = false
    /// What may still be noted down in this second.
    var eventBudget = EventBudget()
    /// Shards to which something was posted in this turn and that sleep.
    var doorbells = ShardSet()

    /// Connections that something happened to in this turn, each once.
    private let touched: UnsafeMutablePointer<UInt32>
    private var touchedCount = 0

    package init(_ settings: ShardSettings, at now: Instant) throws {
        let pool = try BufferPool(byteBudget: settings.limits.memoryByteCount)
        guards = try ListenerGuard.allocate(settings.securities, tickets: settings.shared.tickets)
        self.pool = pool
        aead = AEADContext()
        unpacked = Scratch(byteCount: PacketFormat.payloadByteCountMax)
        packed = Scratch(byteCount: PacketFormat.payloadByteCountMax)
        index = settings.index
        limits = settings.limits
        counters = settings.counters
        shared = settings.shared
        shardCount = settings.shared.entries.count
        inbox = settings.inbox
        admin = settings.admin
        slab = Slab(capacity: settings.limits.connections)
        routes = Routes(settings.dispatcher, systemAliases: settings.systemAliases, shard: Int(settings.index))
        unknownCommand = settings.unknownCommand
        addressPolicy = settings.addressPolicy
        replay = settings.shared.replay
        let unused = Limits.listenersMax - settings.listenerNames.count
        listenerNames = settings.listenerNames + repeatElement("", count: unused)
        proxied = settings.proxied
        for (index, session) in settings.sessions.enumerated() { sessions[index] = session }
        touched = .allocate(capacity: settings.limits.connections)
        self.now = now
        if let relay = settings.relay { beginRelay(relay) }
    }

    deinit {
        if let relay {
            relay.deinitialize(count: 1)
            relay.deallocate()
        }
        touched.deallocate()
        guards.deinitialize(count: Limits.listenersMax)
        guards.deallocate()
    }

    /// A state with an address of its own, which sessions and replies hold; the caller destroys it.
    package static func allocate(
        _ settings: ShardSettings, at now: Instant
    ) throws -> UnsafeMutablePointer<ShardState> {
        let value = try ShardState(settings, at: now)
        let state = UnsafeMutablePointer<ShardState>.allocate(capacity: 1)
        state.initialize(to: value)
        return state
    }
}

// MARK: The relay

extension ShardState {
    /// There is one, or no listener speaks `relay`.
    @inline(__always)
    var relayShard: UnsafeMutablePointer<RelayShard> {
        guard let relay else { preconditionFailure("a relay's connection without a relay") }
        return relay
    }

    private mutating func beginRelay(_ settings: RelaySettings) {
        let relay = UnsafeMutablePointer<RelayShard>.allocate(capacity: 1)
        relay.initialize(
            to: RelayShard(
                settings, slotCount: slab.capacity, peersMax: shared.peersMax, seed: shared.relaySeed))
        self.relay = relay
    }

    fileprivate mutating func takeRelay(_ settings: RelaySettings) {
        if let relay { relay.pointee.take(settings) } else { beginRelay(settings) }
    }
}

// MARK: Reload

extension ShardState {
    /// Connections that stand keep what they began with; limits hold for all.
    mutating func take(_ reload: ShardReload) {
        epoch = reload.epoch
        limits.replace(with: reload.limits, at: now)
        unknownCommand = reload.unknownCommand
        addressPolicy = reload.addressPolicy
        replay = reload.replay
        if let settings = reload.relay { takeRelay(settings) }
        for change in reload.changes {
            let slot = Int(change.slot)
            // No connection refers to the one before any more.
            if listenerNames[slot] != change.name { counters.listeners[change.slot].pointee.reset() }
            listenerNames[slot] = change.name
            sessions[slot] = change.session
            proxied.set(change.slot, to: change.isProxied)
            change.security?.replace(guards + slot)
        }
    }
}

// MARK: The end of the turn

extension ShardState {
    /// See to this connection at the end of the turn.
    @inline(__always)
    mutating func touch(_ slot: UInt32) {
        let connection = slab[slot]
        guard !connection.pointee.isTouched else { return }
        connection.pointee.isTouched = true
        // Listed at most once, and there are no more slots than places.
        touched[touchedCount] = slot
        touchedCount += 1
    }

    /// The next connection to see to; nil when there is none left.
    @inline(__always)
    mutating func popTouched() -> UInt32? {
        guard touchedCount > 0 else { return nil }
        touchedCount -= 1
        return touched[touchedCount]
    }
}

// MARK: Counting

extension ShardState {
    @inline(__always)
    mutating func count(messages: UInt64, of listener: UInt8) {
        // Far from its end within a turn.
        messageCount &+= messages
        counters.packetsReceived.add(messages)
        counters.listeners[listener].pointee.messages.add(messages)
    }

    /// The end of a turn: one reading of the clock says how long it and its messages took.
    mutating func countTurn(until end: Instant, completions: UInt64) {
        counters.turns.add()
        counters.completions.add(completions)
        let duration = end - now
        counters.turnDurations.add(duration)
        if messageCount > 0 { counters.serviceTimes.add(duration, count: messageCount) }
        messageCount = 0
    }
}

// MARK: Asynchronous requests

extension ShardState {
    /// One more request of so many bytes may run off the loop; one always may.
    mutating func admitAsync(byteCount: Int) -> Bool {
        let hasRoom = asyncCount < Limits.asyncRequestsMax
            && asyncByteCount + byteCount <= limits.memoryByteCount / Limits.asyncMemoryShare
        guard hasRoom || asyncCount == 0 else {
            isAsyncStarved = true
            return false
        }
        asyncCount += 1
        asyncByteCount += byteCount
        return true
    }

    mutating func asyncEnded(byteCount: Int) {
        asyncCount = max(0, asyncCount - 1)
        asyncByteCount = max(0, asyncByteCount - byteCount)
    }
}

// MARK: Bytes that no request asked for

extension ShardState {
    /// Send an encoded packet to any connection, of this shard or another.
    mutating func push(_ message: Message, to token: ConnectionToken) {
        counters.pushes.add()
        guard let packet = PacketEncoder.encodeIfFits(message) else { return counters.count(DropReason.pushTooLarge) }
        guard token.shard == index else { return post(packet, to: token) }
        deliver(packet.span.bytes, to: token)
    }

    /// Append a packet to what a connection of this shard has to send.
    mutating func deliver(_ packet: RawSpan, to token: ConnectionToken) {
        guard let connection = slab.connection(token.slot, generation: token.generation),
            connection.pointee.phase == .open
        else { return counters.count(DropReason.pushForGoneConnection) }
        guard connection.pointee.unsentByteCount < limits.outstandingByteCountMax else {
            return counters.count(DropReason.pushOutstandingLimit)
        }
        guard connection.pointee.isEstablished else { return counters.count(DropReason.pushForUnestablished) }
        guard connection.pointee.mayCarry(packetByteCount: packet.byteCount) else {
            return counters.count(DropReason.pushTooLarge)
        }
        guard append(packet: packet, to: connection) else { return counters.count(DropReason.memoryBudget) }
        touch(token.slot)
    }
}

/// A set of shards, by index.
struct ShardSet: BitwiseCopyable {
    private var words: InlineArray<4, UInt64> = .init(repeating: 0)

    mutating func insert(_ shard: UInt8) { words[Int(shard) >> 6] |= 1 << UInt64(shard & 63) }

    /// The lowest member, removed; nil when empty.
    mutating func popFirst() -> UInt8? {
        for index in 0..<4 where words[index] != 0 {
            let bit = words[index].trailingZeroBitCount
            words[index] &= words[index] - 1
            return UInt8(index << 6 | bit)
        }
        return nil
    }
}
