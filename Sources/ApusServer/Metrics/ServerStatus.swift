// A report as the JSON of `/status`. Its shape is a promise to `apus top` and to the page (docs/admin.md).

import ApusWire

extension ServerReport {
    /// - Parameters:
    ///   - top: connections to list; nil: none were asked for.
    ///   - peers: of the relay, the same.
    package func statusJSON(top: SurveyResult? = nil, peers: [SurveyedConnection]? = nil) -> String {
        var json = JSONText()
        json.object { json in
            writeServer(to: &json)
            json.object("connections") { json in
                json.value("open", connectionsOpen)
                json.value("max", connectionsMax)
            }
            json.array("listeners") { json in listeners.forEach { write($0, to: &json) } }
            json.array("loops") { json in
                for (index, loop) in loops.enumerated() { write(loop, index, to: &json) }
            }
            writeTotals(to: &json)
            writeReasons(to: &json)
            write(serviceTimes, to: &json)
            if isRelay { totals.relay.write(to: &json) }
            if let top { write(top, to: &json) }
            if let peers { json.array("peers") { json in peers.forEach { write($0, to: &json) } } }
        }
        return json.text
    }

    private func writeServer(to json: inout JSONText) {
        json.value("version", version)
        json.value("pid", pid)
        json.value("started_unix_seconds", startedUnixSeconds)
        json.value("uptime_seconds", uptimeSeconds)
        json.value("state", isDraining ? "draining" : "serving")
        json.value("live", health.isLive)
        json.value("ready", health.isReady)
        json.array("reasons") { json in health.reasons.forEach { json.value(nil, $0) } }
    }

    private func write(_ listener: ListenerReport, to json: inout JSONText) {
        json.object { json in
            json.value("name", listener.record.name)
            json.value("address", listener.record.address)
            json.value("protocol", listener.record.session.label)
            json.value("transport", listener.record.transport.rawValue)
            json.value("security", listener.record.security)
            json.value("open", listener.open)
            json.value("accepted", listener.accepted)
            json.value("messages", listener.messages)
            json.value("received_bytes", listener.bytesReceived)
            json.value("sent_bytes", listener.bytesSent)
        }
    }

    private func write(_ loop: LoopReport, _ index: Int, to json: inout JSONText) {
        json.object { json in
            json.value("loop", index)
            json.value("connections", loop.connections)
            json.value("turns", loop.turns)
            json.value("completions", loop.completions)
            json.value("busy_seconds", loop.busySeconds)
            json.value("last_turn_age_seconds", loop.lastTurnAgeSeconds)
            json.value("starved_receives", loop.starvedReceives)
            json.value("free_buffers", loop.freeBuffers)
            json.value("completion_queue_overflows", loop.completionQueueOverflows)
        }
    }

    private func writeTotals(to json: inout JSONText) {
        json.object("totals") { json in
            json.value("accepted", totals.accepted)
            json.value("messages", totals.packetsReceived)
            json.value("received_bytes", totals.bytesReceived)
            json.value("sent_bytes", totals.bytesSent)
            json.value("handshakes", totals.handshakes)
            json.value("handshakes_resumed", totals.handshakesResumed)
        }
    }

    private func writeReasons(to json: inout JSONText) {
        write("closes", totals.closed.map { ($0.label, $1) }, to: &json)
        write("refusals", totals.refused.map { ($0.label, $1) }, to: &json)
        write("drops", totals.dropped.map { ($0.label, $1) }, to: &json)
        write("handshake_refusals", totals.handshakeRefusals.map { ($0, $1) }, to: &json)
        write("tls_failures", totals.tlsFailures.map { ($0, $1) }, to: &json)
        json.object("reloads") { json in
            json.value("applied", reloads.applied)
            json.value("refused", reloads.refused)
        }
    }

    /// Reasons that never occurred are absent.
    private func write(_ key: String, _ counts: [(label: String, count: UInt64)], to json: inout JSONText) {
        json.object(key) { json in
            for (label, count) in counts.sorted(by: { $0.label < $1.label }) { json.value(label, count) }
        }
    }

    /// The last bucket, which has no bound, is what `count` is more than the one before.
    private func write(_ service: HistogramSnapshot, to json: inout JSONText) {
        json.object("service_seconds") { json in
            json.value("count", service.count)
            json.value("sum", service.sumSeconds)
            json.array("buckets") { json in
                for (bound, count) in zip(HistogramSnapshot.boundsSeconds, service.cumulativeCounts) {
                    json.object { json in
                        json.value("le", bound)
                        json.value("count", count)
                    }
                }
            }
        }
    }
}

// MARK: Connections

extension ServerReport {
    private func write(_ top: SurveyResult, to json: inout JSONText) {
        json.object("top") { json in
            json.array("by_bytes") { json in top.byBytes.forEach { write($0, to: &json) } }
            json.array("by_queue") { json in top.byQueue.forEach { write($0, to: &json) } }
        }
    }

    private func write(_ connection: SurveyedConnection, to json: inout JSONText) {
        let listener = listeners.first { $0.record.place == connection.listener }
        json.object { json in
            json.value("listener", listener?.record.name ?? "")
            json.value("peer", connection.peer)
            if let id = connection.relayPeer { json.value("peer_id", id) }
            json.value("age_seconds", Double(connection.ageNanoseconds) / 1e9)
            json.value("received_bytes", connection.bytesReceived)
            json.value("sent_bytes", connection.bytesSent)
            json.value("queued_bytes", connection.bytesQueued)
        }
    }
}

extension SessionKind {
    /// The protocol's name in the configuration.
    package var label: String {
        switch self {
        case .message: "packet"
        case .packet: "raw"
        case .admin: "admin"
        case .relay: "relay"
        }
    }
}
