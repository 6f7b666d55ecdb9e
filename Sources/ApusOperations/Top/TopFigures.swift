// What two samples say together: rates, quantiles of what was answered in between, and how reasons moved. With one
// sample, or after a restart, whatever needs two is missing.

package struct TopFigures: Encodable, Sendable {
    package struct Service: Encodable, Sendable {
        let messages: Double
        let p50Seconds, p99Seconds, p999Seconds: Double?

        enum CodingKeys: String, CodingKey {
            case messages
            case p50Seconds = "p50_seconds"
            case p99Seconds = "p99_seconds"
            case p999Seconds = "p999_seconds"
        }
    }

    package struct Loop: Encodable, Sendable {
        let loop: Int
        let connections, busy, turnsPerSecond, completionsPerTurn, starved: Double?
        let freeBuffers, overflows, lastTurnAgeSeconds: Double?

        enum CodingKeys: String, CodingKey {
            case loop, connections, busy, starved, overflows
            case turnsPerSecond = "turns_per_second"
            case completionsPerTurn = "completions_per_turn"
            case freeBuffers = "free_buffers"
            case lastTurnAgeSeconds = "last_turn_age_seconds"
        }
    }

    package struct Listener: Encodable, Sendable {
        let name, address, service, security: String
        let open, accepted, messagesPerSecond, receivedBytesPerSecond, sentBytesPerSecond: Double?

        enum CodingKeys: String, CodingKey {
            case name, address, security, open, accepted
            case service = "protocol"
            case messagesPerSecond = "messages_per_second"
            case receivedBytesPerSecond = "received_bytes_per_second"
            case sentBytesPerSecond = "sent_bytes_per_second"
        }
    }

    package struct Peer: Encodable, Sendable {
        let listener, peer: String
        let ageSeconds, receivedBytes, sentBytes, queuedBytes, bytesPerSecond: Double?

        enum CodingKeys: String, CodingKey {
            case listener, peer
            case ageSeconds = "age_seconds"
            case receivedBytes = "received_bytes"
            case sentBytes = "sent_bytes"
            case queuedBytes = "queued_bytes"
            case bytesPerSecond = "bytes_per_second"
        }
    }

    package struct Reason: Encodable, Sendable {
        /// `drop`, `refusal`, `close` …
        let kind, reason: String
        let count: Double
        /// Since the sample before; nil when there is none.
        let change: Double?
    }

    let kind = "top"
    /// Between the two samples.
    let intervalSeconds: Double?
    let version, state: String
    let pid: Int?
    let uptimeSeconds: Double?
    let isLive, isReady: Bool?
    let reasons: [String]
    let open, openMax: Double?
    let messagesPerSecond, receivedBytesPerSecond, sentBytesPerSecond: Double?
    let acceptsPerSecond, handshakesPerSecond, resumedShare: Double?
    let service: Service
    let loops: [Loop]
    let listeners: [Listener]
    let peersByBytes, peersByQueue: [Peer]
    let counts: [Reason]

    enum CodingKeys: String, CodingKey {
        case kind, version, state, pid, reasons, service, loops, listeners, counts
        case intervalSeconds = "interval_seconds"
        case uptimeSeconds = "uptime_seconds"
        case isLive = "live"
        case isReady = "ready"
        case open = "connections"
        case openMax = "connections_max"
        case messagesPerSecond = "messages_per_second"
        case receivedBytesPerSecond = "received_bytes_per_second"
        case sentBytesPerSecond = "sent_bytes_per_second"
        case acceptsPerSecond = "accepts_per_second"
        case handshakesPerSecond = "handshakes_per_second"
        case resumedShare = "handshakes_resumed_share"
        case peersByBytes = "connections_by_bytes"
        case peersByQueue = "connections_by_queue"
    }

    package init(earlier: StatusSample?, later: StatusSample) {
        let pair = SamplePair(earlier: earlier, later: later)
        intervalSeconds = pair.seconds
        (version, state, pid) = (later.version, later.state, later.pid)
        uptimeSeconds = later.uptimeSeconds
        (isLive, isReady, reasons) = (later.isLive, later.isReady, later.reasons)
        (open, openMax) = (later.open, later.openMax)
        messagesPerSecond = pair.rate(\.messages)
        (receivedBytesPerSecond, sentBytesPerSecond) = (pair.rate(\.receivedBytes), pair.rate(\.sentBytes))
        (acceptsPerSecond, handshakesPerSecond) = (pair.rate(\.accepted), pair.rate(\.handshakes))
        resumedShare = pair.resumedShare
        service = pair.service
        loops = later.loops.map(pair.loop)
        listeners = later.listeners.map(pair.listener)
        peersByBytes = later.peersByBytes.map(pair.peer)
        peersByQueue = later.peersByQueue.map(pair.peer)
        counts = later.counts.flatMap(pair.reasons)
    }
}

