// The flags of NetBird's and openZro's relays, and what each is here (relay.md §3.5): one row feeds the flags of
// `apus serve --relay`, the environment and the documents. It sets nothing itself.

/// A flag of one or both of the relatives. Each is also a variable: `NB_` or `OZ_` and its name in capitals.
public struct RelativeOption: Sendable {
    enum Meaning: Sendable {
        /// Where one of this mode's listeners is.
        case place(RelayPlace)
        /// The same, as a port on every interface.
        case port(RelayPlace)
        case key(OptionRow)
        /// Their names for levels.
        case logLevel
        /// A path, or `console`.
        case logFile
        /// How many times 45 s a peer may be silent.
        case livenessFactor
        /// What this relay does not do, and what to do instead.
        case refused(String)
        /// Of no effect unless another, which is refused, is given.
        case idle(beside: String)
    }

    /// Without dashes: `listen-address`.
    public let name: String
    public let short: Character?
    /// `--name` alone means true.
    public let isFlag: Bool
    /// For the documents; empty where there is none in this mode.
    public let standard: String
    let meaning: Meaning

    init(
        _ name: String, _ meaning: Meaning, short: Character? = nil, isFlag: Bool = false, standard: String = ""
    ) {
        (self.name, self.short, self.isFlag, self.standard) = (name, short, isFlag, standard)
        self.meaning = meaning
    }

    /// `--listen-address`.
    public var flag: String { "--\(name)" }

    static let prefixes = ["NB_", "OZ_"]

    /// `NB_LISTEN_ADDRESS` and `OZ_LISTEN_ADDRESS`.
    var variables: [String] {
        let name = name.replacing("-", with: "_").uppercased()
        return RelativeOption.prefixes.map { $0 + name }
    }

    /// They have it as a variable alone.
    var isVariableAlone: Bool {
        if case .livenessFactor = meaning { true } else { false }
    }
}

extension RelativeOption {
    private static let certificates =
        "certificates are not fetched here: let an ACME client such as certbot or lego fetch one, and name it with "
        + "--tls-cert-file and --tls-key-file; it is read again whenever it is replaced"
    private static let stun =
        "there is no STUN server in here: run one beside it, such as coturn, name it in the management server's Stuns, "
        + "and say --enable-stun=false"
    private static let cluster =
        "relays of this version form no cluster: run each with an --exposed-address of its own, name them all in the "
        + "management server's Relay.Addresses, and leave this out"

    public static let all: [RelativeOption] = [
        RelativeOption("listen-address", .place(.relay), short: "l", standard: ":443"),
        RelativeOption("exposed-address", .key(RelayKeys.exposedAddress.option), short: "e"),
        RelativeOption("auth-secret", .key(RelayKeys.authSecret.option), short: "s"),
        RelativeOption("tls-cert-file", .key(TLSKeys.certificate.option), short: "c"),
        RelativeOption("tls-key-file", .key(TLSKeys.key.option), short: "k"),
        RelativeOption("metrics-port", .port(.metrics), standard: "9090"),
        RelativeOption("health-listen-address", .place(.health), short: "H", standard: ":9000"),
        RelativeOption("trusted-proxies", .key(RelayLimitKeys.trustedProxies.option)),
        RelativeOption("log-level", .logLevel, standard: "info"),
        RelativeOption("log-file", .logFile, standard: "console"),
        RelativeOption("relay-hc-attempt-threshold", .livenessFactor, standard: "1"),
        RelativeOption("letsencrypt-data-dir", .refused(certificates), short: "d"),
        RelativeOption("letsencrypt-domains", .refused(certificates), short: "a"),
        RelativeOption("letsencrypt-email", .refused(certificates)),
        RelativeOption("letsencrypt-aws-route53", .refused(certificates), isFlag: true),
        RelativeOption("enable-stun", .refused(stun), isFlag: true),
        RelativeOption("stun-ports", .idle(beside: "--enable-stun")),
        RelativeOption("stun-log-level", .idle(beside: "--enable-stun")),
        RelativeOption("cluster-headless", .refused(cluster)),
        RelativeOption("cluster-port", .refused(cluster)),
        RelativeOption("cluster-auth-secret", .refused(cluster)),
        RelativeOption("pod-ip", .idle(beside: "--cluster-headless")),
    ]

    /// Those that are flags, by name.
    static let flags = Dictionary(uniqueKeysWithValues: all.filter { !$0.isVariableAlone }.map { ($0.name, $0) })
}

/// What each of this mode's listeners is for.
enum RelayPlace: String, CaseIterable, Sendable {
    case relay, metrics, health
}

/// What an admin listener answers.
public enum AdminPaths: String, CaseIterable, Sendable {
    case all, metrics, health
}
