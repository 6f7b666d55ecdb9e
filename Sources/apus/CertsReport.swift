// What is printed of a certificate, and how it is to be used.

import ApusSecurity

/// What a certificate says.
struct CertificateFields: Encodable {
    let subject: String
    let issuer: String
    let alternativeNames: [String]
    let isAuthority: Bool
    let keyKind: String
    let notBefore: String
    let notAfter: String
    let sha256: String
    private let validity: CertificateValidity

    enum CodingKeys: String, CodingKey {
        case subject, issuer, sha256
        case alternativeNames = "alternative_names"
        case isAuthority = "is_authority"
        case keyKind = "key"
        case notBefore = "not_before"
        case notAfter = "not_after"
    }

    init(_ certificate: Certificate) {
        (subject, issuer) = (certificate.summary.subject, certificate.issuer)
        alternativeNames = certificate.alternativeNames.map(\.description)
        (isAuthority, keyKind) = (certificate.isAuthority, certificate.keyKind)
        validity = certificate.validity
        notBefore = Certs.text(ofTime: validity.notBefore)
        notAfter = Certs.text(ofTime: validity.notAfter)
        sha256 = certificate.summary.pin.description
    }

    func text(at now: Int64) -> String {
        """
        subject  \(subject)
        issuer   \(issuer)\(isAuthority ? ", and may sign others itself" : "")
        names    \(alternativeNames.isEmpty ? "none" : alternativeNames.joined(separator: ", "))
        key      \(keyKind)
        valid    \(notBefore) to \(notAfter), \(state(at: now))
        sha256   \(sha256)
        """
    }

    private func state(at now: Int64) -> String {
        if now < validity.notBefore { return "NOT YET VALID" }
        if now > validity.notAfter { return "EXPIRED" }
        // A day that has begun counts, so that what was made for a year has a year left.
        let days = (validity.notAfter - now + 24 * 60 * 60 - 1) / (24 * 60 * 60)
        return days == 1 ? "1 day left" : "\(days) days left"
    }
}

/// What was made, and where it is.
struct CertificateReport: Encodable {
    let kind = "certs"
    let certificate: String
    let key: String
    /// The certificate that peers need to trust it.
    let authority: String
    let fields: CertificateFields

    enum CodingKeys: String, CodingKey {
        case kind, certificate, key, fields
        case authority = "ca"
    }

    init(_ certificate: Certificate, files: CertificateFiles, authority: String) {
        (self.certificate, key) = (files.certificate, files.key)
        self.authority = authority
        fields = CertificateFields(certificate)
    }

    var text: String {
        """
        \(certificate)  the certificate of \(fields.subject), valid until \(fields.notAfter)
        \(key)  its private key, readable by you alone
        sha256 \(fields.sha256)
        """
    }

    /// The commands that use it.
    /// - Parameter mutually: whether clients may be asked for certificates of the same authority.
    func usage(mutually: Bool) -> String {
        let serve = "apus serve --security tls --tls-certificate \(shellWord(certificate)) --tls-key \(shellWord(key))"
        let lines = [
            "", "Serve with it:", "", "  \(serve)", "", "Reach it:", "",
            "  apus ping --tls --ca \(shellWord(authority))\(address)",
        ]
        let mutual = [
            "", "Serve only clients whose certificate the same authority signed:", "",
            "  \(serve) --tls-ca \(shellWord(authority)) --verify-client",
        ]
        return (lines + (mutually ? mutual : [])).joined(separator: "\n")
    }

    /// By the first name that can be dialled.
    private var address: String {
        guard let name = fields.alternativeNames.first(where: { !$0.hasPrefix("*") }) else { return "" }
        return " --address \(name.contains(":") ? shellWord("[\(name)]:9000") : "\(name):9000")"
    }
}

/// As a shell reads it back.
func shellWord(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy { byte in
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        case UInt8(ascii: "."), UInt8(ascii: "/"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "+"): true
        default: false
        }
    }
    if isPlain && !text.isEmpty { return text }
    // Between single quotes all stands for itself but a single quote, which is put between two such texts.
    let pieces = text.split(separator: "'", omittingEmptySubsequences: false)
    return "'\(pieces.joined(separator: #"'\''"#))'"
}
