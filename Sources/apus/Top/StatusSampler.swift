// Asks a server for its status again and again, on a thread of its own, so that keys are obeyed while it is silent.

import ApusOperations
import Foundation
import Synchronization

final class StatusSampler: Sendable {
    /// The last two answers, and why there is no newer one.
    struct Latest: Sendable {
        var earlier: StatusSample?
        var later: StatusSample?
        var trouble: String?

        var figures: TopFigures? { later.map { TopFigures(earlier: earlier, later: $0) } }
    }

    private let connection: StatusConnection
    private let interval: Duration
    private let latest = Mutex(Latest())

    /// The connections that are asked for: the endpoint's most.
    private static let path = "/status?connections=50"

    init(_ connection: StatusConnection, every interval: Duration) {
        self.connection = connection
        self.interval = interval
    }

    static func sample(_ connection: StatusConnection) throws -> StatusSample {
        let body = try connection.get(path)
        return try StatusSample(json: body, takenAtSeconds: ProcessInfo.processInfo.systemUptime)
    }

    var current: Latest { latest.withLock { $0 } }

    /// - Parameter notify: called after each attempt, on the sampler's thread.
    func start(_ notify: @escaping @Sendable () -> Void) {
        Thread.detachNewThread {
            while true {
                self.attempt()
                notify()
                Thread.sleep(forTimeInterval: self.interval.seconds)
            }
        }
    }

    private func attempt() {
        do {
            let sample = try StatusSampler.sample(connection)
            latest.withLock { $0 = Latest(earlier: $0.later, later: sample, trouble: nil) }
        } catch {
            latest.withLock { $0.trouble = "no status from \(error); trying again" }
        }
    }
}
