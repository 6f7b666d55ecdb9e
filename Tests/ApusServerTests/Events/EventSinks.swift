// Sinks that keep what they are told.

import ApusServer
import Synchronization
import TestSupport

/// Keeps every event of a severity or above.
final class KeptEvents: ServerEventSink {
    private struct State {
        var events: [ServerEvent] = []
        var severityMin: ServerEvent.Severity?
    }

    private let state: Mutex<State>

    init(_ severityMin: ServerEvent.Severity? = .debug) { state = Mutex(State(severityMin: severityMin)) }

    var severityMin: ServerEvent.Severity? { state.withLock { $0.severityMin } }

    func want(_ severity: ServerEvent.Severity?) { state.withLock { $0.severityMin = severity } }

    func receive(_ event: ServerEvent) { state.withLock { $0.events.append(event) } }

    var events: [ServerEvent] { state.withLock { $0.events } }

    func named(_ name: ServerEvent.Name) -> [ServerEvent] { events.filter { $0.kind.name == name } }

    /// The first event that satisfies this, as soon as there is one.
    func first(_ name: ServerEvent.Name, where condition: (ServerEvent) -> Bool = { _ in true }) -> ServerEvent? {
        var found: ServerEvent?
        _ = eventually {
            found = named(name).first(where: condition)
            return found != nil
        }
        return found
    }
}

/// Two counts that one thread writes and another reads.
final class Counts: Sendable {
    private let state = Mutex((told: 0, lost: 0))

    func add(told: Int = 0, lost: Int = 0) {
        state.withLock {
            $0.told += told
            $0.lost += lost
        }
    }

    var values: (told: Int, lost: Int) { state.withLock { $0 } }
}
