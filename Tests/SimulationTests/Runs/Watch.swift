// Whether what is overdue is dealt with in time. It keeps its own record of when things happened, from outside; what
// the shard remembers of times it does not look at.

import ApusReactor
import ApusServer

struct Watch {
    struct Record {
        var generation: UInt32 = 0
        var opened: Instant
        var phase: Phase
        /// When the connection entered its phase.
        var since: Instant
        var isPaused: Bool
        /// When its requests last waited for something on this side.
        var lastPaused: Instant
        /// When something of a request or a reply was last under way.
        var lastBusy: Instant
    }

    private var records: [Record?]

    init(slotCount: Int) { records = Array(repeating: nil, count: slotCount) }

    /// The record of a connection, brought up to date.
    mutating func look(_ connection: Connection, _ slot: UInt32, at now: Instant) -> Record {
        var record = Record(
            generation: connection.generation, opened: now, phase: connection.phase, since: now,
            isPaused: connection.isPaused, lastPaused: now, lastBusy: now)
        if let known = records[Int(slot)], known.generation == connection.generation {
            record.opened = known.opened
            if known.phase == connection.phase { record.since = known.since }
            if !connection.isPaused, !known.isPaused { record.lastPaused = known.lastPaused }
            if connection.isQuiet { record.lastBusy = known.lastBusy }
        }
        records[Int(slot)] = record
        return record
    }
}

extension Simulation {
    /// A tick of the timer wheel, and what a nanosecond more or less makes of it.
    private static let tolerance: Nanoseconds = 2 * .millisecond
    private static let lingerTimeout: Nanoseconds = 2 * .second
    /// The kernel takes no longer to end all it holds of a connection.
    private static let closeTimeout: Nanoseconds = .second

    func checkTimes(_ connection: Connection, _ slot: UInt32, _ client: ModelClient, _ socket: SimulatedSocket) {
        let record = watch.look(connection, slot, at: kernel.now)
        switch connection.phase {
        case .open:
            checkSend(socket, client)
            if !connection.isPaused { checkSilence(connection, record, client, socket) }
        case .finishing: checkSend(socket, client)
        case .lingering:
            require(client, "linger", since: record.since, Simulation.lingerTimeout)
            let finished = max(record.since, socket.peerFinishedAt)
            require(client, "linger behind its FIN", since: finished, Simulation.closeTimeout)
        case .closing: require(client, "close", since: record.since, Simulation.closeTimeout)
        case .closed: break
        }
    }

    private func require(
        _ client: ModelClient, _ name: String, since start: Instant, _ length: Nanoseconds,
        _ invariant: Invariant = .overdue
    ) {
        // An end of time plus anything is still the end of time.
        guard kernel.now > start + length + Simulation.tolerance else { return }
        kernel.report(invariant, "\(client.name): \(name) since \(Double(start.nanoseconds) / 1e9) s")
    }

    private func checkSend(_ socket: SimulatedSocket, _ client: ModelClient) {
        guard socket.held.contains(.send) else { return }
        require(client, "send", since: socket.sendBegan, Nanoseconds(plan.configuration.stalledWriteTimeout))
    }

    private func checkSilence(
        _ connection: Connection, _ record: Watch.Record, _ client: ModelClient, _ socket: SimulatedSocket
    ) {
        let configuration = plan.configuration
        guard socket.lastTaken >= record.opened else {
            return require(
                client, "first byte", since: record.opened, Nanoseconds(configuration.firstByteTimeout))
        }
        let lastActive = max(socket.lastTaken, record.lastPaused, record.lastBusy)
        if let timeout = configuration.idleTimeout { require(client, "idle", since: lastActive, Nanoseconds(timeout)) }
        guard connection.session == .message, let interval = configuration.heartbeatInterval else { return }
        // Four intervals, and one before the first PING when there was something to take.
        require(client, "silence", since: lastActive, 5 * Nanoseconds(interval))
        if socket.held.contains(.send) { return }
        let lastSent = max(socket.sendEnded, record.opened)
        require(client, "nothing sent", since: lastSent, 2 * Nanoseconds(interval), .pingMissing)
    }
}
