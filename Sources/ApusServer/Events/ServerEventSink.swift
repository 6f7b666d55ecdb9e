// Who hears of a server's events.

public protocol ServerEventSink: Sendable {
    /// What is less severe is not even noted down. Asked a few times a second, so it may change at any time; nil:
    /// nothing is wanted.
    var severityMin: ServerEvent.Severity? { get }

    /// One event, on a thread that does nothing else; they come in the order of their time, and
    /// while this does not return, what no longer fits on the way here is lost and counted.
    func receive(_ event: ServerEvent)
}
