// The SHA-256 of a certificate, by which it is told from all others.

import COpenSSL

/// Of the whole leaf certificate in DER, as `openssl x509 -fingerprint -sha256` prints it.
public struct CertificatePin: Hashable, Sendable {
    public static let byteCount = 32

    public let sha256: [UInt8]

    /// Nil unless there are 32 bytes.
    public init?(sha256: [UInt8]) {
        guard sha256.count == CertificatePin.byteCount else { return nil }
        self.sha256 = sha256
    }

    /// Nil unless there are 64 hexadecimal digits of either case; colons between them are passed over.
    public init?(hex: String) {
        let digits = hex.utf8.filter { $0 != UInt8(ascii: ":") }.map(CertificatePin.value(ofDigit:))
        guard digits.count == CertificatePin.byteCount * 2, digits.allSatisfy({ $0 < 16 }) else { return nil }
        sha256 = stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    /// 16 and above for what is no digit.
    private static func value(ofDigit digit: UInt8) -> UInt8 {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: .max
        }
    }

    /// Nil when there is no such certificate or no memory.
    init?(of certificate: OpaquePointer?) {
        guard let certificate = unsafe certificate else { return nil }
        var digest = [UInt8](repeating: 0, count: CertificatePin.byteCount)
        var count: UInt32 = 0
        // The digest of SHA-256 is 32 bytes, which is the room it has.
        guard unsafe X509_digest(certificate, EVP_sha256(), &digest, &count) == 1 else { return nil }
        sha256 = digest
    }
}

extension CertificatePin: CustomStringConvertible {
    /// Lower-case hexadecimal digits.
    public var description: String {
        sha256.map { $0 < 16 ? "0" + String($0, radix: 16) : String($0, radix: 16) }.joined()
    }
}
