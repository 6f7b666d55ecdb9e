// Everything a server tells about itself at one moment, read without stopping a loop. A value: the exporters turn it
// into metrics, JSON or a page, and agree because they read the same one.

import ApusReactor

package struct ListenerReport: Sendable {
    package let record: ListenerRecord
    package fileprivate(set) var accepted: UInt64 = 0
    package fileprivate(set) var closed: UInt64 = 0
    package fileprivate(set) var messages: UInt64 = 0
    package fileprivate(set) var bytesReceived: UInt64 = 0
    package fileprivate(set) var bytesSent: UInt64 = 0

    /// Read one after the other, so for a moment more may seem closed than accepted.
    package var open: UInt64 { accepted > closed ? accepted - closed : 0 }
}

package struct LoopReport: Sendable {
    package let connections: Int
    package let turns: UInt64
    package let completions: UInt64
    /// Processor time of the loop's thread, the kernel's work for it included.
    package let busySeconds: Double
    package let lastTurnAgeSeconds: Double
    package let starvedReceives: UInt64
    package let freeBuffers: UInt64
    package let completionQueueOverflows: UInt64
    package let turnDurations: HistogramSnapshot
    package let wakeDelays: HistogramSnapshot
    package let serviceTimes: HistogramSnapshot

    init(_ entry: ShardEntry, started: Instant, at now: Instant) {
        let counters = entry.counters
        connections = max(0, entry.open.load(ordering: .relaxed))
        turns = counters.turns.count
        completions = counters.completions.count
        busySeconds = Double(processorTime(ofThread: entry.thread.load(ordering: .relaxed)) ?? 0) / 1e9
        let last = Instant(nanoseconds: max(counters.lastTurn.value, started.nanoseconds))
        lastTurnAgeSeconds = Double(now - last) / 1e9
        starvedReceives = counters.starvedReceives.count
        freeBuffers = counters.freeBuffers.value
        completionQueueOverflows = counters.completionQueueOverflows.value
        turnDurations = counters.turnDurations.snapshot
        wakeDelays = counters.wakeDelays.snapshot
        serviceTimes = counters.serviceTimes.snapshot
    }
}

package struct ServerReport: Sendable {
    package let version: String
    package let pid: Int32
    package let startedUnixSeconds: Double
    package let uptimeSeconds: Double
    package let isDraining: Bool
    package let health: ServerHealth
    package let connectionsOpen: Int
    package let connectionsMax: Int
    package let listeners: [ListenerReport]
    package let loops: [LoopReport]
    package let totals: ServerMetrics
    package let reloads: (applied: UInt64, refused: UInt64)
    package let logRecordsDropped: UInt64
    /// Some listener speaks `relay`, or did.
    package var isRelay: Bool { listeners.contains { $0.record.session == .relay } || totals.relay.logins > 0 }

    /// How long messages waited for their answers, over all loops.
    package var serviceTimes: HistogramSnapshot { loops.reduce(.empty) { $0 + $1.serviceTimes } }

    init(_ shared: SharedState, _ settings: AdminSettings) {
        let now = monotonicNow()
        let vitals = shared.vitals
        version = settings.version
        pid = processNumber()
        startedUnixSeconds = Double(vitals.startedUnixMilliseconds) / 1e3
        uptimeSeconds = Double(now - vitals.started) / 1e9
        isDraining = shared.isEnding
        health = shared.health(stallLimit: settings.stallLimit)
        connectionsOpen = shared.connectionCount
        connectionsMax = shared.connectionsMax
        listeners = vitals.directory.all.map { ServerReport.listener($0, shared) }
        loops = shared.entries.map { LoopReport($0, started: vitals.started, at: now) }
        totals = ServerMetrics(shared)
        reloads = vitals.reloads
        logRecordsDropped = settings.logRecordsDropped?() ?? 0
    }

    private static func listener(_ record: ListenerRecord, _ shared: SharedState) -> ListenerReport {
        var report = ListenerReport(record: record)
        for entry in shared.entries {
            let row = entry.counters.listeners[record.place]
            // First, so that what closes meanwhile is not missing from what was accepted.
            report.closed += row.pointee.closed.count
            report.accepted += row.pointee.accepted.count
            report.messages += row.pointee.messages.count
            report.bytesReceived += row.pointee.bytesReceived.count
            report.bytesSent += row.pointee.bytesSent.count
        }
        return report
    }
}

extension SharedState {
    package func health(stallLimit: Duration) -> ServerHealth {
        ServerHealth(
            self, stallLimit: Nanoseconds(stallLimit), at: monotonicNow(),
            unixSeconds: Int64(WallClock.milliseconds() / 1000))
    }
}
