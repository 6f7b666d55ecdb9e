// What has been seen to happen in runs, so that a suite can show that its seeds meet everything they are meant to meet.

import ApusReactor
import ApusServer

struct Sightings: Sendable {
    private var counts: [String: UInt64] = [:]

    init() {}

    private mutating func note(_ name: String, _ count: UInt64) {
        if count > 0 { counts[name, default: 0] += count }
    }

    mutating func add(_ other: Sightings) {
        for (name, count) in other.counts { counts[name, default: 0] += count }
    }

    func missing(of names: [String]) -> [String] { names.filter { counts[$0] == nil } }

    var text: String {
        counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
    }
}

extension Sightings {
    /// What the runs together must meet. Not among it: an errno that no operation here ends with, lanes to other
    /// shards, and what a few thousand seeds meet by chance only.
    static let wanted: [String] =
        CloseReason.allCases.filter { !elsewhere.contains($0) }.map { "closed \($0.label)" }
        + [RefusalReason.connectionLimit, .noDescriptor, .aborted, .failed, .addressRate, .addressLimit]
        .map { "refused \($0.label)" }
        + [
            DropReason.replyForGoneConnection, .pushForGoneConnection, .pushOutstandingLimit, .handlerError,
            .unknownCommand,
        ]
        .map { "dropped \($0.label)" }
        + [
            "short sends", "starved receives", "ended receives", "cancelled receives", "cancelled sends",
            "cancels too late", "stale completions", "pauses", "async requests", "early async replies", "pings",
            "pushes", "reloads", "paced drains", "connections that outlived their listener",
        ]

    /// The model's connections are plain and speak packets; others are tested on the real kernel.
    private static let elsewhere: [CloseReason] = [
        .ioError, .handshakeTimeout, .handshakeRefused, .tlsHandshake, .tlsBroken, .sealTampered, .sealReplayed,
        .sealReflected, .decompression, .controlFlood, .badRequest, .requestTimeout, .proxyViolation, .addressLimit,
        .upgradeRefused, .webSocketViolation, .relayViolation, .authRefused, .replaced, .newsOverflow,
    ]
}

extension Sightings {
    /// What the runs of relays together must meet. Not among it: what a few hundred seeds meet by chance only.
    static let wantedOfRelays: [String] = [
        CloseReason.peerFinished, .disconnect, .truncated, .reset, .firstByteTimeout, .handshakeTimeout, .deadPeer,
        .stalledWrite, .memoryBudget, .controlFlood, .badRequest, .upgradeRefused,
        .webSocketViolation, .relayViolation, .authRefused, .replaced, .newsOverflow, .drained, .stopped,
    ].map { "closed \($0.label)" }
        + RelaySimulation.drops.filter { $0 != .peerMoved }.map { "dropped \($0.label)" }
        + [
            "datagrams heard", "posted to other shards", "news", "flapping ids", "refused subscriptions",
            "doorbells", "quiet ends", "short sends", "starved receives", "pauses",
        ]

    init(of simulation: RelaySimulation) {
        for shard in simulation.shards {
            let counters = shard.counters
            for reason in CloseReason.allCases { note("closed \(reason.label)", counters.closed(reason)) }
            for reason in RefusalReason.allCases { note("refused \(reason.label)", counters.refused(reason)) }
            for reason in DropReason.allCases { note("dropped \(reason.label)", counters.dropped(reason)) }
            note("posted to other shards", counters.relay.messagesPosted.count)
            note("news", counters.relay.newsTold.count)
            note("flapping ids", counters.relay.flappings.count)
            note("refused subscriptions", counters.relay.subscriptionsRefused.count)
            note("lost notices", counters.relay.noticesLost.count)
            note("doorbells", counters.doorbells.count)
            note("short sends", counters.shortSends.count)
            note("starved receives", shard.kernel.tally.starvedReceives)
            note("pauses", counters.pauses.count)
            note("turns", UInt64(shard.kernel.waitCount))
        }
        note("datagrams written", simulation.post.writtenCount())
        note("datagrams heard", simulation.post.heardCount)
        note("overtakings", simulation.post.overtakings)
        note("quiet ends", simulation.wasQuiet ? 1 : 0)
    }
}

extension Sightings {
    init(of simulation: Simulation) {
        let (counters, tally) = (simulation.state.pointee.counters, simulation.kernel.tally)
        for reason in CloseReason.allCases { note("closed \(reason.label)", counters.closed(reason)) }
        for reason in RefusalReason.allCases { note("refused \(reason.label)", counters.refused(reason)) }
        for reason in DropReason.allCases { note("dropped \(reason.label)", counters.dropped(reason)) }
        note("short sends", counters.shortSends.count)
        note("starved receives", tally.starvedReceives)
        note("ended receives", tally.endedReceives)
        note("cancelled receives", tally.cancelledReceives)
        note("cancelled sends", tally.cancelledSends)
        note("cancels too late", tally.cancelsTooLate)
        note("stale completions", tally.stale)
        note("pauses", counters.pauses.count)
        note("async requests", counters.asyncRequests.count)
        note("early async replies", UInt64(simulation.asyncDesk.earlyCountMax))
        note("pings", simulation.clients.reduce(0) { $0 + UInt64($1.hearing.pingCount) })
        note("pushes", simulation.clients.reduce(0) { $0 + UInt64($1.hearing.pushCount) })
        note("reloads", simulation.reloadCount)
        if case .drain(_, let window) = simulation.plan.ending, window > 0 { note("paced drains", 1) }
        note("connections that outlived their listener", simulation.outlivedCount)
        note("bytes received", tally.bytesReceived)
        note("bytes sent", tally.bytesSent)
        note("turns", UInt64(simulation.kernel.waitCount))
    }
}
