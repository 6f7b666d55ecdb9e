// What a shard counts. Only its own thread writes; anyone reads, at any time, without stopping it.

import ApusRelay
import ApusSecurity
import Synchronization

/// A count that one thread writes: a relaxed load and store, no locked instruction.
package struct Counter: ~Copyable {
    private let value = Atomic<UInt64>(0)

    package init() {}

    @inline(__always)
    func add(_ amount: UInt64 = 1) {
        // One writer, so nothing is lost between the load and the store; 2^64 does not come.
        value.store(value.load(ordering: .relaxed) &+ amount, ordering: .relaxed)
    }

    func reset() { value.store(0, ordering: .relaxed) }

    package var count: UInt64 { value.load(ordering: .relaxed) }
}

/// A value that one thread writes and any may read.
package struct Gauge: ~Copyable {
    private let current = Atomic<UInt64>(0)

    package init() {}

    @inline(__always)
    func set(_ value: UInt64) { current.store(value, ordering: .relaxed) }

    package var value: UInt64 { current.load(ordering: .relaxed) }
}

package final class ShardCounters: Sendable {
    package let accepted = Counter()
    package let packetsReceived = Counter()
    package let bytesReceived = Counter()
    package let bytesSent = Counter()
    package let sends = Counter()
    package let shortSends = Counter()
    package let turns = Counter()
    package let completions = Counter()
    /// Receives that ended because no buffer was free; each was armed again.
    package let starvedReceives = Counter()
    /// How often a connection's requests were left unread because its replies waited.
    package let pauses = Counter()
    package let acceptPauses = Counter()
    package let doorbells = Counter()
    package let asyncRequests = Counter()
    package let pushes = Counter()
    package let staleCompletions = Counter()
    /// Connections that have their keys, and how many of them resumed a TLS session.
    package let handshakes = Counter()
    package let handshakesResumed = Counter()
    package let tlsReloads = Counter()
    package let tlsReloadsFailed = Counter()
    /// The same by listener, and what only makes sense by listener.
    package let listeners = ListenerCounterTable()
    /// When the last turn began, in nanoseconds of the loop's clock.
    package let lastTurn = Gauge()
    package let freeBuffers = Gauge()
    package let completionQueueOverflows = Gauge()
    package let turnDurations = LatencyHistogram()
    package let wakeDelays = LatencyHistogram()
    /// Once a message.
    package let serviceTimes = LatencyHistogram()

    package let relay = RelayCounters()

    private let closes: ReasonCounters
    private let refusals: ReasonCounters
    private let drops: ReasonCounters
    private let handshakeRefusals: ReasonCounters
    private let tlsFailures: ReasonCounters

    package init() {
        closes = ReasonCounters(count: CloseReason.allCases.count)
        refusals = ReasonCounters(count: RefusalReason.allCases.count)
        drops = ReasonCounters(count: DropReason.allCases.count)
        handshakeRefusals = ReasonCounters(count: HandshakeRefusal.allCases.count)
        tlsFailures = ReasonCounters(count: TLSFailure.kindCount)
    }

    func count(_ reason: CloseReason) { closes.add(Int(reason.rawValue)) }
    func count(_ reason: RefusalReason) { refusals.add(Int(reason.rawValue)) }
    func count(_ reason: DropReason, _ amount: UInt64 = 1) { drops.add(Int(reason.rawValue), amount) }

    func count(_ drops: BacklogDrops) {
        count(DropReason.peerBacklogFull, UInt64(drops.full))
        count(DropReason.relayBudget, UInt64(drops.budget))
        count(DropReason.peerBacklogAged, UInt64(drops.aged))
    }

    func count(_ refusal: HandshakeRefusal) { handshakeRefusals.add(refusal.index) }
    func count(_ failure: TLSFailure) { tlsFailures.add(failure.kind) }

    /// By label; reasons that never occurred are absent.
    package var handshakeRefused: [String: UInt64] {
        Dictionary(uniqueKeysWithValues: HandshakeRefusal.allCases.map { ($0.label, handshakeRefusals[$0.index]) })
            .filter { $0.value > 0 }
    }

    package var tlsFailed: [String: UInt64] {
        Dictionary(uniqueKeysWithValues: TLSFailure.kindLabels.enumerated().map { ($1, tlsFailures[$0]) })
            .filter { $0.value > 0 }
    }

    package func closed(_ reason: CloseReason) -> UInt64 { closes[Int(reason.rawValue)] }
    package func refused(_ reason: RefusalReason) -> UInt64 { refusals[Int(reason.rawValue)] }
    package func dropped(_ reason: DropReason) -> UInt64 { drops[Int(reason.rawValue)] }
    package var closedTotal: UInt64 { CloseReason.allCases.reduce(0) { $0 + closed($1) } }
}

/// One counter a reason, in memory of its own that lives as long as its owner.
final class ReasonCounters: Sendable {
    private nonisolated(unsafe) let counters: UnsafeMutablePointer<Counter>
    private let count: Int

    init(count: Int) {
        self.count = count
        counters = .allocate(capacity: count)
        for index in 0..<count { (counters + index).initialize(to: Counter()) }
    }

    deinit {
        counters.deinitialize(count: count)
        counters.deallocate()
    }

    func add(_ index: Int, _ amount: UInt64 = 1) {
        precondition(index < count)
        counters[index].add(amount)
    }

    subscript(index: Int) -> UInt64 {
        precondition(index < count)
        return counters[index].count
    }
}
