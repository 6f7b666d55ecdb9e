// `/health` as NetBird's relay answers it (relay.md §3.6), so that probes need not change. It dials nobody: what the
// loops and listeners say of themselves counts, and not whether this host can reach its own public name.

import ApusReactor
import ApusWire

struct AdminHealth {
    private let health: ServerHealth
    private let unixMilliseconds: UInt64
    /// Transports of relay listeners that accept, by NetBird's names.
    private let listeners: [String]
    private let isCertificateValid: Bool

    init(_ shared: SharedState, stallLimit: Duration) {
        let now = WallClock.milliseconds()
        self.init(
            shared.health(stallLimit: stallLimit), shared.vitals.directory.all, isEnding: shared.isEnding,
            unixMilliseconds: now)
    }

    /// - Parameter isEnding: no listener takes anybody any more.
    init(_ health: ServerHealth, _ records: [ListenerRecord], isEnding: Bool, unixMilliseconds: UInt64) {
        self.health = health
        self.unixMilliseconds = unixMilliseconds
        let accepts = records.contains { $0.session == .relay && $0.isAccepting } && !isEnding
        listeners = accepts ? ["ws"] : []
        let now = Int64(unixMilliseconds / 1000)
        // A relay without TLS has none that could be bad.
        isCertificateValid = records.allSatisfy { $0.session != .relay || $0.validity?.contains(now) ?? true }
    }

    var response: AdminResponse {
        var json = JSONText()
        json.object { json in
            json.value("status", health.isReady ? "healthy" : "unhealthy")
            json.value("timestamp", HTTPDate.internetText(unixMilliseconds: unixMilliseconds))
            json.array("listeners") { json in listeners.forEach { json.value(nil, $0) } }
            json.value("certificate_valid", isCertificateValid)
            // NetBird's has no such member; whoever looks learns why.
            if !health.isReady { json.array("reasons") { json in health.reasons.forEach { json.value(nil, $0) } } }
        }
        return .json(health.isReady ? .ok : .serviceUnavailable, json.text)
    }
}
