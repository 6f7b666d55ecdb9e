// What an admin listener is told by its embedder: who this server is, who may ask, and who carries out commands.

/// What an operator may ask for with POST, over a UNIX socket only.
public enum ControlCommand: Equatable, Sendable {
    /// Read the configuration again.
    case reload
    /// Accept no more and end when all peers have left, or after `timeout`; nil: the configured one.
    case drain(timeout: Duration?)
    /// The level below which log records are left out.
    case logLevel(String)
}

/// What became of a command.
public struct ControlAnswer: Equatable, Sendable {
    public enum Outcome: Sendable {
        case done
        /// The command, or what it would lead to, is wrong; nothing has changed.
        case refused
        /// The command is right and could not be carried out.
        case failed
    }

    public var outcome: Outcome
    /// For people, or JSON when it begins with `{`.
    public var text: String

    public init(_ outcome: Outcome, _ text: String) {
        self.outcome = outcome
        self.text = text
    }
}

/// Which paths an admin listener has.
public enum AdminScope: String, CaseIterable, Sendable {
    case all
    /// `/metrics`.
    case metrics
    /// `/health`, `/livez` and `/readyz`.
    case health
}

public struct AdminSettings: Sendable {
    /// What `/status` and `apus_build_info` say.
    public var version = "unversioned"
    /// Host names, besides `localhost` and addresses, under which a listener on the loopback may be asked. Others are
    /// refused, for a page of anywhere can have its own name resolve to this host (DNS rebinding).
    public var allowedHosts: [String] = []
    /// From a request's first byte to its last.
    public var requestTimeout: Duration = .seconds(10)
    /// Between two requests.
    public var idleTimeout: Duration = .seconds(120)
    /// A loop that has not turned for so long counts as dead.
    public var stallLimit: Duration = .seconds(5)
    /// Carries out commands, one at a time, on a thread where it may block. Nil: there are none.
    public var control: (@Sendable (ControlCommand) -> ControlAnswer)?
    /// How many log records were dropped so far.
    public var logRecordsDropped: (@Sendable () -> UInt64)?
    /// Metrics of others, for `/metrics`.
    public var moreFamilies: (@Sendable () -> [MetricFamily])?

    public init() {}

    func problems() -> [String] {
        let range = Duration.milliseconds(100)...Duration.seconds(86_400)
        return [
            ("admin request timeout", requestTimeout), ("admin idle timeout", idleTimeout),
            ("admin stall limit", stallLimit),
        ].filter { !range.contains($0.1) }.map { "\($0): 100 ms to 1 day, found \($1)" }
    }
}
