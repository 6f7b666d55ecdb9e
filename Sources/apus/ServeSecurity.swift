// `apus serve`'s flags about security become values of the option table.

import ApusConfiguration
import ApusSecurity
import ArgumentParser

struct ServeSecurity: ParsableArguments {
    @Option(help: "How connections are protected: handshake (NPRO's), tls, or none. (default: handshake)")
    var security: SecurityArgument?

    @Option(help: TLSKeys.certificate.help)
    var tlsCertificate: String?

    @Option(help: TLSKeys.key.help)
    var tlsKey: String?

    @Option(help: TLSKeys.authority.help)
    var tlsCa: String?

    @Flag(help: "TLS: refuse clients without a good certificate.")
    var verifyClient = false

    @Flag(help: "TLS: ask for a certificate; a client that shows none is let in.")
    var verifyClientOptional = false

    @Option(help: TLSKeys.alpn.help)
    var tlsAlpn: [String] = []

    @Option(help: TLSKeys.minimumVersion.help)
    var tlsMinVersion: TLSVersionArgument?

    @Option(help: TLSKeys.ciphers.help)
    var tlsCiphers: String?

    @Option(help: TLSKeys.suites.help)
    var tlsSuites: String?

    @OptionGroup var handshake: HandshakeOptions

    @Option(help: ServerKeys.handshakeTimeout.help)
    var handshakeTimeout: DurationArgument?

    @Option(help: ServerKeys.maxHandshakeRate.help)
    var maxHandshakeRate: Int?

    func add(to overrides: inout Overrides) {
        overrides.security = security?.rawValue
        addTLS(to: &overrides)
        if let file = handshake.pskFile { overrides.set(HandshakeKeys.presharedKeyFile, to: .text(file)) }
        if let file = handshake.identityFile { overrides.set(HandshakeKeys.identityFile, to: .text(file)) }
        if handshake.allowV1 { overrides.set(HandshakeKeys.allowsV1, to: .flag(true)) }
        if let compression = handshake.compression {
            overrides.set(HandshakeKeys.compression, to: .texts(compression.algorithms.map(\.description)))
        }
        if let handshakeTimeout { overrides.set(ServerKeys.handshakeTimeout, to: handshakeTimeout.setting) }
        if let maxHandshakeRate { overrides.set(ServerKeys.maxHandshakeRate, to: .integer(maxHandshakeRate)) }
    }

    private func addTLS(to overrides: inout Overrides) {
        let files = [(TLSKeys.certificate, tlsCertificate), (TLSKeys.key, tlsKey), (TLSKeys.authority, tlsCa)]
        let texts = files + [(TLSKeys.ciphers, tlsCiphers), (TLSKeys.suites, tlsSuites)]
        for (key, text) in texts {
            if let text { overrides.set(key, to: .text(text)) }
        }
        if let verification { overrides.set(TLSKeys.verifyClient, to: .text(verification), flag: verificationFlag) }
        if !tlsAlpn.isEmpty { overrides.set(TLSKeys.alpn, to: .texts(tlsAlpn)) }
        if let tlsMinVersion { overrides.set(TLSKeys.minimumVersion, to: .text(tlsMinVersion.defaultValueDescription)) }
        if !handshake.pin.isEmpty {
            overrides.set(security == .tls ? TLSKeys.pins : HandshakeKeys.pins, to: .texts(handshake.pin))
        }
    }

    private var verification: String? { verifyClient ? "required" : verifyClientOptional ? "optional" : nil }
    private var verificationFlag: String { verifyClient ? "--verify-client" : "--verify-client-optional" }

    /// A flag that has no effect is a mistake, and a security flag without effect a dangerous one.
    func refuseForeignFlags(for listeners: [Listener]) throws {
        let serving = listeners.filter { $0.speaks != .admin }
        let kinds = Set(serving.map(\.security))
        let named = kinds.sorted { $0.rawValue < $1.rawValue }.first.flatMap { SecurityArgument(rawValue: $0.rawValue) }
        let kind = security ?? named ?? .handshake
        try SecurityFlags.refuse(kinds.contains(.tls) ? [] : tlsFlags, for: kind, neededBy: .tls)
        let rate = maxHandshakeRate == nil ? [] : ["--max-handshake-rate"]
        let given = handshake.given + rate
        try SecurityFlags.refuse(kinds.contains(.handshake) ? [] : given, for: kind, neededBy: .handshake)
        // A relay's deadline is for the upgrade and Auth too.
        let isProtected = kinds != [.none] || serving.contains { $0.speaks == .relay }
        let timeout = handshakeTimeout == nil ? [] : ["--handshake-timeout"]
        try SecurityFlags.refuse(isProtected ? [] : timeout, for: kind, neededBy: .handshake)
        // What a pin means is said by --security.
        let pinned: SecurityKind = security == .tls ? .tls : .handshake
        let pins = handshake.pin.isEmpty || kinds.contains(pinned) ? [] : ["--pin"]
        try SecurityFlags.refuse(pins, for: kind, neededBy: .tls)
    }

    private var tlsFlags: [String] {
        [
            (tlsCertificate != nil, "--tls-certificate"), (tlsKey != nil, "--tls-key"), (tlsCa != nil, "--tls-ca"),
            (verifyClient, "--verify-client"), (verifyClientOptional, "--verify-client-optional"),
            (tlsMinVersion != nil, "--tls-min-version"), (!tlsAlpn.isEmpty, "--tls-alpn"),
            (tlsCiphers != nil, "--tls-ciphers"), (tlsSuites != nil, "--tls-suites"),
        ].filter(\.0).map(\.1)
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
