// `apus serve`'s flags about security become what its listeners ask for.

import ApusSecurity
import ApusServer
import ArgumentParser

struct ServeSecurity: ParsableArguments {
    @Option(help: "How connections are protected: handshake (NPRO's), tls, or none.")
    var security = SecurityArgument.handshake

    @Option(help: "TLS: the certificate, PEM, and behind it those that lead to its CA.")
    var tlsCertificate: String?

    @Option(help: "TLS: the certificate's private key, PEM.")
    var tlsKey: String?

    @Option(help: "TLS: the CA whose client certificates are believed, PEM.")
    var tlsCa: String?

    @Flag(help: "TLS: refuse clients without a good certificate.")
    var verifyClient = false

    @Flag(help: "TLS: ask for a certificate; a client that shows none is let in.")
    var verifyClientOptional = false

    @Option(help: "TLS: protocols to agree on (ALPN), best first. Without any, every client is let in.")
    var tlsAlpn: [String] = []

    @Option(help: "TLS: the least version, 1.2 or 1.3. (default: 1.2)")
    var tlsMinVersion: TLSVersionArgument?

    @Option(help: "TLS: ciphers of TLS 1.2, OpenSSL's names between colons.")
    var tlsCiphers: String?

    @Option(help: "TLS: suites of TLS 1.3, between colons.")
    var tlsSuites: String?

    @OptionGroup var handshake: HandshakeOptions

    @Option(help: "From accept until a protected connection has its keys. (default: 10s)")
    var handshakeTimeout: DurationArgument?

    @Option(help: "NPRO handshakes a second, in the whole process; more are refused. (default: 2000)")
    var maxHandshakeRate: Int?

    /// What all listeners ask for.
    func listenerSecurity() throws -> ListenerSecurity {
        try refuseForeignFlags()
        switch security {
        case .none: return .none
        case .handshake: return .handshake(try handshake.settings(), handshake.compressionSettings)
        case .tls: return .tls(try material())
        }
    }

    private func material() throws -> TLSMaterial {
        guard let tlsCertificate, let tlsKey else {
            throw Failure(
                .invalidConfiguration,
                "apus: --security tls needs --tls-certificate and --tls-key; make both with: "
                    + "apus certs self-signed NAME --san HOST")
        }
        var settings = TLSSettings.server(certificateChain: .file(tlsCertificate), privateKey: .file(tlsKey))
        if let tlsCa { settings.authorities = .pem(.file(tlsCa)) }
        settings.clientVerification = verifyClient ? .required : verifyClientOptional ? .optional : .none
        settings.pins = try handshake.certificatePins()
        settings.applicationProtocols = tlsAlpn
        if let tlsMinVersion { settings.versionMin = tlsMinVersion.version }
        if let tlsCiphers { settings.cipherList = tlsCiphers }
        if let tlsSuites { settings.cipherSuites = tlsSuites }
        return try TLSMaterial.checked(settings)
    }

    /// A flag that has no effect is a mistake, and a security flag without effect a dangerous one.
    private func refuseForeignFlags() throws {
        let tls = [
            (tlsCertificate != nil, "--tls-certificate"), (tlsKey != nil, "--tls-key"), (tlsCa != nil, "--tls-ca"),
            (verifyClient, "--verify-client"), (verifyClientOptional, "--verify-client-optional"),
            (tlsMinVersion != nil, "--tls-min-version"), (!tlsAlpn.isEmpty, "--tls-alpn"),
            (tlsCiphers != nil, "--tls-ciphers"), (tlsSuites != nil, "--tls-suites"),
        ].filter(\.0).map(\.1)
        try SecurityFlags.refuse(security == .tls ? [] : tls, for: security, neededBy: .tls)
        let rate = maxHandshakeRate == nil ? [] : ["--max-handshake-rate"]
        try SecurityFlags.refuse(
            security == .handshake ? [] : handshake.given + rate, for: security, neededBy: .handshake)
        let timeout = handshakeTimeout == nil ? [] : ["--handshake-timeout"]
        try SecurityFlags.refuse(security == .none ? timeout : [], for: security, neededBy: .handshake)
        let pins = security == .none && !handshake.pin.isEmpty ? ["--pin"] : []
        try SecurityFlags.refuse(pins, for: security, neededBy: .tls)
    }
}

enum SecurityFlags {
    static func refuse(_ flags: [String], for security: SecurityArgument, neededBy other: SecurityArgument) throws {
        guard let first = flags.first else { return }
        let reason = first == "--compression"
            ? "it is agreed on in NPRO's handshake, and there is none" : "it has no effect"
        throw Failure(
            .invalidConfiguration,
            "apus: \(first) with --security \(security.rawValue): \(reason); leave it out, or use --security "
                + other.rawValue)
    }
}

struct TLSVersionArgument: ExpressibleByArgument {
    let version: TLSVersion

    init(_ version: TLSVersion) { self.version = version }

    init?(argument: String) {
        switch argument {
        case "1.2": self.init(.tls12)
        case "1.3": self.init(.tls13)
        default: return nil
        }
    }

    var defaultValueDescription: String { version == .tls12 ? "1.2" : "1.3" }
}

extension TLSMaterial {
    static func checked(_ settings: TLSSettings) throws -> TLSMaterial {
        do {
            return try TLSMaterial(settings)
        } catch {
            throw Failure(.invalidConfiguration, "apus: \(error)")
        }
    }
}
