// What has been seen to happen in runs, so that a suite can show that its seeds meet everything they are meant to meet.

import ApusReactor
import ApusServer

struct Sightings: Sendable {
    private(set) var counts: [String: UInt64] = [:]

    mutating func note(_ name: String, _ count: UInt64) {
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
    /// Reasons that no run can deserve: a reply over 16 MiB, and an errno that no operation here ends with.
    private static let undeserved: Set<CloseReason> = [.oversizeReply, .ioError]

    static let wanted: [String] =
        CloseReason.allCases.filter { !undeserved.contains($0) }.map { "closed \($0.label)" }
        + RefusalReason.allCases.map { "refused \($0.label)" }
        + [DropReason.replyForGoneConnection, .pushForGoneConnection, .memoryBudget, .handlerError, .unknownCommand]
        .map { "dropped \($0.label)" }
        + [
            "short sends", "starved receives", "ended receives", "cancelled receives", "cancelled sends",
            "cancels too late", "stale completions", "pauses", "async requests", "early async replies", "pings",
            "pushes",
        ]
}

extension Simulation {
    var sightings: Sightings {
        let (counters, tally) = (shard.state.pointee.counters, kernel.tally)
        var sightings = Sightings()
        for reason in CloseReason.allCases { sightings.note("closed \(reason.label)", counters.closed(reason)) }
        for reason in RefusalReason.allCases { sightings.note("refused \(reason.label)", counters.refused(reason)) }
        for reason in DropReason.allCases { sightings.note("dropped \(reason.label)", counters.dropped(reason)) }
        sightings.note("short sends", tally.shortSends)
        sightings.note("starved receives", tally.starvedReceives)
        sightings.note("ended receives", tally.endedReceives)
        sightings.note("cancelled receives", tally.cancelledReceives)
        sightings.note("cancelled sends", tally.cancelledSends)
        sightings.note("cancels too late", tally.cancelsTooLate)
        sightings.note("stale completions", tally.stale)
        sightings.note("pauses", counters.pauses.count)
        sightings.note("async requests", counters.asyncRequests.count)
        sightings.note("early async replies", UInt64(asyncRepliesEarly))
        sightings.note("pings", clients.reduce(0) { $0 + UInt64($1.pingsReceived) })
        sightings.note("pushes", clients.reduce(0) { $0 + UInt64($1.pushesReceived) })
        sightings.note("turns", UInt64(kernel.waitCount))
        sightings.note("turns for nothing", UInt64(turnsForNothing))
        return sightings
    }
}
