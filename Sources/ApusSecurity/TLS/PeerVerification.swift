// Whether a peer's certificate is good. OpenSSL asks once per full handshake, before the peer proves that it holds the
// key; that proof is OpenSSL's own and nothing here can waive it.

import COpenSSL

final class PeerVerification: Sendable {
    /// False: the pins stand in for an authority.
    private let checksChain: Bool
    private let pins: Set<CertificatePin>

    init(_ settings: TLSSettings) {
        checksChain = !settings.believesNobody
        pins = Set(settings.pins)
    }

    /// Leaves the reason of a refusal in `store`.
    func isGood(_ store: OpaquePointer) -> Bool {
        if checksChain {
            guard unsafe X509_verify_cert(store) == 1 else { return false }
        } else {
            guard unsafe isTimely(store) else { return false }
        }
        guard unsafe pins.isEmpty || isPinned(X509_STORE_CTX_get0_cert(store)) else {
            unsafe X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION)
            return false
        }
        unsafe X509_STORE_CTX_set_error(store, X509_V_OK)
        return true
    }

    private func isPinned(_ leaf: OpaquePointer?) -> Bool {
        guard let pin = unsafe CertificatePin(of: leaf) else { return false }
        return pins.contains(pin)
    }

    private func isTimely(_ store: OpaquePointer) -> Bool {
        let leaf = unsafe X509_STORE_CTX_get0_cert(store)
        // 0 stands for a date that cannot be read, which is refused with the dates that are wrong.
        if unsafe X509_cmp_current_time(X509_get0_notBefore(leaf)) >= 0 {
            unsafe X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_NOT_YET_VALID)
            return false
        }
        if unsafe X509_cmp_current_time(X509_get0_notAfter(leaf)) <= 0 {
            unsafe X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_HAS_EXPIRED)
            return false
        }
        return true
    }
}
