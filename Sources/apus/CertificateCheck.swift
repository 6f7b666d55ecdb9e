// Whether the certificates of TLS listeners are good now, and for how long. It reads none: the server's material has.

import ApusConfiguration
import ApusSecurity
import ApusServer

enum CertificateCheck {
    /// A renewal that has not happened by then has probably failed.
    static let warningSeconds: Int64 = 14 * 86_400

    /// - Parameter now: seconds since 1970.
    static func problems(
        of server: ServerConfiguration, _ configuration: Configuration, at now: Int64
    ) -> [Problem] {
        zip(configuration.listeners, server.listeners).compactMap { listener, served in
            guard case .tls(let material) = served.security, let certificate = material.certificate,
                let (severity, reason) = judgement(of: certificate, at: now)
            else { return nil }
            return Problem(
                severity, listener.origin(of: TLSKeys.certificate), listener.path(of: TLSKeys.certificate), reason)
        }
    }

    /// Nil for a certificate that is good for a while.
    static func judgement(of certificate: CertificateSummary, at now: Int64) -> (Problem.Severity, String)? {
        let end = Certs.text(ofTime: certificate.notAfter)
        if certificate.notAfter < now { return (.error, "expired at \(end): renew it") }
        if certificate.notBefore > now {
            return (.error, "good from \(Certs.text(ofTime: certificate.notBefore)) only: is the clock right?")
        }
        guard certificate.notAfter - now < warningSeconds else { return nil }
        return (.warning, "expires at \(end), in \((certificate.notAfter - now) / 86_400) days: renew it")
    }
}
