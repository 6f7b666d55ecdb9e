// The flags about security of the verbs that connect become what a client asks for.

import ApusClient
import ApusSecurity
import ArgumentParser

struct ClientSecurityOptions: ParsableArguments {
    @Option(help: "How the connection is protected: handshake (NPRO's), tls, or none. As the server says.")
    var security: SecurityArgument?

    @Flag(help: "The same as --security tls.")
    var tls = false

    @Option(help: "TLS: the CA that the server's certificate must come from, PEM; without it, those the system trusts.")
    var ca: String?

    @Option(help: "TLS: this client's certificate, PEM.")
    var certificate: String?

    @Option(help: "TLS: its private key, PEM.")
    var key: String?

    @Option(help: "TLS: the name that the server's certificate must be for, if not the address's.")
    var serverName: String?

    @OptionGroup var handshake: HandshakeOptions

    var kind: SecurityArgument { kind(standard: .handshake) }

    /// TLS flags alone say it too.
    /// - Parameter standard: where no flag says anything.
    func kind(standard: SecurityArgument) -> SecurityArgument { security ?? (isTLSMeant ? .tls : standard) }

    private var isTLSMeant: Bool { tls || !tlsFlags.isEmpty }

    private var tlsFlags: [String] {
        [
            (ca != nil, "--ca"), (certificate != nil, "--certificate"), (key != nil, "--key"),
            (serverName != nil, "--server-name"),
        ].filter(\.0).map(\.1)
    }

    /// Nil: nothing protects it.
    func clientSecurity(standard: SecurityArgument = .handshake) throws -> ClientSecurity? {
        let kind = kind(standard: standard)
        try SecurityFlags.refuse(kind == .tls ? [] : (tls ? ["--tls"] : []) + tlsFlags, for: kind, neededBy: .tls)
        try SecurityFlags.refuse(kind == .handshake ? [] : handshake.given, for: kind, neededBy: .handshake)
        let pins = kind == .none && !handshake.pin.isEmpty ? ["--pin"] : []
        try SecurityFlags.refuse(pins, for: kind, neededBy: .handshake)
        switch kind {
        case .none: return nil
        case .handshake:
            var settings = try handshake.settings()
            settings.compression = handshake.compressionSettings.algorithms.map(\.rawValue)
            return .handshake(settings)
        case .tls: return .tls(try material())
        }
    }

    private func material() throws -> TLSMaterial {
        let pins = try handshake.certificatePins()
        var authorities = TLSAuthorities.system
        if let ca { authorities = .pem(.file(ca)) } else if !pins.isEmpty { authorities = .none }
        var settings = TLSSettings.client(serverName: serverName, authorities: authorities)
        settings.certificateChain = certificate.map { .file($0) }
        settings.privateKey = key.map { .file($0) }
        settings.pins = pins
        return try TLSMaterial.checked(settings)
    }
}
