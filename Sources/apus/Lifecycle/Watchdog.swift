// How often systemd wants a sign of life, and what is said at each beat. It reads no clock and sends nothing: the
// lifecycle's beat does.

import Glibc

/// What WATCHDOG_USEC asks for (sd_watchdog_enabled(3)).
struct Watchdog: Equatable, Sendable {
    /// Without a sign for so long, the service is killed.
    let interval: Duration

    /// Twice as often as needed, so that one late beat kills nobody.
    var beatInterval: Duration { interval / 2 }

    /// Nil when there is none, or it is another process's.
    init?(environment: [String: String], processID: Int32) {
        guard let microseconds = environment["WATCHDOG_USEC"].flatMap(Int64.init), microseconds > 0 else { return nil }
        if let owner = environment["WATCHDOG_PID"], Int32(owner) != processID { return nil }
        interval = .microseconds(microseconds)
    }
}

/// What a server does at the moment, for the status line.
struct ServerTotals: Equatable, Sendable {
    var openConnections = 0
    /// Since the start.
    var messages: UInt64 = 0
}

/// What is told at each beat: a sign of life while there is life, and the status line when it has changed.
struct Beat {
    /// How often the status line may change.
    static let statusInterval = Duration.seconds(5)

    let watchdog: Watchdog?
    private var before: (messages: UInt64, seconds: Double)?
    private var statusText = ""
    /// Behind the numbers: what an operator should know until it has changed.
    var remark = ""

    init(watchdog: Watchdog?) { self.watchdog = watchdog }

    var interval: Duration { min(watchdog?.beatInterval ?? Beat.statusInterval, Beat.statusInterval) }

    /// - Parameters:
    ///   - isLive: every loop ticked lately. A sign of life from a thread that merely sleeps would hide a loop that
    ///     stands still.
    ///   - seconds: a clock that only goes forward.
    mutating func next(isLive: Bool, phase: LifecyclePhase, totals: ServerTotals, seconds: Double) -> [NotifyState] {
        var states: [NotifyState] = []
        if watchdog != nil, isLive { states.append(.watchdog) }
        let text = status(phase, totals, seconds) + (remark.isEmpty ? "" : "; \(remark)")
        if text != statusText { states.append(.status(text)) }
        statusText = text
        return states
    }

    private mutating func status(_ phase: LifecyclePhase, _ totals: ServerTotals, _ seconds: Double) -> String {
        defer {
            // A rate over less than a second would jump about.
            if before.map({ seconds - $0.seconds >= 1 }) ?? true { before = (totals.messages, seconds) }
        }
        let connections = totals.openConnections == 1 ? "1 connection" : "\(totals.openConnections) connections"
        guard phase == .serving else { return "\(phase): \(connections) left" }
        guard let before, seconds > before.seconds else { return "\(phase): \(connections)" }
        let rate = (Double(totals.messages) - Double(before.messages)) / (seconds - before.seconds)
        return "\(phase): \(connections), \(decimal(rate, digits: 0)) messages/s"
    }
}
