// Certificates, key and rules of one side, read and checked once. Every shard makes its context from the same.

import COpenSSL

/// Immutable, so that shards share it; to replace a certificate, make another and new contexts from it.
public final class TLSMaterial: Sendable {
    public let settings: TLSSettings
    /// Our own certificate, for logs and for a warning before it expires; nil where we have none.
    public let certificate: CertificateSummary?

    let chain: [LoadedCertificate]
    let key: LoadedKey?
    let authorities: [LoadedCertificate]
    let verification: PeerVerification
    let protocols: ApplicationProtocols
    /// Sessions are resumed only where peers are verified by the same rules: a ticket from before the CA changed
    /// leads to a full handshake. 32 bytes.
    let verificationDigest: [UInt8]

    public init(_ settings: TLSSettings) throws(TLSConfigurationError) {
        let problems = settings.problems()
        guard problems.isEmpty else { throw TLSConfigurationError(problems) }
        self.settings = settings
        (chain, key) = try TLSMaterial.readIdentity(settings)
        authorities = try TLSMaterial.readAuthorities(settings)
        certificate = chain.first.flatMap { unsafe CertificateSummary(of: $0.pointer) }
        verification = PeerVerification(settings)
        protocols = ApplicationProtocols(settings.applicationProtocols)
        verificationDigest = TLSMaterial.digest(settings, authorities)
    }

    private static func readIdentity(
        _ settings: TLSSettings
    ) throws(TLSConfigurationError) -> ([LoadedCertificate], LoadedKey?) {
        guard let chainSource = settings.certificateChain, let keySource = settings.privateKey else { return ([], nil) }
        let chain = try chainSource.readCertificates(as: "certificate chain")
        let key = try keySource.readPrivateKey(as: "private key")
        guard unsafe X509_check_private_key(chain[0].pointer, key.pointer) == 1 else {
            ERR_clear_error()
            throw TLSConfigurationError(
                "private key (\(keySource.name))",
                "is not the key of the first certificate in \(chainSource.name): name the two that belong together, "
                    + "and put the node's own certificate before its issuers")
        }
        return (chain, key)
    }

    private static func readAuthorities(_ settings: TLSSettings) throws(TLSConfigurationError) -> [LoadedCertificate] {
        switch settings.authorities {
        case .none, .system: []
        case .pem(let source): try source.readCertificates(as: "authorities")
        }
    }

    /// Everything that decides whom we believe; not our own certificate, whose renewal leaves tickets valid.
    private static func digest(_ settings: TLSSettings, _ authorities: [LoadedCertificate]) -> [UInt8] {
        var rules = settings.believesNobody ? "nobody" : authorities.isEmpty ? "system" : "file"
        rules += " \(settings.role) \(settings.clientVerification)"
        rules += authorities.compactMap { unsafe CertificatePin(of: $0.pointer)?.description }.joined()
        rules += " pins " + settings.pins.map(\.description).sorted().joined()
        var digest = [UInt8](repeating: 0, count: 32)
        var count: UInt32 = 0
        // SHA-256 gives 32 bytes, which is the room it has.
        let result = unsafe EVP_Digest(rules, rules.utf8.count, &digest, &count, EVP_sha256(), nil)
        precondition(result == 1, "SHA-256 of a short text needs nothing that could be missing")
        return digest
    }
}

/// The ALPN names as they go over the wire: a length byte before each (RFC 7301 §3.1).
@safe
final class ApplicationProtocols: Sendable {
    /// OpenSSL keeps pointers into it while it answers a client, so it does not move.
    nonisolated(unsafe) let wire: UnsafeMutableBufferPointer<UInt8>

    init(_ names: [String]) {
        let bytes = names.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
        unsafe wire = .allocate(capacity: bytes.count)
        _ = unsafe wire.initialize(from: bytes)
    }

    deinit { unsafe wire.deallocate() }

    var isEmpty: Bool { unsafe wire.isEmpty }
}
