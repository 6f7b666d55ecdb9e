// What a server is doing, written down at once (SIGQUIT): counts and reasons, no peer and no payload.

import ApusServer
import Logging

struct StateDump {
    private let metrics: ServerMetrics
    private let maxConnections: Int
    private let addresses: [String]

    init(of handle: ServerHandle) {
        metrics = handle.metrics
        maxConnections = handle.maxConnections
        addresses = handle.boundAddresses
    }

    /// A record for each part, at notice.
    func log(to logger: Logger) {
        for part in parts { logger.notice("state: \(part.name)", metadata: part.metadata) }
    }

    /// The same as lines of text.
    var text: String {
        parts.map { part in
            let values = part.values.map { "\($0)=\($1)" }.joined(separator: " ")
            return "\(part.name): \(values.isEmpty ? "none" : values)"
        }.joined(separator: "\n")
    }

    private struct Part {
        let name: String
        let values: [(String, UInt64)]
        var texts: [String: String] = [:]

        var metadata: Logger.Metadata {
            var metadata: Logger.Metadata = [:]
            for (key, value) in values { metadata[key] = .stringConvertible(value) }
            for (key, value) in texts { metadata[key] = .string(value) }
            return metadata
        }
    }

    private var parts: [Part] { [connections, traffic, loops] + reasons }

    private var connections: Part {
        Part(
            name: "connections",
            values: [
                ("open", UInt64(max(0, metrics.openConnections))), ("max", UInt64(maxConnections)),
                ("accepted", metrics.accepted), ("handshakes", metrics.handshakes),
                ("handshakes_resumed", metrics.handshakesResumed),
            ],
            texts: ["addresses": addresses.joined(separator: ",")])
    }

    private var traffic: Part {
        Part(
            name: "traffic",
            values: [
                ("packets_received", metrics.packetsReceived), ("received_bytes", metrics.bytesReceived),
                ("sent_bytes", metrics.bytesSent), ("sends", metrics.sends), ("short_sends", metrics.shortSends),
                ("async_requests", metrics.asyncRequests), ("pushes", metrics.pushes),
            ])
    }

    private var loops: Part {
        Part(
            name: "loops",
            values: [
                ("turns", metrics.turns), ("completions", metrics.completions),
                ("starved_receives", metrics.starvedReceives), ("pauses", metrics.pauses),
                ("accept_pauses", metrics.acceptPauses), ("doorbells", metrics.doorbells),
                ("stale_completions", metrics.staleCompletions), ("tls_reloads", metrics.tlsReloads),
                ("tls_reloads_failed", metrics.tlsReloadsFailed),
            ])
    }

    private var reasons: [Part] {
        [
            Part(name: "closed", values: sorted(metrics.closed.map { ($0.label, $1) })),
            Part(name: "refused", values: sorted(metrics.refused.map { ($0.label, $1) })),
            Part(name: "dropped", values: sorted(metrics.dropped.map { ($0.label, $1) })),
            Part(name: "handshakes refused", values: sorted(metrics.handshakeRefusals.map { ($0, $1) })),
            Part(name: "TLS failures", values: sorted(metrics.tlsFailures.map { ($0, $1) })),
        ]
    }

    private func sorted(_ counts: [(String, UInt64)]) -> [(String, UInt64)] { counts.sorted { $0.0 < $1.0 } }
}
