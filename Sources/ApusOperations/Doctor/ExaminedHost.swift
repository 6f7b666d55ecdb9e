// Everything about a host that is looked at, as values. Made from the running one, or made up by tests.

import ApusReactor
import Foundation

/// What came of making a ring.
package enum RingFinding: Equatable, Sendable {
    case usable(RingInspection)
    case refused(errno: Int32)
    /// For any other reason, which says itself what to do.
    case unusable(String)

    static func current() -> RingFinding {
        do throws(RingUnavailable) {
            return .usable(try RingInspection.current())
        } catch {
            if case .refused(let errno) = error { return .refused(errno: errno) }
            return .unusable("\(error)")
        }
    }
}

/// A listener's certificate as it was read, by one who knows about such files.
package struct CertificateReading: Sendable {
    package var listener: String
    package var certificatePath: String
    package var keyPath: String
    /// Why the two cannot be served, as a sentence; nil when they can.
    package var problem: String?
    /// Seconds since 1970; nil when the file could not be read.
    package var validity: ClosedRange<Int64>?
    package var subject: String

    package init(
        listener: String, certificatePath: String, keyPath: String, problem: String?, validity: ClosedRange<Int64>?,
        subject: String
    ) {
        self.listener = listener
        self.certificatePath = certificatePath
        self.keyPath = keyPath
        self.problem = problem
        self.validity = validity
        self.subject = subject
    }
}

package struct ExaminedHost: Sendable {
    package var files: HostFiles
    package var environment: [String: String]
    package var ring: RingFinding
    /// Nil where it may not be asked.
    package var clock: ClockDiscipline?
    /// Seconds since 1970.
    package var nowSeconds: Int64
    package var certificates: [CertificateReading]
    /// As OpenSSL calls itself: `OpenSSL 3.0.17 1 Jul 2025`.
    package var cryptographyVersion: String

    package init(
        files: HostFiles, environment: [String: String], ring: RingFinding, clock: ClockDiscipline?, nowSeconds: Int64,
        certificates: [CertificateReading], cryptographyVersion: String
    ) {
        self.files = files
        self.environment = environment
        self.ring = ring
        self.clock = clock
        self.nowSeconds = nowSeconds
        self.certificates = certificates
        self.cryptographyVersion = cryptographyVersion
    }

    /// The one this runs on.
    package static func current(certificates: [CertificateReading], cryptographyVersion: String) -> ExaminedHost {
        ExaminedHost(
            files: HostFiles(), environment: ProcessInfo.processInfo.environment, ring: .current(), clock: .current(),
            nowSeconds: Int64(Date().timeIntervalSince1970), certificates: certificates,
            cryptographyVersion: cryptographyVersion)
    }

    var surroundings: Surroundings { Surroundings(files, environment: environment) }
}
