// The counters of all shards, added up at one moment. A value: it does not change while it is read.

import ApusReactor

public struct ServerMetrics: Sendable {
    public private(set) var openConnections = 0
    public private(set) var accepted: UInt64 = 0
    public private(set) var packetsReceived: UInt64 = 0
    public private(set) var bytesReceived: UInt64 = 0
    public private(set) var bytesSent: UInt64 = 0
    public private(set) var sends: UInt64 = 0
    public private(set) var shortSends: UInt64 = 0
    /// Turns of the event loops: system calls, within a few.
    public private(set) var turns: UInt64 = 0
    public private(set) var completions: UInt64 = 0
    /// Receives that found no free buffer and were armed again.
    public private(set) var starvedReceives: UInt64 = 0
    /// Times a connection's requests were left unread because its replies waited.
    public private(set) var pauses: UInt64 = 0
    /// Times accepting paused because the kernel could not accept.
    public private(set) var acceptPauses: UInt64 = 0
    /// Shards woken by another.
    public private(set) var doorbells: UInt64 = 0
    /// Completions that came for a connection that was gone.
    public private(set) var staleCompletions: UInt64 = 0
    public private(set) var asyncRequests: UInt64 = 0
    /// Protected connections that got their keys, and how many of them by resuming a TLS session.
    public private(set) var handshakes: UInt64 = 0
    public private(set) var handshakesResumed: UInt64 = 0
    /// Certificates replaced at run time, and replacements that failed; one each shard.
    public private(set) var tlsReloads: UInt64 = 0
    public private(set) var tlsReloadsFailed: UInt64 = 0
    /// Reloads of the configuration that took effect, and those that were refused whole.
    public private(set) var reloadsApplied: UInt64 = 0
    public private(set) var reloadsRefused: UInt64 = 0
    public private(set) var pushes: UInt64 = 0
    /// Connections closed, by reason; reasons that never occurred are absent.
    public private(set) var closed: [CloseReason: UInt64] = [:]
    /// Connections refused, by reason.
    public private(set) var refused: [RefusalReason: UInt64] = [:]
    /// Replies and pushes that were not delivered, by reason.
    public private(set) var dropped: [DropReason: UInt64] = [:]

    /// NPRO handshakes refused, by the refusal's label.
    public private(set) var handshakeRefusals: [String: UInt64] = [:]
    /// TLS connections that failed, during the handshake or after it, by the failure's label.
    public private(set) var tlsFailures: [String: UInt64] = [:]

    public private(set) var relay = RelayMetrics()

    /// Events that found no room on their way to the event sink.
    public private(set) var eventsLost: UInt64 = 0

    init(_ shared: SharedState) {
        eventsLost = shared.events.lostCount
        openConnections = shared.connectionCount
        (reloadsApplied, reloadsRefused) = shared.vitals.reloads
        for entry in shared.entries { add(entry.counters) }
    }

    private mutating func add(_ counters: ShardCounters) {
        accepted += counters.accepted.count
        packetsReceived += counters.packetsReceived.count
        bytesReceived += counters.bytesReceived.count
        bytesSent += counters.bytesSent.count
        sends += counters.sends.count
        shortSends += counters.shortSends.count
        turns += counters.turns.count
        completions += counters.completions.count
        starvedReceives += counters.starvedReceives.count
        pauses += counters.pauses.count
        acceptPauses += counters.acceptPauses.count
        doorbells += counters.doorbells.count
        staleCompletions += counters.staleCompletions.count
        asyncRequests += counters.asyncRequests.count
        handshakes += counters.handshakes.count
        handshakesResumed += counters.handshakesResumed.count
        tlsReloads += counters.tlsReloads.count
        tlsReloadsFailed += counters.tlsReloadsFailed.count
        pushes += counters.pushes.count
        relay.add(counters.relay)
        handshakeRefusals.merge(counters.handshakeRefused, uniquingKeysWith: +)
        tlsFailures.merge(counters.tlsFailed, uniquingKeysWith: +)
        for reason in CloseReason.allCases { closed[reason] = sum(closed[reason], counters.closed(reason)) }
        for reason in RefusalReason.allCases { refused[reason] = sum(refused[reason], counters.refused(reason)) }
        for reason in DropReason.allCases { dropped[reason] = sum(dropped[reason], counters.dropped(reason)) }
    }

    private func sum(_ before: UInt64?, _ more: UInt64) -> UInt64? {
        let sum = (before ?? 0) + more
        return sum == 0 ? nil : sum
    }
}
