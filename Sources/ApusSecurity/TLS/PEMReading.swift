// Certificates and keys out of PEM, each owned by one object that frees it.

import COpenSSL

/// A parsed certificate. OpenSSL counts its references atomically and nobody changes it after `init`.
@safe
final class LoadedCertificate: Sendable {
    nonisolated(unsafe) let pointer: OpaquePointer

    /// Takes ownership.
    init(owning pointer: OpaquePointer) {
        unsafe self.pointer = pointer
        // Parses the extensions once, here, rather than under OpenSSL's lock on whichever shard comes first.
        _ = unsafe X509_check_purpose(pointer, -1, 0)
    }

    deinit { unsafe X509_free(pointer) }
}

/// A private key; OpenSSL wipes it when the last reference goes.
@safe
final class LoadedKey: Sendable {
    nonisolated(unsafe) let pointer: OpaquePointer

    /// Takes ownership.
    init(owning pointer: OpaquePointer) { unsafe self.pointer = pointer }

    deinit { unsafe EVP_PKEY_free(pointer) }
}

extension PEMSource {
    /// Every certificate, in its order; at least one.
    /// - Parameter subject: the setting's name in errors: `certificate chain`.
    func readCertificates(as subject: String) throws(TLSConfigurationError) -> [LoadedCertificate] {
        let subject = "\(subject) (\(name))"
        let (certificates, cause) = try unsafe read(as: subject) { text in
            var certificates: [LoadedCertificate] = []
            while let certificate = unsafe tls_read_certificate(text) {
                certificates.append(unsafe LoadedCertificate(owning: certificate))
            }
            return (certificates, OpenSSLErrors.takeCause())
        }
        // At the end of the text, too, the reader complains that nothing begins.
        guard PEMSource.isEnd(cause) else {
            throw TLSConfigurationError(
                subject, "certificate \(certificates.count + 1) cannot be read: \(OpenSSLErrors.text(of: cause))")
        }
        guard !certificates.isEmpty else {
            throw TLSConfigurationError(subject, "holds no certificate: name a PEM file with BEGIN CERTIFICATE")
        }
        return certificates
    }

    func readPrivateKey(as subject: String) throws(TLSConfigurationError) -> LoadedKey {
        let subject = "\(subject) (\(name))"
        let (key, cause) = try unsafe read(as: subject) { text in
            // The key belongs to the object before anybody else sees it.
            let key = unsafe tls_read_private_key(text).map { unsafe LoadedKey(owning: $0) }
            return (key, OpenSSLErrors.takeCause())
        }
        guard let key else { throw TLSConfigurationError(subject, PEMSource.complaint(aboutKey: cause)) }
        return key
    }

    private static func isEnd(_ cause: UInt) -> Bool {
        ERR_GET_LIB(cause) == ERR_LIB_PEM && ERR_GET_REASON(cause) == PEM_R_NO_START_LINE
    }

    private static func complaint(aboutKey cause: UInt) -> String {
        switch Int(ERR_GET_REASON(cause)) {
        case ERR_R_INTERRUPTED_OR_CANCELLED:  // Only our refusal to give a password interrupts.
            "is encrypted: decrypt it with `openssl pkey`, and let nobody else read the file"
        case ERR_R_UNSUPPORTED:
            "holds no private key: name a PEM file with BEGIN PRIVATE KEY"
        default:
            "cannot be read: \(OpenSSLErrors.text(of: cause))"
        }
    }

    /// `body` gets OpenSSL's reader over the text, which is closed when it returns.
    private func read<Result>(
        as subject: String, _ body: (OpaquePointer) -> Result
    ) throws(TLSConfigurationError) -> Result {
        switch place {
        case .file(let path):
            guard let text = unsafe BIO_new_file(path, "r") else {
                throw TLSConfigurationError(subject, "cannot be opened: \(OpenSSLErrors.takeText())")
            }
            defer { unsafe BIO_free(text) }
            return unsafe body(text)
        case .bytes(let bytes):
            let result: Result? = unsafe bytes.withUnsafeBytes { buffer in
                // The reader neither copies the bytes nor outlives them.
                guard let count = Int32(exactly: buffer.count),
                    let text = unsafe BIO_new_mem_buf(buffer.baseAddress, count)
                else { return nil }
                defer { unsafe BIO_free(text) }
                return unsafe body(text)
            }
            guard let result else {
                throw TLSConfigurationError(subject, "cannot be read: \(OpenSSLErrors.takeText())")
            }
            return result
        }
    }
}
