// The rows of [relay]: what all listeners that speak relay share.

public enum RelayKeys {
    /// What a secret may have, in the table or in a file.
    public static let secretByteCounts = 1...4096

    public static let exposedAddress = Key.optionalText(
        "relay.exposed_address", .relayURL, .newConnections, traits: .init(flag: "--exposed-address"),
        "Where clients reach the relay, and its name among them: HOST:PORT, rel://HOST:PORT or, with TLS here or in "
            + "front, rels://HOST:PORT. Clients compare it byte by byte, so it is the same on every node.")

    public static let authSecret = Key.optionalText(
        "relay.auth_secret", .text(secretByteCounts), .newConnections,
        traits: .init(flag: "--auth-secret", isSecret: true),
        "What the management server signs tokens with, its Relay.Secret. A file is better: nothing else can read it.")

    public static let authSecretFile = Key.optionalText(
        "relay.auth_secret_file", .file, .newConnections, traits: .init(flag: "--auth-secret-file"),
        "A file with that secret, readable by its owner alone; a final newline does not count.")

    public static let previousAuthSecret = Key.optionalText(
        "relay.previous_auth_secret", .text(secretByteCounts), .newConnections, traits: .init(isSecret: true),
        "The secret from before: tokens that it signed are taken too, until they expire and it is left out.")

    public static let previousAuthSecretFile = Key.optionalText(
        "relay.previous_auth_secret_file", .file, .newConnections,
        traits: .init(flag: "--previous-auth-secret-file"),
        "A file with the secret from before.")

    public static let maxTokenLifetime = Key.durationOrOff(
        "relay.max_token_lifetime", nil, in: .seconds(1) ... .seconds(31_536_000), .newConnections,
        "Refuse tokens that expire later than so far from now, or off. Management servers sign for 12 or 24 hours.")

    public static let allowsAnyToken = Key.flag(
        "relay.insecure_allow_any_token", false, .newConnections,
        traits: .init(flag: "--insecure-allow-any-token"),
        "Accept every peer, whatever its token. For tests: anybody may take anybody's place.")

    public static let healthInterval = Key.duration(
        "relay.health_interval", .seconds(25), in: .milliseconds(100) ... .seconds(35), .live,
        "How often a peer is asked whether it is there. Clients leave a relay that is silent for 35s.")

    public static let livenessTimeout = Key.duration(
        "relay.liveness_timeout", .seconds(45), in: .milliseconds(100) ... .seconds(3600), .live,
        "A peer that sends nothing for so long is closed.")

    static let all: [OptionRow] = [
        exposedAddress.option, authSecret.option, authSecretFile.option, previousAuthSecret.option,
        previousAuthSecretFile.option, maxTokenLifetime.option, allowsAnyToken.option, healthInterval.option,
        livenessTimeout.option,
    ] + RelayLimitKeys.all
}
