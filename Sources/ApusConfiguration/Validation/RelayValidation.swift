// What is wrong with [relay] as a whole, and with listeners that speak it. Secrets are judged by their length alone.

extension Configuration {
    public var relayListeners: [Listener] { listeners.filter { $0.speaks == .relay } }

    /// What AuthResponse says; nil without an address, or with one that cannot be used.
    public var relayInstanceURL: String? {
        relayAddress?.instanceURL(overTLS: relayListeners.contains { $0.security == .tls })
    }

    private var relayAddress: RelayAddress? {
        guard let text = self[RelayKeys.exposedAddress] else { return nil }
        do throws(Unreadable) {
            return try RelayAddress(parsing: text)
        } catch {
            // It was told when it was read.
            return nil
        }
    }

    func relayProblems(_ listeners: [Listener]) -> [Problem] {
        let relays = listeners.filter { $0.speaks == .relay }
        guard let first = relays.first else { return unusedRelayProblems }
        return exposureProblems(relays, first) + secretProblems(first) + relayBoundsProblems
    }

    private func problem<Content>(
        _ severity: Problem.Severity, _ key: Key<Content>, at listener: Listener? = nil, _ reason: String
    ) -> Problem {
        let own = origin(of: key)
        return Problem(severity, own == .standard ? listener?.origin ?? own : own, key.option.path, reason)
    }

    // MARK: Address

    private func exposureProblems(_ relays: [Listener], _ first: Listener) -> [Problem] {
        let key = RelayKeys.exposedAddress
        guard self[key] != nil else {
            let reason = "missing: write where clients reach the relay (--exposed-address), such as "
                + "rels://relay.example.com:443"
            return [problem(.error, key, at: first, reason)]
        }
        guard relayAddress?.scheme == .rel, relays.allSatisfy({ $0.security == .tls }) else { return [] }
        let reason = "rel:// is without TLS, and every relay listener has it: write rels://, or no scheme"
        return [problem(.error, key, reason)]
    }

    // MARK: Secrets

    /// Fewer can be found by trying, from one token.
    private static let secretByteCountMin = 16

    private func secretProblems(_ first: Listener) -> [Problem] {
        var problems = doubledSecrets
        if self[RelayKeys.allowsAnyToken] {
            let reason = "ANYBODY MAY CONNECT AS ANY PEER: tokens are not checked; for tests only"
            problems.append(problem(.warning, RelayKeys.allowsAnyToken, reason))
        } else if relaySecret == nil {
            let reason = "missing: write the management server's Relay.Secret (--auth-secret), or name a file with it"
            problems.append(problem(.error, RelayKeys.authSecret, at: first, reason))
        }
        if relaySecret == nil, previousRelaySecret != nil {
            let reason = "without auth_secret, the secret of now: name both"
            problems.append(problem(.error, previousRelaySecretKey, reason))
        }
        let named = [(RelayKeys.authSecret, relaySecret), (RelayKeys.previousAuthSecret, previousRelaySecret)]
        for case (let key, .text(let secret)?) in named where secret.utf8.count < Configuration.secretByteCountMin {
            let reason = "short: whoever sees one token can find it by trying; use 32 random bytes"
            problems.append(problem(.warning, key, reason))
        }
        return problems
    }

    private var doubledSecrets: [Problem] {
        let pairs = [
            (RelayKeys.authSecret, RelayKeys.authSecretFile),
            (RelayKeys.previousAuthSecret, RelayKeys.previousAuthSecretFile),
        ]
        return pairs.compactMap { text, file in
            guard self[text] != nil, self[file] != nil,
                origin(of: text).strength == origin(of: file).strength
            else { return nil }
            return problem(.error, text, "beside \(file.option.name): one secret is enough; leave one out")
        }
    }

    // MARK: Bounds

    private var relayBoundsProblems: [Problem] {
        var problems: [Problem] = []
        if self[RelayKeys.livenessTimeout] <= self[RelayKeys.healthInterval] {
            let reason = "not above relay.health_interval, so quiet peers would be closed: raise it"
            problems.append(problem(.error, RelayKeys.livenessTimeout, reason))
        }
        if self[RelayLimitKeys.backlogPerPeer] > self[RelayLimitKeys.backlogBudget] {
            let reason = "above relay.backlog_budget, which is for all peers: lower it"
            problems.append(problem(.error, RelayLimitKeys.backlogPerPeer, reason))
        }
        if self[RelayLimitKeys.maxSubscriptionsPerPeer] > self[RelayLimitKeys.maxSubscriptions] {
            let reason = "above relay.max_subscriptions, which is for all peers: lower it"
            problems.append(problem(.error, RelayLimitKeys.maxSubscriptionsPerPeer, reason))
        }
        return problems
    }

    /// A relay that is thought to be there, and is not.
    private var unusedRelayProblems: [Problem] {
        RelayKeys.all.filter { isSet($0) }.map { option in
            let reason = "of no effect: no listener has protocol relay"
            return Problem(.warning, setting(of: option).origin, option.path, reason)
        }
    }
}

extension Listener {
    /// What only some protocols have.
    var speechKeyProblems: [Problem] {
        let keys: [(option: OptionRow, protocols: [ListenerProtocol])] = [
            (ListenerKeys.session.option, [.packet]), (ListenerKeys.proxyProtocol.option, [.packet, .relay]),
            (ListenerKeys.answers.option, [.admin]),
        ]
        return keys.filter { isOwn($0.option) && !$0.protocols.contains(speaks) }.map { option, kinds in
            let reason = "only for protocol \(kinds.map(\.rawValue).joined(separator: " or ")): leave it out"
            return Problem(.error, setting(of: option).origin, path(of: option), reason)
        }
    }

    /// Nil for nothing.
    var openRelayReason: String? {
        let isCovered = configuration.relayInstanceURL?.hasPrefix(RelayAddress.Scheme.rels.rawValue + ":") ?? true
        guard security == .none, !AddressText.isLocal(address), !address.isEmpty, !isCovered else { return nil }
        return "tokens come over \(address) for all to read: use security tls, or a proxy with TLS and rels://"
    }
}
