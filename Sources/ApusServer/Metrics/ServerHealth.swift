// Whether a server lives and may be sent work, with every reason why not. A value, worked out when it is asked for.

import ApusReactor

/// What `/livez` and `/readyz` answer.
public struct ServerHealth: Equatable, Sendable {
    /// Why it should be started again: loops that stand still.
    public let stalls: [String]
    /// Why it should get no new work, the stalls among them; one line each.
    public let reasons: [String]

    /// Every loop has turned lately.
    public var isLive: Bool { stalls.isEmpty }
    /// Live, every listener accepts, every certificate is good now, and nobody asked it to leave.
    public var isReady: Bool { reasons.isEmpty }
}

extension ServerHealth {
    init(_ shared: SharedState, stallLimit: Nanoseconds, at now: Instant, unixSeconds: Int64) {
        stalls = ServerHealth.stalls(of: shared, stallLimit, now)
        var reasons = stalls
        if shared.isEnding { reasons.append("draining: no new work is taken") }
        if let reason = shared.vitals.unreadyReason { reasons.append(reason) }
        for record in shared.vitals.directory.all { reasons += ServerHealth.faults(of: record, at: unixSeconds) }
        self.reasons = reasons
    }

    private static func stalls(of shared: SharedState, _ limit: Nanoseconds, _ now: Instant) -> [String] {
        shared.entries.enumerated().compactMap { index, entry in
            if entry.hasEnded.load(ordering: .acquiring) { return nil }
            // A loop that has not turned yet has been starting since the server did.
            let last = Instant(nanoseconds: max(entry.counters.lastTurn.value, shared.vitals.started.nanoseconds))
            let age = now - last
            return age > limit ? "loop \(index): no turn for \(age / .second) s" : nil
        }
    }

    private static func faults(of record: ListenerRecord, at now: Int64) -> [String] {
        var faults: [String] = []
        if !record.isAccepting { faults.append("listener \(record.name): it does not accept") }
        if let validity = record.validity {
            if now < validity.lowerBound {
                faults.append("listener \(record.name): its certificate is not good yet")
            } else if now > validity.upperBound {
                let hours = (now - validity.upperBound) / 3600
                faults.append("listener \(record.name): its certificate expired \(hours) h ago")
            }
        }
        return faults
    }
}
