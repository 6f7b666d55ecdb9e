// What trust hangs on: the time, the library that does the cryptography, certificates, and who can read secrets.

import Foundation

extension Examination {
    /// NPRO takes a peer whose clock is at most 2 s ahead of ours or 30 s behind (docs/protocol.md, Handshake).
    private static let clientAheadSecondsMax = 2.0

    var clock: Finding {
        // 2025: older than this program.
        if host.nowSeconds < 1_735_689_600 {
            let seen = "it is \(Examination.day(of: host.nowSeconds)) by this clock"
            return .failure("clock", seen, Examination.clockFixes)
        }
        guard let clock = host.clock else { return .unknown("clock", "adjtimex is forbidden here") }
        let error = Double(clock.errorMicrosecondsMax) / 1e6
        let window = plan.listeners.contains { $0.security == .handshake }
            ? "; handshakes need clients at most 2 s ahead of it and 30 s behind" : ""
        guard clock.isSynchronised else {
            return .warning("clock", "nobody keeps it right (STA_UNSYNC)\(window)", Examination.clockFixes)
        }
        let seen = "kept right to within \(fixed(error, digits: 3)) s\(window)"
        if error < Examination.clientAheadSecondsMax / 2 { return .ok("clock", seen) }
        return .warning("clock", seen, [.command("chronyc tracking || timedatectl timesync-status")])
    }

    private static let clockFixes: [Fix] = [
        .command("timedatectl set-ntp true"),
        .step("in a container or a virtual machine: on its host; without systemd: apt install chrony"),
    ]

    var cryptography: Finding {
        let version = host.cryptographyVersion
        let words = version.split(separator: " ")
        guard words.count >= 2, words[0] == "OpenSSL" else { return .unknown("openssl", version) }
        let major = words[1].split(separator: ".").first.flatMap { Int($0) } ?? 0
        return major >= 3
            ? .ok("openssl", version)
            : .failure("openssl", "\(version), and 3.0 or newer is needed", [.command("apt install libssl3")])
    }

    static func day(of seconds: Int64) -> String {
        Date(timeIntervalSince1970: Double(seconds)).formatted(.iso8601.year().month().day())
    }
}

// MARK: Certificates and secrets

extension Examination {
    private static let renewalDays: Int64 = 14

    var certificateFindings: [Finding] {
        host.certificates.flatMap { reading in [certificate(reading), privateKey(reading)].compactMap(\.self) }
    }

    private func certificate(_ reading: CertificateReading) -> Finding {
        let name = "certificate-\(reading.listener)"
        if let problem = reading.problem {
            return .failure(name, problem, [.command("apus certs show \(reading.certificatePath)")])
        }
        guard let validity = reading.validity else {
            return .unknown(name, "\(reading.certificatePath) cannot be read")
        }
        let renewal = [Fix.step("renew \(reading.certificatePath) and \(reading.keyPath), then: apus reload")]
        let owner = reading.subject.isEmpty ? "" : " (\(reading.subject))"
        let subject = reading.certificatePath + owner
        if host.nowSeconds < validity.lowerBound {
            let seen = "\(subject) is good only from \(Examination.day(of: validity.lowerBound)) on"
            return .failure(name, seen, renewal)
        }
        if host.nowSeconds > validity.upperBound {
            return .failure(name, "\(subject) expired on \(Examination.day(of: validity.upperBound))", renewal)
        }
        let days = (validity.upperBound - host.nowSeconds) / 86_400
        let seen = "\(subject) and its key belong together, good for \(counted(Int(days), "more day"))"
        return days >= Examination.renewalDays ? .ok(name, seen) : .warning(name, seen, renewal)
    }

    private func privateKey(_ reading: CertificateReading) -> Finding? {
        // That it cannot be read was said.
        guard let mode = files.mode(reading.keyPath) else { return nil }
        return secret("key-\(reading.listener)", reading.keyPath, mode, groupMayRead: true)
    }

    /// The server refuses those that others may read, so a mode that is not 0600 is no matter of taste.
    var secretFindings: [Finding] {
        plan.secretFiles.map { setting, path in
            guard let mode = files.mode(path) else {
                return .failure(setting, "\(path) cannot be found", [.command("ls -l \(path)")])
            }
            return secret(setting, path, mode, groupMayRead: false)
        }
    }

    private func secret(_ name: String, _ path: String, _ mode: UInt32, groupMayRead: Bool) -> Finding {
        let shown = "\(path) has mode \(String(mode, radix: 8, uppercase: false))"
        let fix = [Fix.command("chmod 600 \(path)")]
        if mode & (groupMayRead ? 0o027 : 0o077) == 0 { return .ok(name, shown) }
        return .failure(name, "\(shown): others than its owner may use it", fix)
    }
}
