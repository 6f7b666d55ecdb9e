// What a TLS server or client is asked to be. It reads no file and keeps no key: `TLSMaterial` does.

/// Which end of a connection.
public enum TLSRole: Sendable, BitwiseCopyable {
    case server, client
}

/// Protocol versions; the raw value is the one on the wire (RFC 8446 §4.1.2). Older ones are not offered: RFC 8996.
public enum TLSVersion: UInt16, Sendable, BitwiseCopyable, CaseIterable, Comparable {
    case tls12 = 0x0303
    case tls13 = 0x0304

    public static func < (left: TLSVersion, right: TLSVersion) -> Bool { left.rawValue < right.rawValue }
}

/// What a server wants of its clients' certificates.
public enum ClientVerification: Sendable, BitwiseCopyable {
    /// No certificate is asked for.
    case none
    /// A client may come without; one that it shows must be good.
    case optional
    /// No certificate, no connection.
    case required
}

/// Whose certificates are believed.
public enum TLSAuthorities: Sendable {
    /// Nobody's. A client must then have pins.
    case none
    /// Those of the file, and nobody else's. An intermediate in it is believed as well as a root.
    case pem(PEMSource)
    /// Those that the operating system trusts.
    case system
}

/// One side's TLS. The defaults protect.
public struct TLSSettings: Sendable {
    public let role: TLSRole
    /// Our certificate first, then those that lead from it to an authority. A client needs one for mutual TLS only.
    public var certificateChain: PEMSource?
    /// The key of the first certificate: PKCS#8, or the older forms; not encrypted.
    public var privateKey: PEMSource?
    public var authorities = TLSAuthorities.none
    /// Servers only.
    public var clientVerification = ClientVerification.none
    /// Clients only: the name or IP address that the server's certificate must be for; a name is also sent (SNI).
    /// A session may say another. It is not checked where `authorities` is none: the pin then names the certificate.
    public var serverName: String?
    /// The only certificates a peer may show. They are checked *after* chain and name; with `authorities` none they
    /// stand in for chain and name. The peer's proof that it holds the key, and the validity dates, are always checked.
    public var pins: [CertificatePin] = []
    /// ALPN names, best first. Empty: a server accepts whatever a client offers, a client offers nothing.
    /// A client that offers nothing is always accepted; one that offers only others is refused (RFC 7301 §3.2).
    public var applicationProtocols: [String] = []
    public var versionMin = TLSVersion.tls12
    public var versionMax = TLSVersion.tls13
    /// OpenSSL's names for TLS 1.2, best first, between colons.
    public var cipherList = TLSSettings.cipherListDefault
    /// IANA's names for TLS 1.3, best first, between colons.
    public var cipherSuites = TLSSettings.cipherSuitesDefault
    /// Whether a server gives tickets and takes them, or a client keeps them.
    public var resumes = true
    /// Tickets a TLS 1.3 server gives per handshake, 0 to 8. One: our clients keep one session per address and get a
    /// fresh ticket with each connection. Browsers that open several connections at once like two.
    public var ticketCount = 1

    public init(role: TLSRole) { self.role = role }

    public static func server(certificateChain: PEMSource, privateKey: PEMSource) -> TLSSettings {
        var settings = TLSSettings(role: .server)
        settings.certificateChain = certificateChain
        settings.privateKey = privateKey
        return settings
    }

    public static func client(serverName: String?, authorities: TLSAuthorities) -> TLSSettings {
        var settings = TLSSettings(role: .client)
        settings.serverName = serverName
        settings.authorities = authorities
        return settings
    }

    /// AEAD only, and ephemeral keys only. AES-128 leads: it is the fastest where the processor helps, and a client
    /// that puts ChaCha20 first, having no such help, gets it.
    public static let cipherListDefault = [
        "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305",
    ].joined(separator: ":")

    public static let cipherSuitesDefault = [
        "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
    ].joined(separator: ":")
}

// MARK: Mistakes

extension TLSSettings {
    /// Every mistake that can be seen without opening a file, in words; empty when there is none.
    public func problems() -> [String] {
        roleProblems + boundProblems + protocolProblems + CipherNames.problems(list: cipherList, suites: cipherSuites)
    }

    private var roleProblems: [String] {
        switch role {
        case .server: serverProblems
        case .client: clientProblems
        }
    }

    private var serverProblems: [String] {
        var problems: [String] = []
        if certificateChain == nil { problems.append("certificate chain: missing: a server needs one (PEM)") }
        if privateKey == nil { problems.append("private key: missing: name the key of the certificate (PEM)") }
        if serverName != nil { problems.append("server name: only a client has one to check: leave it out") }
        if clientVerification == .none, !believesNobody || !pins.isEmpty {
            problems.append(
                "authorities and pins: of no effect while clients are not asked for certificates: "
                    + "set client verification to optional or required, or leave them out")
        }
        if clientVerification != .none, believesNobody, pins.isEmpty {
            problems.append("client verification: nothing to verify by: name the clients' CA, or pins")
        }
        return problems
    }

    private var clientProblems: [String] {
        var problems: [String] = []
        if (certificateChain == nil) != (privateKey == nil) {
            problems.append("certificate chain and private key: one without the other: give both, or neither")
        }
        if believesNobody, pins.isEmpty {
            problems.append("authorities: nothing to verify the server by: name its CA, the system's, or pins")
        }
        if clientVerification != .none { problems.append("client verification: only for servers: leave it out") }
        return problems
    }

    private var boundProblems: [String] {
        var problems: [String] = []
        if versionMin > versionMax { problems.append("versions: the least is above the highest: swap them") }
        if !(0...8).contains(ticketCount) { problems.append("ticket count: 0 to 8, found \(ticketCount)") }
        if let serverName, !TLSSettings.isUsable(serverName) {
            problems.append("server name: 1 to 253 printable ASCII bytes: write it in its xn-- form")
        }
        return problems
    }

    private var protocolProblems: [String] {
        var problems: [String] = []
        if !applicationProtocols.allSatisfy({ (1...255).contains($0.utf8.count) }) {
            problems.append("application protocols: 1 to 255 bytes each")
        }
        if Set(applicationProtocols).count != applicationProtocols.count || applicationProtocols.count > 16 {
            problems.append("application protocols: at most 16, each once")
        }
        return problems
    }

    var believesNobody: Bool {
        switch authorities {
        case .none: true
        case .pem, .system: false
        }
    }

    /// A name that can be sent and compared: no control bytes, no NUL at which C would stop reading.
    static func isUsable(_ name: String) -> Bool {
        (1...253).contains(name.utf8.count) && name.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }
}
