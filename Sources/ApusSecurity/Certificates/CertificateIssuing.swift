// Makes certificates (RFC 5280): an authority's, a node's that an authority signs, and one that signs itself. It writes
// no file and asks no clock.

import COpenSSL

/// Who a certificate is for.
public struct CertificateSubject: Sendable {
    /// The common name: 1 to 64 characters. Peers do not check it; people read it.
    public let name: String
    /// What peers check, each once.
    public let alternativeNames: [AlternativeName]

    /// - Throws: `.name`.
    public init(name: String, alternativeNames: [AlternativeName] = []) throws(CertificateError) {
        if let reason = CertificateSubject.fault(in: name) { throw .name(name, reason: reason) }
        self.name = name
        var seen: Set<AlternativeName> = []
        self.alternativeNames = alternativeNames.filter { seen.insert($0).inserted }
    }

    private static func fault(in name: String) -> String? {
        let scalars = name.unicodeScalars
        if scalars.allSatisfy(\.properties.isWhitespace) { return "it is empty" }
        if scalars.count > 64 { return "it is longer than 64 characters" }
        if scalars.contains(where: { $0.properties.generalCategory == .control }) { return "it has control characters" }
        return nil
    }
}

extension Certificate {
    /// An authority that signs nodes and no further authorities.
    public static func authority(
        _ subject: CertificateSubject, key: CertificateKey, validity: CertificateValidity
    ) throws(CertificateError) -> Certificate {
        let draft = try CertificateDraft(subject, key: key, validity: validity)
        try draft.setIssuer(nil)
        try draft.add(NID_basic_constraints, "critical,CA:TRUE,pathlen:0")
        try draft.add(NID_key_usage, "critical,keyCertSign,cRLSign")
        try draft.add(NID_subject_key_identifier, "hash")
        return try draft.signed(with: key)
    }

    /// A node that proves itself as a server and as a client.
    ///
    /// - Parameters:
    ///   - subject: with at least one alternative name.
    ///   - key: the node's own.
    ///   - validity: cut down to the authority's.
    ///   - now: seconds since 1970; the authority has to be good then.
    /// - Throws: `.noAlternativeName`, `.notAnAuthority`, `.keyMismatch`, `.authorityExpired`, `.authorityNotYetValid`.
    public static func node(
        _ subject: CertificateSubject, key: CertificateKey, validity: CertificateValidity,
        signedBy authority: Certificate, authorityKey: CertificateKey, at now: Int64
    ) throws(CertificateError) -> Certificate {
        try authority.checkMaySign(with: authorityKey, at: now)
        let draft = try CertificateDraft(subject, key: key, validity: validity.limited(to: authority.validity))
        try draft.setIssuer(authority)
        try draft.addLeafExtensions(subject.alternativeNames)
        try draft.add(NID_authority_key_identifier, "keyid", issuer: authority)
        return try draft.signed(with: authorityKey)
    }

    /// A node without an authority: whoever is to trust it is given this very certificate.
    ///
    /// - Parameter subject: with at least one alternative name.
    public static func selfSigned(
        _ subject: CertificateSubject, key: CertificateKey, validity: CertificateValidity
    ) throws(CertificateError) -> Certificate {
        let draft = try CertificateDraft(subject, key: key, validity: validity)
        try draft.setIssuer(nil)
        try draft.addLeafExtensions(subject.alternativeNames)
        return try draft.signed(with: key)
    }

    private func checkMaySign(with key: CertificateKey, at now: Int64) throws(CertificateError) {
        guard isAuthority else { throw .notAnAuthority(subject: summary.subject) }
        guard belongs(to: key) else { throw .keyMismatch(subject: summary.subject) }
        guard now <= validity.notAfter else {
            throw .authorityExpired(subject: summary.subject, notAfter: validity.notAfter)
        }
        guard now >= validity.notBefore else {
            throw .authorityNotYetValid(subject: summary.subject, notBefore: validity.notBefore)
        }
    }
}

