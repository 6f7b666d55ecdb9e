// What the configuration says about the life of the process, and a reload of the server in it.

import ApusConfiguration
import ApusServer

extension LifecycleSettings {
    /// - Parameter predecessor: the upgrade socket of the server to take over from.
    init(from configuration: Configuration, takingOverFrom predecessor: String? = nil) {
        let (drain, upgrade) = (DrainSettings(from: configuration), UpgradeSettings(from: configuration))
        drainTimeout = drain.timeout
        drainLimit = drain.limit
        drainDelay = drain.delay
        drainWindow = drain.window
        upgradeTimeout = upgrade.timeout
        upgradeSocket = switch upgrade.socket {
        case "auto": .standard
        case "none": .none
        default: .path(upgrade.socket)
        }
        pidFilePath = upgrade.pidFilePath
        upgradeFrom = predecessor
    }
}

extension ServedConfiguration {
    /// Read the sources again and have the server take them over, or nothing of them.
    func reload(_ handle: ServerHandle, _ lifecycle: ServerLifecycle) -> ReloadAnswer {
        do {
            let (next, _) = try prepare()
            var server = next.server
            server.keepPaths(of: lifecycle.inheritance)
            let outcome = try handle.reload(server)
            let before = configuration
            let report = ReloadReport(
                from: before, to: next.configuration, needingRestart: Set(outcome.needsRestart))
            adopt(next)
            lifecycle.replaceDeadlines(with: LifecycleSettings(from: next.configuration))
            return .applied(ServedConfiguration.text(of: report))
        } catch {
            return .refused("refused, the old configuration stays:\n\(error)")
        }
    }

    /// `applied: server.idle_timeout; needs restart: server.shards`
    private static func text(of report: ReloadReport) -> String {
        let outcomes = ReloadReport.Outcome.allCases.filter { $0 != .unchanged }
        let parts = outcomes.compactMap { outcome in
            let paths = report.changed.filter { $0.outcome == outcome }.map(\.path)
            return paths.isEmpty ? nil : "\(outcome.rawValue): \(paths.joined(separator: ", "))"
        }
        return parts.isEmpty ? "nothing changed" : parts.joined(separator: "; ")
    }
}
