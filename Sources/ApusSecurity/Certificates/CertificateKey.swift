// A certificate's private key. It never prints itself; OpenSSL wipes it when the last copy goes.

import COpenSSL

public struct CertificateKey: Sendable {
    public enum Kind: String, Sendable, CaseIterable {
        case p256
        case ed25519
    }

    let loaded: LoadedKey

    /// A new key, from OpenSSL's generator.
    public init(_ kind: Kind) throws(CertificateError) {
        let key =
            switch kind {
            case .p256: unsafe certificate_key_p256()
            case .ed25519: unsafe certificate_key_ed25519()
            }
        guard let key = unsafe key else { throw .library(operation: .generateKey, reason: OpenSSLErrors.takeText()) }
        loaded = unsafe LoadedKey(owning: key)
    }

    /// A PEM file's, of any kind that OpenSSL reads, without a password.
    public init(reading source: PEMSource) throws(CertificateError) {
        do throws(TLSConfigurationError) {
            loaded = try source.readPrivateKey(as: "private key")
        } catch {
            throw .unreadable("\(error)")
        }
    }

    /// Lend `body` the key in PEM (PKCS#8, RFC 5958), in memory that is wiped when it returns.
    ///
    /// - Throws: `CertificateError`, and what `body` throws.
    public func withPEM<Result>(_ body: (RawSpan) throws -> Result) throws -> Result {
        guard let text = unsafe BIO_new(BIO_s_secmem()) else { throw failure }
        // Wipes what it held, also where it grew.
        defer { unsafe BIO_free(text) }
        guard unsafe certificate_key_write(text, loaded.pointer) == 1 else { throw failure }
        var start: UnsafeRawPointer?
        let count = unsafe certificate_text(text, &start)
        // The bytes are the text's, which lives until this returns.
        let bytes = unsafe UnsafeRawBufferPointer(start: start, count: count)
        return try body(unsafe bytes.bytes)
    }

    private var failure: CertificateError { .library(operation: .writeKey, reason: OpenSSLErrors.takeText()) }
}

extension CertificateKey: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "private key" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
