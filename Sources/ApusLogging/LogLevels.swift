// Which levels are written: one for all labels, and others for those that were given their own. Changeable while the
// program runs; asking is one or two relaxed loads.

import Logging
import Synchronization

public final class LogLevels: Sendable {
    private let general: Atomic<UInt8>
    /// As many as the program has labels: no peer names one.
    private let labels = Mutex<[String: LabelLevel]>([:])

    public init(_ level: Logger.Level) { general = Atomic(level.rank) }

    /// The level of every label that has none of its own.
    public var level: Logger.Level { Logger.Level(rank: general.load(ordering: .relaxed)) }

    /// From now on, in every thread.
    public func set(_ level: Logger.Level) { general.store(level.rank, ordering: .relaxed) }

    /// Give one label a level of its own; nil takes it away again.
    public func set(_ level: Logger.Level?, for label: String) { self.label(label).set(level) }

    /// The level of this label.
    public func level(of label: String) -> Logger.Level { self.label(label).level }

    /// What a handler of this label keeps.
    func label(_ label: String) -> LabelLevel {
        labels.withLock { labels in
            if let known = labels[label] { return known }
            let new = LabelLevel(of: self)
            labels[label] = new
            return new
        }
    }
}

/// The level of one label.
final class LabelLevel: Sendable {
    private static let none = UInt8.max

    // They die together: `Logs` holds the levels, and handlers hold both.
    private unowned let levels: LogLevels
    private let own = Atomic<UInt8>(LabelLevel.none)

    init(of levels: LogLevels) { self.levels = levels }

    var level: Logger.Level {
        let rank = own.load(ordering: .relaxed)
        return rank == LabelLevel.none ? levels.level : Logger.Level(rank: rank)
    }

    func set(_ level: Logger.Level?) { own.store(level?.rank ?? LabelLevel.none, ordering: .relaxed) }
}

extension Logger.Level {
    var rank: UInt8 {
        switch self {
        case .trace: 0
        case .debug: 1
        case .info: 2
        case .notice: 3
        case .warning: 4
        case .error: 5
        case .critical: 6
        }
    }

    init(rank: UInt8) {
        self = switch rank {
        case 0: .trace
        case 1: .debug
        case 2: .info
        case 3: .notice
        case 4: .warning
        case 5: .error
        default: .critical
        }
    }
}
