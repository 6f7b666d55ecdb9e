// Which of two keys names a secret: the secret itself or its file, whichever the stronger source says. It reads none.

/// Where a secret is.
public enum SecretSource: Equatable, Sendable {
    case text(String)
    case file(path: String)
}

extension Configuration {
    /// What tokens are signed with.
    public var relaySecret: SecretSource? { secret(RelayKeys.authSecret, RelayKeys.authSecretFile) }

    /// What they were signed with before.
    public var previousRelaySecret: SecretSource? {
        secret(RelayKeys.previousAuthSecret, RelayKeys.previousAuthSecretFile)
    }

    private func secret(_ text: Key<String?>, _ file: Key<String?>) -> SecretSource? {
        let named = self[file].map { SecretSource.file(path: $0) }
        guard let secret = self[text] else { return named }
        guard let named, origin(of: text).strength < origin(of: file).strength else { return .text(secret) }
        return named
    }

    /// The key that `relaySecret` is from.
    public var relaySecretKey: Key<String?> {
        if case .file = relaySecret { RelayKeys.authSecretFile } else { RelayKeys.authSecret }
    }

    public var previousRelaySecretKey: Key<String?> {
        if case .file = previousRelaySecret { RelayKeys.previousAuthSecretFile } else { RelayKeys.previousAuthSecret }
    }
}

extension Origin {
    /// Later sources beat earlier ones, and our variables those of the relatives.
    var strength: Int {
        switch self {
        case .standard: 0
        case .file: 1
        case .environment(let name): RelativeOption.prefixes.contains(where: name.hasPrefix) ? 2 : 3
        case .flag: 4
        }
    }
}
