// `apus serve`'s flags about the relay: its own, and with --relay those of its relatives (relay.md §3.5).

import ApusConfiguration
import ArgumentParser

struct ServeRelay: ParsableArguments {
    @Flag(help: "Take the place of NetBird's or openZro's relay: their flags, variables and defaults.")
    var relay = false

    @Option(name: [.long, .customShort("e")], help: RelayKeys.exposedAddress.help)
    var exposedAddress: String?

    @Option(name: [.long, .customShort("s")], help: RelayKeys.authSecret.help)
    var authSecret: String?

    @Option(help: RelayKeys.authSecretFile.help)
    var authSecretFile: String?

    @Option(help: RelayKeys.previousAuthSecretFile.help)
    var previousAuthSecretFile: String?

    @Option(help: RelayLimitKeys.trustedProxies.help)
    var trustedProxies: String?

    @Flag(help: RelayKeys.allowsAnyToken.help)
    var insecureAllowAnyToken = false

    /// - Parameter relatives: what else was given that means the same as a relative's flag, by that flag's name.
    func add(to overrides: inout Overrides, relatives: [RelativeArgument]) {
        addFiles(to: &overrides)
        guard relay else {
            if let exposedAddress { overrides.set(RelayKeys.exposedAddress, to: .text(exposedAddress)) }
            if let authSecret { overrides.set(RelayKeys.authSecret, to: .text(authSecret)) }
            if let trustedProxies {
                let networks = trustedProxies.split(separator: ",").map(String.init)
                overrides.set(RelayLimitKeys.trustedProxies, to: .texts(networks))
            }
            return
        }
        var mode = RelayMode(hasIPv6: HostNetworking.hasIPv6)
        let own: [RelativeArgument] = [
            ("exposed-address", exposedAddress), ("auth-secret", authSecret), ("trusted-proxies", trustedProxies),
        ]
        for (name, text) in own + relatives {
            if let text { mode.set(name, to: text) }
        }
        overrides.relay = mode
    }

    private func addFiles(to overrides: inout Overrides) {
        if let authSecretFile { overrides.set(RelayKeys.authSecretFile, to: .text(authSecretFile)) }
        if let previousAuthSecretFile {
            overrides.set(RelayKeys.previousAuthSecretFile, to: .text(previousAuthSecretFile))
        }
        if insecureAllowAnyToken { overrides.set(RelayKeys.allowsAnyToken, to: .flag(true)) }
    }

    /// What only the relatives have means nothing to a server of another kind.
    func refuse(_ relatives: [RelativeArgument]) throws {
        guard !relay, let (name, _) = relatives.first(where: { $0.text != nil }) else { return }
        throw ValidationError("--\(name) goes with --relay: say that too, or see --help for what means the same.")
    }
}

/// A relative's flag, and what was given for it; nil: nothing.
typealias RelativeArgument = (name: String, text: String?)

/// The flags that only the relatives have. Values are read by the table that reads their variables.
struct RelativeFlags: ParsableArguments {
    @Option(name: [.long, .customShort("l")], help: "With --relay: where it listens. (default: :443, every interface)")
    var listenAddress: String?

    @Option(name: [.long, .customShort("c")], help: "With --relay: the certificate and those behind it, PEM.")
    var tlsCertFile: String?

    @Option(name: [.long, .customShort("k")], help: "With --relay: the certificate's private key, PEM, not encrypted.")
    var tlsKeyFile: String?

    @Option(help: "With --relay: the port of /metrics, on every interface. (default: 9090)")
    var metricsPort: String?

    @Option(name: [.long, .customShort("H")], help: "With --relay: where /health is answered. (default: :9000)")
    var healthListenAddress: String?

    var given: [RelativeArgument] {
        [
            ("listen-address", listenAddress), ("tls-cert-file", tlsCertFile), ("tls-key-file", tlsKeyFile),
            ("metrics-port", metricsPort), ("health-listen-address", healthListenAddress),
        ]
    }
}

/// What the relatives do and this relay does not: known, so that each can be refused with what to do instead.
struct RefusedRelativeFlags: ParsableArguments {
    private static let hint: ArgumentHelp = "Refused: certificates are not fetched here."
    private static let stun: ArgumentHelp = "Refused unless false: there is no STUN server in here."
    private static let cluster: ArgumentHelp = "Refused: relays of this version form no cluster."

    @Option(name: [.long, .customShort("d")], help: hint)
    var letsencryptDataDir: String?

    @Option(name: [.long, .customShort("a")], help: hint)
    var letsencryptDomains: String?

    @Option(help: hint)
    var letsencryptEmail: String?

    @Option(help: hint)
    var letsencryptAwsRoute53: String?

    @Option(help: stun)
    var enableStun: String?

    @Option(help: "Of no effect: there is no STUN server in here.")
    var stunPorts: String?

    @Option(help: "Of no effect: there is no STUN server in here.")
    var stunLogLevel: String?

    @Option(help: cluster)
    var clusterHeadless: String?

    @Option(help: cluster)
    var clusterPort: String?

    @Option(help: cluster)
    var clusterAuthSecret: String?

    @Option(help: "Of no effect: relays of this version form no cluster.")
    var podIp: String?

    var given: [RelativeArgument] {
        [
            ("letsencrypt-data-dir", letsencryptDataDir), ("letsencrypt-domains", letsencryptDomains),
            ("letsencrypt-email", letsencryptEmail), ("letsencrypt-aws-route53", letsencryptAwsRoute53),
            ("enable-stun", enableStun), ("stun-ports", stunPorts), ("stun-log-level", stunLogLevel),
            ("cluster-headless", clusterHeadless), ("cluster-port", clusterPort),
            ("cluster-auth-secret", clusterAuthSecret), ("pod-ip", podIp),
        ]
    }
}
