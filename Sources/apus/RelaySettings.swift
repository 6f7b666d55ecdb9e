// From [relay] to what relay listeners are told, secrets read. It starts nothing.

import ApusConfiguration
import ApusServer

extension RelayConfiguration {
    /// Nil where no listener speaks relay.
    /// - Throws: what is wrong with files of secrets, at the keys that name them.
    init?(from configuration: Configuration) throws(ConfigurationError) {
        // Without an address it is no valid configuration, which `validate` tells.
        guard !configuration.relayListeners.isEmpty, let instanceURL = configuration.relayInstanceURL
        else { return nil }
        self.init(instanceURL: instanceURL, secrets: try RelaySecretReading(configuration).secrets())
        allowsAnyToken = configuration[RelayKeys.allowsAnyToken]
        tokenLifetimeMax = configuration[RelayKeys.maxTokenLifetime]
        healthInterval = configuration[RelayKeys.healthInterval]
        livenessTimeout = configuration[RelayKeys.livenessTimeout]
        backlogByteCountMax = configuration[RelayLimitKeys.backlogPerPeer]
        backlogBudgetPerShard = configuration[RelayLimitKeys.backlogBudget]
        messageAgeMax = configuration[RelayLimitKeys.maxMessageAge]
        subscriptionsPerPeerMax = configuration[RelayLimitKeys.maxSubscriptionsPerPeer]
        subscriptionsPerShardMax = configuration[RelayLimitKeys.maxSubscriptions]
        origins = RelayOrigins(named: configuration[RelayLimitKeys.allowedOrigins])
        trustedProxies = configuration[RelayLimitKeys.trustedProxies]
        flapCount = configuration[RelayLimitKeys.flapCount]
        flapWindow = configuration[RelayLimitKeys.flapWindow]
    }
}

extension RelayOrigins {
    fileprivate init(named texts: [String]) {
        switch texts {
        case []: self = .any
        case [ElementKind.sameHost]: self = .sameHost
        default: self = .list(texts)
        }
    }
}

extension Configuration {
    /// The files that hold the relay's secrets.
    var relaySecretFiles: [(setting: String, path: String)] {
        guard !relayListeners.isEmpty else { return [] }
        let sources = [(relaySecretKey, relaySecret), (previousRelaySecretKey, previousRelaySecret)]
        return sources.compactMap { key, source in
            guard case .file(let path) = source else { return nil }
            return (key.option.name, path)
        }
    }
}

/// The secrets, whether they are written out or in files.
private struct RelaySecretReading {
    let configuration: Configuration

    init(_ configuration: Configuration) { self.configuration = configuration }

    /// The current one first.
    func secrets() throws(ConfigurationError) -> [String] {
        var secrets: [String] = []
        var problems: [Problem] = []
        let sources = [
            (configuration.relaySecretKey, configuration.relaySecret),
            (configuration.previousRelaySecretKey, configuration.previousRelaySecret),
        ]
        for (key, source) in sources {
            guard let source else { continue }
            do throws(SecretFileError) {
                secrets.append(try text(of: source))
            } catch {
                problems.append(Problem(.error, configuration.origin(of: key), key.option.path, error.reason))
            }
        }
        guard problems.isEmpty else { throw ConfigurationError(problems) }
        return secrets
    }

    private func text(of source: SecretSource) throws(SecretFileError) -> String {
        switch source {
        case .text(let text): text
        case .file(let path): try RelaySecret(file: path).text
        }
    }
}
