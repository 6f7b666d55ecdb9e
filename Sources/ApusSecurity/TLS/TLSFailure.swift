// Why a session ended that should not have. Each reason has a label for counters and a sentence for people; neither
// holds a byte that the peer or we kept secret.

import COpenSSL

public enum TLSFailure: Error, Equatable, BitwiseCopyable, Sendable {
    /// The client showed no certificate and has to.
    case certificateRequired
    /// No chain to an authority, or another defect; X509_V_ERR_… says which.
    case certificateUnverified(Int32)
    case certificateExpired
    case certificateNotYetValid
    /// The certificate is good, but for another name or address.
    case wrongName
    /// The certificate is none of those that were pinned.
    case wrongPin
    /// The peer showed a certificate and could not prove that it holds its key.
    case badSignature
    case unsupportedVersion
    case noSharedCipher
    /// Both sides speak ALPN and have no protocol in common.
    case noApplicationProtocol
    /// The first bytes are no TLS record: a plain client, or HTTP.
    case notTLS
    /// Any other reason before the handshake was complete; SSL_R_… says which.
    case handshakeFailed(Int32)
    /// A record that was forged, damaged or out of place.
    case badRecord
    /// The peer gave up; the alert's number (RFC 8446 §6).
    case alertReceived(UInt8)
    /// A breach of protocol after the handshake; SSL_R_… says which.
    case protocolViolation(Int32)
    /// The stream ended without close_notify: what came may not be all that was sent.
    case truncated
    case outOfMemory
}

extension TLSFailure {
    /// For counters: stable, snake_case.
    public var label: StaticString {
        switch self {
        case .certificateRequired: "certificate_required"
        case .certificateUnverified: "certificate_unverified"
        case .certificateExpired: "certificate_expired"
        case .certificateNotYetValid: "certificate_not_yet_valid"
        case .wrongName: "wrong_name"
        case .wrongPin: "wrong_pin"
        case .badSignature: "bad_signature"
        case .unsupportedVersion: "unsupported_version"
        case .noSharedCipher: "no_shared_cipher"
        case .noApplicationProtocol: "no_application_protocol"
        case .notTLS: "not_tls"
        case .handshakeFailed: "handshake_failed"
        case .badRecord: "bad_record"
        case .alertReceived: "alert_received"
        case .protocolViolation: "protocol_violation"
        case .truncated: "truncated"
        case .outOfMemory: "out_of_memory"
        }
    }
}

extension TLSFailure: CustomStringConvertible {
    public var description: String {
        switch self {
        case .certificateRequired: "the client showed no certificate: give it one of the CA that this side believes"
        case .certificateUnverified(let code):
            "the peer's certificate was not verified: \(TLSFailure.text(ofVerification: code))"
        case .certificateExpired: "the peer's certificate, or one above it, has expired: renew it, or set the clock"
        case .certificateNotYetValid: "the peer's certificate, or one above it, is not valid yet: set the clock"
        case .wrongName: "the server's certificate is for another name: connect by a name that it lists"
        case .wrongPin: "the peer's certificate is none of the pinned ones: renew the pin if it was exchanged"
        case .badSignature: "the peer does not hold the key of the certificate it showed: somebody is posing as it"
        case .unsupportedVersion: "the two sides have no TLS version in common"
        case .noSharedCipher: "the two sides have no cipher in common"
        case .noApplicationProtocol: "the two sides have no application protocol (ALPN) in common"
        case .notTLS: "the peer does not speak TLS"
        case .handshakeFailed(let reason): "the handshake failed: \(TLSFailure.text(of: reason))"
        case .badRecord: "a record was damaged, forged or out of place"
        case .alertReceived(let alert): "the peer gave up: \(TLSFailure.text(ofAlert: alert)) (alert \(alert))"
        case .protocolViolation(let reason): "the peer broke the protocol: \(TLSFailure.text(of: reason))"
        case .truncated: "the stream ended without close_notify: what was received may not be all that was sent"
        case .outOfMemory: "OpenSSL got no memory"
        }
    }

    private static func text(of reason: Int32) -> String {
        OpenSSLErrors.text(of: UInt(tls_error_code(reason)))
    }

    // The strings are OpenSSL's own constants.

    private static func text(ofVerification code: Int32) -> String {
        unsafe String(cString: X509_verify_cert_error_string(Int(code)))
    }

    private static func text(ofAlert alert: UInt8) -> String {
        unsafe String(cString: SSL_alert_desc_string_long(Int32(alert)))
    }
}

// MARK: From OpenSSL

extension TLSFailure {
    /// Takes the reason from the error queue and leaves it empty.
    static func take(from session: OpaquePointer, duringHandshake: Bool) -> TLSFailure {
        let reason = ERR_GET_REASON(OpenSSLErrors.takeCause())
        if let alert = UInt8(exactly: reason - SSL_AD_REASON_OFFSET) { return .alertReceived(alert) }
        if reason == SSL_R_CERTIFICATE_VERIFY_FAILED {
            return unsafe TLSFailure(verification: SSL_get_verify_result(session))
        }
        return named(reason, duringHandshake: duringHandshake)
            ?? (duringHandshake ? .handshakeFailed(reason) : .protocolViolation(reason))
    }

    private init(verification code: Int) {
        switch Int32(truncatingIfNeeded: code) {
        case X509_V_ERR_APPLICATION_VERIFICATION: self = .wrongPin
        case X509_V_ERR_CERT_HAS_EXPIRED: self = .certificateExpired
        case X509_V_ERR_CERT_NOT_YET_VALID: self = .certificateNotYetValid
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH: self = .wrongName
        default: self = .certificateUnverified(Int32(truncatingIfNeeded: code))
        }
    }

    private static func named(_ reason: Int32, duringHandshake: Bool) -> TLSFailure? {
        switch reason {
        case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: .certificateRequired
        case SSL_R_BAD_SIGNATURE: .badSignature
        case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_NO_PROTOCOLS_AVAILABLE, SSL_R_UNKNOWN_PROTOCOL, SSL_R_VERSION_TOO_LOW,
            SSL_R_VERSION_TOO_HIGH, SSL_R_WRONG_SSL_VERSION, SSL_R_INAPPROPRIATE_FALLBACK:
            .unsupportedVersion
        case SSL_R_NO_SHARED_CIPHER, SSL_R_NO_CIPHERS_AVAILABLE: .noSharedCipher
        case SSL_R_NO_APPLICATION_PROTOCOL: .noApplicationProtocol
        case SSL_R_HTTP_REQUEST, SSL_R_HTTPS_PROXY_REQUEST: .notTLS
        case SSL_R_WRONG_VERSION_NUMBER: duringHandshake ? .notTLS : .badRecord
        case SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, SSL_R_DATA_LENGTH_TOO_LONG, SSL_R_ENCRYPTED_LENGTH_TOO_LONG,
            SSL_R_PACKET_LENGTH_TOO_LONG, SSL_R_RECORD_LENGTH_MISMATCH, SSL_R_LENGTH_TOO_SHORT,
            SSL_R_UNEXPECTED_RECORD, SSL_R_BAD_RECORD_TYPE, SSL_R_RECORD_TOO_SMALL, SSL_R_BAD_LENGTH:
            .badRecord
        case Int32(truncatingIfNeeded: ERR_R_MALLOC_FAILURE): .outOfMemory
        default: nil
        }
    }
}
