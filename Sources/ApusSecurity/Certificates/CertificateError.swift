// Why a certificate was not made, or could not be read. What is wrong with TLS settings is a `TLSConfigurationError`.

public enum CertificateError: Error, Equatable, Sendable {
    /// Not a name a certificate can be for.
    case name(String, reason: String)
    /// Neither a DNS name nor an IP address.
    case alternativeName(String, reason: String)
    /// A certificate for no DNS name and no address, which every peer would refuse.
    case noAlternativeName
    case validity(days: Int)
    /// The key is another certificate's.
    case keyMismatch(subject: String)
    /// The certificate may not sign others.
    case notAnAuthority(subject: String)
    /// The authority's time is over, in seconds since 1970.
    case authorityExpired(subject: String, notAfter: Int64)
    /// The authority's time has not come; the clock may be wrong.
    case authorityNotYetValid(subject: String, notBefore: Int64)
    /// What was to be read is none, for the reasons given.
    case unreadable(String)
    /// OpenSSL would not, in its words.
    case library(operation: Operation, reason: String)

    /// What OpenSSL was asked to do.
    public enum Operation: String, Equatable, Sendable {
        case generateKey = "make a key"
        case writeKey = "write a private key"
        case fillCertificate = "fill in a certificate"
        case sign = "sign a certificate"
        case writeCertificate = "write a certificate"
        case readCertificate = "read a certificate's fields"
    }
}

extension CertificateError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .name(let name, let reason): "\"\(name)\" cannot be a certificate's name: \(reason)"
        case .alternativeName(let name, let reason):
            "\"\(name)\" is neither a DNS name nor an IP address: \(reason)"
        case .noAlternativeName:
            "a certificate without a DNS name or an IP address is refused by everybody: give one at least"
        case .validity(let days):
            "a certificate cannot be valid for \(days) days: choose \(CertificateValidity.daysRange.lowerBound) to "
                + "\(CertificateValidity.daysRange.upperBound)"
        case .keyMismatch(let subject):
            "the private key does not belong to the certificate of \(subject): name the two files that were made "
                + "together"
        case .notAnAuthority(let subject):
            "the certificate of \(subject) may not sign others: name a certificate authority's"
        case .authorityExpired, .authorityNotYetValid: untimely
        case .unreadable(let reason): reason
        case .library(let operation, let reason): "OpenSSL could not \(operation.rawValue): \(reason)"
        }
    }

    private var untimely: String {
        switch self {
        case .authorityExpired(let subject, let notAfter):
            "the certificate authority \(subject) has expired (\(notAfter) s after 1970): make a new one, and new "
                + "certificates with it"
        case .authorityNotYetValid(let subject, let notBefore):
            "the certificate authority \(subject) is not valid yet (\(notBefore) s after 1970): check this machine's "
                + "clock"
        case .name, .alternativeName, .noAlternativeName, .validity, .keyMismatch, .notAnAuthority, .unreadable,
            .library:
            preconditionFailure("not a matter of time")
        }
    }
}
