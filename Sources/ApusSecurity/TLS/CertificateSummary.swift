// What handlers and logs may know of a certificate.

import COpenSSL

public struct CertificateSummary: Equatable, Sendable {
    /// The distinguished name in RFC 2253's form, ASCII with escapes: `CN=node-1,O=Apus`. Empty where it is empty.
    public let subject: String
    public let pin: CertificatePin
    /// Seconds since 1970.
    public let notBefore: Int64
    /// Seconds since 1970; the certificate is good up to this second.
    public let notAfter: Int64

    init?(of certificate: OpaquePointer) {
        guard let pin = unsafe CertificatePin(of: certificate),
            let notBefore = unsafe CertificateSummary.seconds(X509_get0_notBefore(certificate)),
            let notAfter = unsafe CertificateSummary.seconds(X509_get0_notAfter(certificate))
        else {
            ERR_clear_error()
            return nil
        }
        self.pin = pin
        (self.notBefore, self.notAfter) = (notBefore, notAfter)
        subject = unsafe CertificateSummary.text(of: X509_get_subject_name(certificate))
    }

    private static func seconds(_ time: UnsafePointer<ASN1_TIME>?) -> Int64? {
        guard let epoch = unsafe ASN1_TIME_set(nil, 0) else { return nil }
        defer { unsafe ASN1_TIME_free(epoch) }
        var (days, seconds): (Int32, Int32) = (0, 0)
        guard unsafe ASN1_TIME_diff(&days, &seconds, epoch, time) == 1 else { return nil }
        return Int64(days) * 86_400 + Int64(seconds)
    }

    private static func text(of name: OpaquePointer?) -> String {
        guard let text = unsafe BIO_new(BIO_s_mem()) else { return "" }
        defer { unsafe BIO_free(text) }
        // RFC 2253 without the conversion to UTF-8: whatever the peer wrote comes out as printable ASCII.
        guard unsafe X509_NAME_print_ex(text, name, 0, UInt(tls_name_format)) >= 0 else { return "" }
        var bytes = [UInt8](repeating: 0, count: 1024)
        let count = unsafe BIO_read(text, &bytes, Int32(bytes.count))
        return String(decoding: bytes.prefix(max(0, Int(count))), as: UTF8.self)
    }
}
