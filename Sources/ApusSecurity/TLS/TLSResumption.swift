// What a client keeps of one session to begin the next without certificates and signatures.

import COpenSSL

/// Opaque; holds secrets that OpenSSL wipes when the last reference goes. Offer each once, as a rule: an eavesdropper
/// can tell that two connections that show the same ticket are one client's (RFC 8446 §C.4).
@safe
public final class TLSResumption: Sendable {
    /// OpenSSL counts its references atomically and changes no session that has been given out.
    nonisolated(unsafe) let pointer: OpaquePointer
    /// By what rules and under what name the peer was verified: it is not verified again, so it must be the same.
    let rules: [UInt8]
    let serverName: String?

    /// Takes ownership.
    init(owning pointer: OpaquePointer, rules: [UInt8], serverName: String?) {
        unsafe self.pointer = pointer
        self.rules = rules
        self.serverName = serverName
    }

    deinit { unsafe SSL_SESSION_free(pointer) }
}
