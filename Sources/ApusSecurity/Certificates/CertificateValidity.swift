// From when to when a certificate is good. Times are seconds since 1970, and the present one is a parameter.

public struct CertificateValidity: Equatable, Sendable {
    /// Both ends are included.
    public let notBefore: Int64
    public let notAfter: Int64

    public static let daysRange = 1...36_500
    /// Ten years.
    public static let authorityDays = 3650
    /// One year.
    public static let nodeDays = 365

    /// A peer's clock may be so much behind ours, and the certificate good at once all the same.
    public static let backdatingSeconds: Int64 = 300

    init(notBefore: Int64, notAfter: Int64) {
        (self.notBefore, self.notAfter) = (notBefore, notAfter)
    }

    /// From five minutes before `now` to `days` days after it.
    ///
    /// - Throws: `.validity` unless `daysRange` contains `days`.
    public init(days: Int, from now: Int64) throws(CertificateError) {
        guard CertificateValidity.daysRange.contains(days) else { throw .validity(days: days) }
        self.init(
            notBefore: now - CertificateValidity.backdatingSeconds, notAfter: now + Int64(days) * 24 * 60 * 60)
    }

    public func contains(_ time: Int64) -> Bool { notBefore <= time && time <= notAfter }

    /// What of it lies within `other`.
    public func limited(to other: CertificateValidity) -> CertificateValidity {
        CertificateValidity(notBefore: max(notBefore, other.notBefore), notAfter: min(notAfter, other.notAfter))
    }
}