/// Two samples of the same process, or one.
private struct SamplePair {
    let earlier: StatusSample?
    let later: StatusSample
    let seconds: Double?

    init(earlier: StatusSample?, later: StatusSample) {
        self.earlier = earlier.flatMap { later.continues($0) ? $0 : nil }
        self.later = later
        seconds = self.earlier.map { later.takenAtSeconds - $0.takenAtSeconds }
    }

    /// Nil when either number is missing. A counter that fell began anew, so that nothing is known of the time between.
    func change(_ after: Double?, _ before: Double?) -> Double? {
        guard let after, let before, after >= before else { return nil }
        return after - before
    }

    func rate(_ after: Double?, _ before: Double?) -> Double? {
        guard let seconds, let change = change(after, before) else { return nil }
        return change / seconds
    }

    func rate(_ counter: KeyPath<StatusSample, Double?>) -> Double? {
        rate(later[keyPath: counter], earlier?[keyPath: counter])
    }

    var resumedShare: Double? {
        guard let all = change(later.handshakes, earlier?.handshakes), all > 0 else { return nil }
        return change(later.handshakesResumed, earlier?.handshakesResumed).map { $0 / all }
    }

    var service: TopFigures.Service {
        let recent = earlier.map { later.service.since($0.service) } ?? later.service
        return TopFigures.Service(
            messages: recent.count, p50Seconds: recent.quantile(0.5), p99Seconds: recent.quantile(0.99),
            p999Seconds: recent.quantile(0.999))
    }

    func loop(_ loop: StatusSample.Loop) -> TopFigures.Loop {
        let before = earlier?.loops.first { $0.number == loop.number }
        let turns = change(loop.turns, before?.turns)
        let completions = change(loop.completions, before?.completions)
        return TopFigures.Loop(
            loop: loop.number, connections: loop.connections,
            // Both clocks are read a little apart, so a full loop may seem fuller.
            busy: rate(loop.busySeconds, before?.busySeconds).map { min($0, 1) },
            turnsPerSecond: rate(loop.turns, before?.turns),
            completionsPerTurn: turns.flatMap { turns in turns > 0 ? completions.map { $0 / turns } : nil },
            starved: change(loop.starvedReceives, before?.starvedReceives), freeBuffers: loop.freeBuffers,
            overflows: change(loop.overflows, before?.overflows), lastTurnAgeSeconds: loop.lastTurnAgeSeconds)
    }

    func listener(_ listener: StatusSample.Listener) -> TopFigures.Listener {
        let before = earlier?.listeners.first { $0.name == listener.name }
        return TopFigures.Listener(
            name: listener.name, address: listener.address, service: listener.service, security: listener.security,
            open: listener.open, accepted: listener.accepted,
            messagesPerSecond: rate(listener.messages, before?.messages),
            receivedBytesPerSecond: rate(listener.receivedBytes, before?.receivedBytes),
            sentBytesPerSecond: rate(listener.sentBytes, before?.sentBytes))
    }

    func peer(_ peer: StatusSample.Peer) -> TopFigures.Peer {
        let known = earlier.map { $0.peersByBytes + $0.peersByQueue } ?? []
        let before = known.first { ($0.listener, $0.peer) == (peer.listener, peer.peer) }
        return TopFigures.Peer(
            listener: peer.listener, peer: peer.peer, ageSeconds: peer.ageSeconds, receivedBytes: peer.receivedBytes,
            sentBytes: peer.sentBytes, queuedBytes: peer.queuedBytes,
            bytesPerSecond: rate(total(peer), before.flatMap(total)))
    }

    private func total(_ peer: StatusSample.Peer) -> Double? {
        guard let received = peer.receivedBytes, let sent = peer.sentBytes else { return nil }
        return received + sent
    }

    func reasons(_ reasons: StatusSample.Reasons) -> [TopFigures.Reason] {
        let before = earlier?.counts.first { $0.kind == reasons.kind }?.counts
        return reasons.counts.filter { $0.value > 0 }.map { name, value in
            // A reason that was not there before is one that had not happened.
            let earlierValue = before.map { counts in counts.first { $0.name == name }?.value ?? 0 }
            return TopFigures.Reason(
                kind: reasons.kind, reason: name, count: value, change: self.change(value, earlierValue))
        }
    }
}
