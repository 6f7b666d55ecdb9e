// What a server's /status said at one moment. Everything may be missing; what is unknown is passed over.

import Foundation

/// An answer that is no status.
package struct StatusUnreadable: Error, Equatable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

package struct StatusSample: Sendable {
    struct Listener: Sendable {
        let name, address, service, security: String
        let open, accepted, messages, receivedBytes, sentBytes: Double?
    }

    struct Loop: Sendable {
        let number: Int
        let connections, turns, completions, busySeconds, lastTurnAgeSeconds: Double?
        let starvedReceives, freeBuffers, overflows: Double?
    }

    struct Peer: Sendable {
        let listener, peer: String
        let ageSeconds, receivedBytes, sentBytes, queuedBytes: Double?
    }

    /// Reasons of one kind, such as why connections were closed.
    struct Reasons: Sendable {
        let kind: String
        let counts: [(name: String, value: Double)]
    }

    /// On a clock that only goes forward.
    let takenAtSeconds: Double
    let version, state: String
    let pid: Int?
    let startedUnixSeconds, uptimeSeconds: Double?
    let isLive, isReady: Bool?
    let reasons: [String]
    let open, openMax: Double?
    let listeners: [Listener]
    let loops: [Loop]
    let accepted, messages, receivedBytes, sentBytes, handshakes, handshakesResumed: Double?
    let counts: [Reasons]
    let service: LatencyBuckets
    let peersByBytes, peersByQueue: [Peer]

    package init(json: [UInt8], takenAtSeconds: Double) throws(StatusUnreadable) {
        let value: StatusValue
        do {
            value = try JSONDecoder().decode(StatusValue.self, from: Data(json))
        } catch {
            throw StatusUnreadable("what answers there sends no JSON: is it the admin address?")
        }
        guard case .object = value else { throw StatusUnreadable("what answers there sends no JSON object") }
        self.init(value, takenAtSeconds: takenAtSeconds)
    }

    init(_ value: StatusValue, takenAtSeconds: Double) {
        self.takenAtSeconds = takenAtSeconds
        version = value["version"].text ?? "?"
        state = value["state"].text ?? "?"
        pid = value["pid"].number.flatMap { Int(exactly: $0) }
        startedUnixSeconds = value["started_unix_seconds"].number
        uptimeSeconds = value["uptime_seconds"].number
        (isLive, isReady) = (value["live"].bool, value["ready"].bool)
        reasons = value["reasons"].list.compactMap(\.text)
        (open, openMax) = (value["connections"]["open"].number, value["connections"]["max"].number)
        listeners = value["listeners"].list.map(Listener.init)
        loops = value["loops"].list.enumerated().map { Loop($1, index: $0) }
        let totals = value["totals"]
        (accepted, messages) = (totals["accepted"].number, totals["messages"].number)
        (receivedBytes, sentBytes) = (totals["received_bytes"].number, totals["sent_bytes"].number)
        (handshakes, handshakesResumed) = (totals["handshakes"].number, totals["handshakes_resumed"].number)
        counts = StatusSample.kinds.map { Reasons(kind: $0.kind, counts: value[$0.member].numbers) }
        service = LatencyBuckets(value["service_seconds"])
        peersByBytes = value["top"]["by_bytes"].list.map(Peer.init)
        peersByQueue = value["top"]["by_queue"].list.map(Peer.init)
    }

    private static let kinds: [(member: String, kind: String)] = [
        ("drops", "drop"), ("refusals", "refusal"), ("handshake_refusals", "handshake"), ("tls_failures", "tls"),
        ("closes", "close"), ("reloads", "reload"),
    ]

    /// Counters of another process, or of this one before it began anew, say nothing about what happened in between.
    func continues(_ earlier: StatusSample) -> Bool {
        pid == earlier.pid && takenAtSeconds > earlier.takenAtSeconds && startsWith(earlier)
    }

    /// The start may be reckoned back from a clock that is being corrected; nobody restarts within a second.
    private func startsWith(_ earlier: StatusSample) -> Bool {
        guard let started = startedUnixSeconds, let before = earlier.startedUnixSeconds else { return true }
        return abs(started - before) < 1
    }
}

extension StatusSample.Listener {
    fileprivate init(_ value: StatusValue) {
        name = value["name"].text ?? "?"
        address = value["address"].text ?? "?"
        service = value["protocol"].text ?? "?"
        security = value["security"].text ?? "?"
        (open, accepted) = (value["open"].number, value["accepted"].number)
        messages = value["messages"].number
        (receivedBytes, sentBytes) = (value["received_bytes"].number, value["sent_bytes"].number)
    }
}

extension StatusSample.Loop {
    fileprivate init(_ value: StatusValue, index: Int) {
        number = value["loop"].number.flatMap { Int(exactly: $0) } ?? index
        connections = value["connections"].number
        (turns, completions) = (value["turns"].number, value["completions"].number)
        busySeconds = value["busy_seconds"].number
        lastTurnAgeSeconds = value["last_turn_age_seconds"].number
        (starvedReceives, freeBuffers) = (value["starved_receives"].number, value["free_buffers"].number)
        overflows = value["completion_queue_overflows"].number
    }
}

extension StatusSample.Peer {
    fileprivate init(_ value: StatusValue) {
        listener = value["listener"].text ?? "?"
        peer = value["peer"].text ?? "?"
        ageSeconds = value["age_seconds"].number
        (receivedBytes, sentBytes) = (value["received_bytes"].number, value["sent_bytes"].number)
        queuedBytes = value["queued_bytes"].number
    }
}
