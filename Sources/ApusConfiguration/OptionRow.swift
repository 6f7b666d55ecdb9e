// One row of the option table: everything there is to know about an option. It never holds a value that somebody set.

/// A table of the file. The order is that of the documents.
public enum Section: String, CaseIterable, Sendable {
    case listener, server, client, transport, tls, handshake, relay, admin, logging, metrics

    /// One sentence for the documents.
    public var summary: String {
        switch self {
        case .listener:
            "A place to listen, once per [[listener]]. Where none speaks packet or relay there is one, named edge, at "
                + "server.address, that speaks packet. A listener may also set any key of [tls] and [handshake], which "
                + "then holds for it alone."
        case .server: "What holds for the whole server."
        case .client: "How the verbs that talk to a server do it: apus ping, echo, send."
        case .transport: "What travels, for servers and clients."
        case .tls: "TLS, for every listener with security = \"tls\" that does not say otherwise."
        case .handshake:
            "NPRO's handshake, for every listener with security = \"handshake\" that does not say otherwise."
        case .relay: "NetBird's and openZro's relay protocol, for every listener with protocol = \"relay\"."
        case .admin: "Health, metrics and control over HTTP."
        case .logging: "What is logged, and where to."
        case .metrics: "Export of the metrics to an OpenTelemetry collector; /metrics is there without it."
        }
    }

    /// The four sections of NPRO's first implementation, whose environment names are honoured too (NPRO §6.8).
    var isInherited: Bool {
        switch self {
        case .server, .client, .transport, .logging: true
        case .listener, .tls, .handshake, .relay, .admin, .metrics: false
        }
    }
}

/// When a changed value takes effect.
public enum ReloadClass: String, CaseIterable, Sendable {
    /// With the reload, for all connections.
    case live
    /// With the reload, for what begins after it.
    case newConnections = "new connections"
    /// At the next start: it sizes what is reserved then.
    case restart
    /// Each run of a client verb reads it anew.
    case eachRun = "each run"
}

/// What an option's value looks like, and its bounds.
public enum OptionKind: Sendable {
    case flag
    case integer(ClosedRange<Int>)
    case integerOrAuto(ClosedRange<Int>)
    case integerOrOff(ClosedRange<Int>)
    case duration(ClosedRange<Duration>)
    case durationOrOff(ClosedRange<Duration>)
    case byteCount(ClosedRange<Int>)
    case byteCountOrOff(ClosedRange<Int>)
    case choice([String])
    /// So many bytes of UTF-8.
    case text(ClosedRange<Int>)
    /// A path.
    case file
    case address(AddressText.Use)
    case addressOrOff(AddressText.Use)
    /// `http://HOST:PORT/PATH`.
    case url
    /// `HOST:PORT`, `rel://HOST:PORT` or `rels://HOST:PORT`.
    case relayURL
    case texts(ElementKind)
}

/// What the elements of a list look like.
public enum ElementKind: Sendable {
    case choice([String])
    /// 32 bytes in hexadecimal.
    case pin
    /// `10.0.0.0/8`, or one address.
    case network
    /// A name of a host.
    case hostName
    /// `NAME=VALUE`.
    case attribute
    /// An ALPN name of 1 to 255 bytes.
    case protocolName
    /// `https://HOST`, or `same_host`.
    case origin
}

public struct OptionRow: Sendable {
    public let section: Section
    /// The key inside its section.
    public let name: String
    public let kind: OptionKind
    public let standard: SettingValue
    public let reload: ReloadClass
    /// The flag of `apus serve`, or for the section `client` of the client verbs.
    public let flag: String?
    /// Sentences without markup.
    public let summary: String
    /// Its value is never shown.
    public let isSecret: Bool
    /// Environment names from before there was a scheme.
    let earlierEnvironment: [String]

    /// `server.max_connections`.
    public var path: String { "\(section.rawValue).\(name)" }

    /// Every name that sets it, the weakest first. A listener's options have none: which listener would be meant?
    public var environment: [String] {
        guard section != .listener else { return [] }
        let suffix = "\(section.rawValue)_\(name)".uppercased()
        let inherited = section.isInherited ? ["NETWORK_PROTOCOL_\(suffix)"] : []
        return earlierEnvironment + inherited + ["APUS_\(suffix)"]
    }

    /// Whether a listener may have its own value.
    public var isListenerOverridable: Bool { section == .tls || section == .handshake }
}
