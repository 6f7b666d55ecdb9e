// Where a serving process is in its life, and what may happen next. A value: whoever has the lock changes it, and acts
// afterwards.

/// The raw value is what operators read.
enum LifecyclePhase: String, Sendable, CustomStringConvertible {
    case starting, serving, draining, ended

    var description: String { rawValue }
}

/// How much time a drain has.
enum DrainKind: Equatable, Sendable {
    /// Until nobody is left, or the long limit.
    case patient
    /// The short deadline, as when the host shuts down.
    case prompt
    /// As somebody has asked for.
    case within(Duration)
}

enum DrainAnswer: Equatable, Sendable {
    case began
    /// It was under way with more time than it has now.
    case hastened
    /// It was under way; nothing changes.
    case underWay
    /// There is nothing to drain, yet or any more.
    case notServing
}

struct LifecycleState: Sendable {
    private(set) var phase = LifecyclePhase.starting
    /// Of the drain that is under way.
    private(set) var drainKind: DrainKind?
    private(set) var isUpgrading = false
    private(set) var hasHandedOver = false

    mutating func beginServing() {
        if phase == .starting { phase = .serving }
    }

    mutating func beginDrain(_ kind: DrainKind) -> DrainAnswer {
        switch (phase, drainKind, kind) {
        case (.starting, _, _), (.ended, _, _):
            return .notServing
        case (.serving, _, _):
            phase = .draining
            drainKind = kind
            return .began
        case (.draining, .patient, .prompt), (.draining, .within, .prompt), (.draining, _, .within):
            // A server takes the shorter time, whatever it is told.
            if drainKind != .prompt { drainKind = kind }
            return .hastened
        case (.draining, _, _):
            return .underWay
        }
    }

    /// - Returns: why not; nil when it may begin.
    mutating func beginUpgrade() -> String? {
        guard phase == .serving else { return "the server is \(phase), not serving" }
        guard !isUpgrading else { return "an upgrade is under way already" }
        isUpgrading = true
        return nil
    }

    /// The successor serves: from here there is no way back.
    /// - Returns: why not; nil when it is done.
    mutating func handOver() -> String? {
        guard phase == .serving else { return "the server began to drain meanwhile" }
        phase = .draining
        drainKind = .patient
        hasHandedOver = true
        return nil
    }

    mutating func endUpgrade() { isUpgrading = false }

    mutating func end() { phase = .ended }
}
