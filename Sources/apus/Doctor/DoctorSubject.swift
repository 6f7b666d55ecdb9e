// What `apus doctor` holds the host against: a server's configuration, or why there is none.

import ApusOperations
import ApusSecurity
import ApusServer

struct DoctorSubject {
    /// Nil when it could not be read.
    private let configuration: ServerConfiguration?
    private let file: String?
    /// What is wrong with the configuration itself.
    private let problems: [String]

    init(_ configuration: ServerConfiguration?, file: String?, problems: [String]) {
        self.configuration = configuration
        self.file = file
        self.problems = problems
    }

    /// A configuration that cannot be used is a finding, and no reason not to look at the host.
    static func read(_ file: String?) throws -> DoctorSubject {
        do {
            let configuration = try serverConfiguration(file)
            return DoctorSubject(configuration, file: file, problems: configuration.problems())
        } catch let failure as Failure where failure.status == .invalidConfiguration {
            return DoctorSubject(nil, file: file, problems: [failure.message])
        }
    }

    /// Of flags that nobody gave; of the file, where there is one.
    private static func serverConfiguration(_ file: String?) throws -> ServerConfiguration {
        guard file == nil else { throw Failure(.usage, "apus: --config: there are no configuration files yet") }
        return try Serve.parse([]).serverConfiguration()
    }

    func examine() -> [Finding] {
        let configuration = configuration ?? ServerConfiguration(address: Apus.defaultAddress)
        let host = ExaminedHost.current(
            certificates: configuration.listeners.compactMap(CertificateReading.init),
            cryptographyVersion: CryptographyLibrary.version)
        return configurationFindings + Examination(of: host, for: plan(of: configuration)).findings()
    }

    private var configurationFindings: [Finding] {
        guard let file else { return problems.map { .failure("configuration", $0, []) } }
        if problems.isEmpty { return [.ok("configuration", "\(file) can be served")] }
        return problems.map { .failure("configuration", $0, [.command("apus check --config \(shellWord(file))")]) }
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
        return plan
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
