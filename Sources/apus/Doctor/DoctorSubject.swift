// What `apus doctor` holds the host against: a server's configuration, or why there is none.

import ApusConfiguration
import ApusOperations
import ApusSecurity
import ApusServer

struct DoctorSubject {
    /// Nil when it could not be read.
    private let prepared: PreparedConfiguration?
    private let file: String?
    private let problems: [Problem]

    /// A configuration that cannot be used is a finding, and no reason not to look at the host.
    static func read(_ sources: ConfigurationSources) throws -> DoctorSubject {
        do {
            let prepared = try PreparedConfiguration(sources)
            return DoctorSubject(prepared: prepared, file: sources.file, problems: prepared.warnings)
        } catch let error as ConfigurationError {
            return DoctorSubject(prepared: nil, file: sources.file, problems: error.problems)
        }
    }

    func examine() -> [Finding] {
        // Without a configuration of its own the host is held against the standard one.
        let server = prepared?.server ?? ServerConfiguration(address: Apus.defaultAddress)
        let host = ExaminedHost.current(
            certificates: server.listeners.compactMap(CertificateReading.init),
            cryptographyVersion: CryptographyLibrary.version)
        return configurationFindings + Examination(of: host, for: plan(of: server)).findings()
    }

    private var configurationFindings: [Finding] {
        let check = Fix.command("apus check" + (file.map { " --config \(shellWord($0))" } ?? ""))
        if problems.isEmpty { return file.map { [.ok("configuration", "\($0) can be served")] } ?? [] }
        return problems.map { problem in
            switch problem.severity {
            case .warning: .warning("configuration", "\(problem)", [check])
            case .error: .failure("configuration", "\(problem)", [check])
            }
        }
    }

    private func plan(of configuration: ServerConfiguration) -> ServicePlan {
        let listeners = configuration.listeners.map { listener in
            ServicePlan.Listener(
                name: listener.name, address: listener.address, security: ServicePlan.Security(listener.security))
        }
        var plan = ServicePlan(
            shards: configuration.shards, maxConnections: configuration.maxConnections,
            memoryBudgetPerShard: configuration.memoryBudgetPerShard, listeners: listeners)
        plan.configurationFile = file
        plan.secretFiles = secretFiles
        return plan
    }

    /// Each once, whichever listeners name it.
    private var secretFiles: [(setting: String, path: String)] {
        let keys = [("psk_file", HandshakeKeys.presharedKeyFile), ("identity_file", HandshakeKeys.identityFile)]
        let ofListeners = keys.flatMap { name, key in
            let listeners = prepared?.configuration.listeners.filter { $0.security == .handshake } ?? []
            return Set(listeners.compactMap { $0[key] }).sorted().map { (name, $0) }
        }
        return ofListeners + (prepared?.configuration.relaySecretFiles ?? [])
    }
}

extension ServicePlan.Security {
    fileprivate init(_ security: ListenerSecurity) {
        self = switch security {
        case .none: .none
        case .handshake: .handshake
        case .tls: .tls
        }
    }
}

extension CertificateReading {
    /// Nil for a listener without a certificate. That it can be read and has its key was seen when it was.
    fileprivate init?(_ listener: ListenerConfiguration) {
        guard case .tls(let material) = listener.security, let certificate = material.certificate else { return nil }
        self.init(
            listener: listener.name, certificatePath: material.settings.certificateChain?.name ?? "",
            keyPath: material.settings.privateKey?.name ?? "", problem: nil,
            validity: certificate.notBefore...max(certificate.notBefore, certificate.notAfter),
            subject: certificate.subject)
    }
}
