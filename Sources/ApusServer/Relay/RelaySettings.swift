// The relay's configuration as shards use it: parsed, in the units of the loop. Each shard has its
// own.

import ApusReactor
import ApusSecurity
import ApusWire

package final class RelaySettings: Sendable {
    /// AuthResponse, the same for every peer.
    let welcome: [UInt8]
    let upgrade: WebSocketUpgradePolicy
    /// Nil: every peer is believed.
    let keys: RelayTokenKeys?
    /// Proxies whose word on who is behind them counts.
    let trustedProxies: CIDRList
    let healthInterval: Timeout
    let livenessTimeout: Timeout
    let messageAgeMax: Nanoseconds
    let sizes: RelaySizes

    package init(_ configuration: RelayConfiguration) {
        welcome = Array(configuration.instanceURL.utf8)
        let origins: WebSocketOrigins =
            switch configuration.origins {
            case .any: .any
            case .sameHost: .sameHost
            case .list(let origins): .list(origins)
            }
        upgrade = WebSocketUpgradePolicy(path: "/relay", origins: origins)
        keys = configuration.allowsAnyToken
            ? nil
            : RelayTokenKeys(
                secrets: configuration.secrets,
                lifetimeSecondsMax: configuration.tokenLifetimeMax.map { $0.components.seconds })
        trustedProxies = configuration.trustedProxyList ?? CIDRList()
        healthInterval = Timeout(configuration.healthInterval)
        livenessTimeout = Timeout(configuration.livenessTimeout)
        messageAgeMax = Nanoseconds(configuration.messageAgeMax)
        sizes = RelaySizes(configuration)
    }
}

/// What a shard reserves for its relay. It becomes memory as it is used, and cannot change while the shard runs.
struct RelaySizes: BitwiseCopyable, Sendable {
    let interestsMax: Int
    let interestsPerPeerMax: Int
    let backlogBudget: Int
    let backlogByteCountMax: Int
    let flapCount: Int
    let flapWindow: Nanoseconds

    init(_ configuration: RelayConfiguration) {
        interestsMax = configuration.subscriptionsPerShardMax
        interestsPerPeerMax = configuration.subscriptionsPerPeerMax
        backlogBudget = configuration.backlogBudgetPerShard
        backlogByteCountMax = configuration.backlogByteCountMax
        flapCount = configuration.flapCount
        flapWindow = Nanoseconds(configuration.flapWindow)
    }
}