/// A certificate that is not signed yet, and so may still change. Nobody else sees it: OpenSSL remembers the extensions
/// that it has found in a certificate once.
@safe
private final class CertificateDraft {
    private let certificate: OpaquePointer

    deinit { unsafe X509_free(certificate) }

    /// All but the issuer and the extensions.
    init(
        _ subject: CertificateSubject, key: CertificateKey, validity: CertificateValidity
    ) throws(CertificateError) {
        guard let certificate = unsafe X509_new() else { throw CertificateDraft.failure(.fillCertificate) }
        unsafe self.certificate = certificate
        let name = Array(subject.name.utf8)
        let isFilled =
            unsafe X509_set_version(certificate, Int(X509_VERSION_3)) == 1 && certificate_serial_set(certificate) == 1
            && ASN1_TIME_set(X509_getm_notBefore(certificate), time_t(validity.notBefore)) != nil
            && ASN1_TIME_set(X509_getm_notAfter(certificate), time_t(validity.notAfter)) != nil
            && certificate_name_set(X509_get_subject_name(certificate), name, Int32(name.count)) == 1
            && X509_set_pubkey(certificate, key.loaded.pointer) == 1
        guard isFilled else { throw CertificateDraft.failure(.fillCertificate) }
    }

    /// - Parameter issuer: nil when the certificate signs itself.
    func setIssuer(_ issuer: Certificate?) throws(CertificateError) {
        let name = unsafe X509_get_subject_name(issuer?.loaded.pointer ?? certificate)
        try require(unsafe X509_set_issuer_name(certificate, name))
    }

    /// - Parameters:
    ///   - value: in the words of OpenSSL's configuration files.
    ///   - issuer: nil when the certificate signs itself.
    func add(_ type: Int32, _ value: String, issuer: Certificate? = nil) throws(CertificateError) {
        let issuer = unsafe issuer?.loaded.pointer ?? certificate
        try require(unsafe certificate_extension_add(certificate, issuer, type, value))
    }

    func addLeafExtensions(_ alternativeNames: [AlternativeName]) throws(CertificateError) {
        guard !alternativeNames.isEmpty else { throw .noAlternativeName }
        try add(NID_basic_constraints, "critical,CA:FALSE")
        try add(NID_key_usage, "critical,digitalSignature")
        try add(NID_ext_key_usage, "serverAuth,clientAuth")
        try add(NID_subject_key_identifier, "hash")
        guard let names = unsafe certificate_names_new() else { throw CertificateDraft.failure(.fillCertificate) }
        defer { unsafe certificate_names_free(names) }
        for name in alternativeNames {
            switch name {
            case .dns(let text):
                let bytes = Array(text.utf8)
                try require(unsafe certificate_names_add(names, certificate_name_dns, bytes, Int32(bytes.count)))
            case .ip(let bytes):
                try require(unsafe certificate_names_add(names, certificate_name_ip, bytes, Int32(bytes.count)))
            }
        }
        try require(unsafe certificate_names_set(certificate, names))
    }

    /// Ed25519 hashes by itself; all others sign a SHA-256.
    func signed(with key: CertificateKey) throws(CertificateError) -> Certificate {
        let hashesItself = unsafe EVP_PKEY_is_a(key.loaded.pointer, "ED25519") == 1
        let byteCount = unsafe X509_sign(certificate, key.loaded.pointer, hashesItself ? nil : EVP_sha256())
        guard byteCount > 0, unsafe X509_up_ref(certificate) == 1 else { throw CertificateDraft.failure(.sign) }
        return try Certificate(unsafe LoadedCertificate(owning: certificate))
    }

    private func require(_ result: Int32) throws(CertificateError) {
        guard result == 1 else { throw CertificateDraft.failure(.fillCertificate) }
    }

    private static func failure(_ operation: CertificateError.Operation) -> CertificateError {
        .library(operation: operation, reason: OpenSSLErrors.takeText())
    }
}
