// What the configuration says about the life of the process.

import ApusConfiguration

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
