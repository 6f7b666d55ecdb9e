// A certificate: what it says, and its text. How one is made lies in CertificateIssuing.swift.

import COpenSSL

/// Nobody changes it once it exists.
public struct Certificate: Sendable {
    let loaded: LoadedCertificate
    /// Subject, pin, and from when to when it is good.
    public let summary: CertificateSummary
    /// For whom it is good, in its order; names that are neither DNS names nor addresses are left out.
    public let alternativeNames: [AlternativeName]

    /// - Parameter loaded: read or signed.
    init(_ loaded: LoadedCertificate) throws(CertificateError) {
        guard let summary = unsafe CertificateSummary(of: loaded.pointer) else {
            throw .library(operation: .readCertificate, reason: OpenSSLErrors.takeText())
        }
        self.loaded = loaded
        self.summary = summary
        alternativeNames = unsafe Certificate.alternativeNames(of: loaded.pointer)
    }

    /// All certificates of a PEM file, in its order; at least one.
    public static func read(_ source: PEMSource) throws(CertificateError) -> [Certificate] {
        let loaded: [LoadedCertificate]
        do throws(TLSConfigurationError) {
            loaded = try source.readCertificates(as: "certificate")
        } catch {
            throw .unreadable("\(error)")
        }
        var certificates: [Certificate] = []
        for certificate in loaded { certificates.append(try Certificate(certificate)) }
        return certificates
    }

    private static func alternativeNames(of certificate: OpaquePointer) -> [AlternativeName] {
        guard let names = unsafe certificate_names_of(certificate) else { return [] }
        defer { unsafe certificate_names_free(names) }
        let indices = unsafe 0..<certificate_names_count(names)
        return indices.compactMap { index in
            var (start, count): (UnsafePointer<UInt8>?, Int32) = (nil, 0)
            let type = unsafe certificate_names_get(names, index, &start, &count)
            // The bytes are the name's, which lives until this returns.
            let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: Int(count)))
            switch type {
            case certificate_name_dns: return .dns(String(decoding: bytes, as: UTF8.self))
            case certificate_name_ip where [4, 16].contains(bytes.count): return .ip(bytes)
            default: return nil
            }
        }
    }
}

// MARK: Fields

extension Certificate {
    public var validity: CertificateValidity {
        CertificateValidity(notBefore: summary.notBefore, notAfter: summary.notAfter)
    }

    /// The distinguished name of who signed it, in RFC 2253's form.
    public var issuer: String {
        guard let text = unsafe BIO_new(BIO_s_mem()) else { return "" }
        defer { unsafe BIO_free(text) }
        let name = unsafe X509_get_issuer_name(loaded.pointer)
        guard unsafe X509_NAME_print_ex(text, name, 0, UInt(tls_name_format)) >= 0 else { return "" }
        return unsafe String(decoding: Certificate.bytes(in: text), as: UTF8.self)
    }

    /// Whether it may sign others (RFC 5280 §4.2.1.9).
    public var isAuthority: Bool { unsafe X509_check_ca(loaded.pointer) == 1 }

    /// What kind of key it is for, in OpenSSL's words: `EC`, `ED25519`, `RSA`.
    public var keyKind: String {
        guard let key = unsafe X509_get0_pubkey(loaded.pointer), let name = unsafe EVP_PKEY_get0_type_name(key) else {
            return "unknown"
        }
        // The name is OpenSSL's own constant.
        return unsafe String(cString: name)
    }

    /// Whether `key` is the private half of its key.
    public func belongs(to key: CertificateKey) -> Bool {
        defer { ERR_clear_error() }
        return unsafe X509_check_private_key(loaded.pointer, key.loaded.pointer) == 1
    }

    /// Whether `authority` signed it; says nothing of time, names or uses.
    public func isSigned(by authority: Certificate) -> Bool {
        defer { ERR_clear_error() }
        let key = unsafe X509_get0_pubkey(authority.loaded.pointer)
        return unsafe X509_verify(loaded.pointer, key) == 1
    }

    /// `-----BEGIN CERTIFICATE-----` …
    public func pem() throws(CertificateError) -> [UInt8] {
        guard let text = unsafe BIO_new(BIO_s_mem()) else { throw failure }
        defer { unsafe BIO_free(text) }
        guard unsafe PEM_write_bio_X509(text, loaded.pointer) == 1 else { throw failure }
        return unsafe Certificate.bytes(in: text)
    }

    /// What has been written to a text in memory.
    private static func bytes(in text: OpaquePointer) -> [UInt8] {
        var start: UnsafeRawPointer?
        let count = unsafe certificate_text(text, &start)
        // The bytes are the text's, which outlives this call.
        return unsafe Array(UnsafeRawBufferPointer(start: start, count: count))
    }

    private var failure: CertificateError { .library(operation: .writeCertificate, reason: OpenSSLErrors.takeText()) }
}
