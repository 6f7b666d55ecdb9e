// Places in counters for the reasons that ApusSecurity names, and close reasons for its violations.

import ApusSecurity

extension HandshakeRefusal {
    /// Its place among all cases.
    var index: Int {
        guard let index = HandshakeRefusal.allCases.firstIndex(of: self) else { preconditionFailure("it is a case") }
        return index
    }
}

extension TLSFailure {
    /// The labels of all kinds; codes inside a kind are not told apart.
    static let kindLabels: [String] = [
        TLSFailure.certificateRequired, .certificateUnverified(0), .certificateExpired, .certificateNotYetValid,
        .wrongName, .wrongPin, .badSignature, .unsupportedVersion, .noSharedCipher, .noApplicationProtocol, .notTLS,
        .handshakeFailed(0), .badRecord, .alertReceived(0), .protocolViolation(0), .truncated, .outOfMemory,
    ].map { "\($0.label)" }

    static var kindCount: Int { kindLabels.count }

    /// Its place in `kindLabels`.
    var kind: Int {
        switch self {
        case .certificateRequired: 0
        case .certificateUnverified: 1
        case .certificateExpired: 2
        case .certificateNotYetValid: 3
        case .wrongName: 4
        case .wrongPin: 5
        case .badSignature: 6
        case .unsupportedVersion: 7
        case .noSharedCipher: 8
        case .noApplicationProtocol: 9
        case .notTLS: 10
        case .handshakeFailed: 11
        case .badRecord: 12
        case .alertReceived: 13
        case .protocolViolation: 14
        case .truncated: 15
        case .outOfMemory: 16
        }
    }
}

extension CloseReason {
    init(_ violation: SealedViolation) {
        self = switch violation {
        case .truncated, .authenticationFailed: .sealTampered
        case .replayed, .outOfSequence: .sealReplayed
        case .reflected: .sealReflected
        }
    }
}
