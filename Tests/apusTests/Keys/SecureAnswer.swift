// Whether a server lets a client of this process in, which can be told more than the client verbs.

import ApusClient
import ApusSecurity
import Foundation

@testable import apus

/// `served`, or `refused` where no PONG came.
func answer(to security: ClientSecurity, at address: String) async -> String {
    var configuration = ClientConfiguration()
    configuration.security = security
    configuration.connectionTimeout = .seconds(30)
    do throws(ClientError) {
        let client = try await Client.connect(to: address, configuration: configuration)
        defer { client.close() }
        return try await client.request(.ping) == .pong ? "served" : "answered otherwise"
    } catch {
        return "refused"
    }
}

extension Scene {
    /// Certificates and keys of their own making: `NAME.pem` and `NAME.key`.
    func makeCertificates(_ names: String...) throws {
        for name in names {
            let key = try CertificateKey(.p256)
            let subject = try CertificateSubject(name: name, alternativeNames: [try AlternativeName("localhost")])
            let certificate = try Certificate.selfSigned(
                subject, key: key, validity: try CertificateValidity(days: 1, from: Certs.now))
            try CertificateFiles(name: name, in: folder.path).write(certificate, key, replacing: false)
        }
    }

    /// SHA-256 of a certificate, as pins are written.
    func pin(of name: String) throws -> String {
        try Certificate.read(.file(file("\(name).pem")))[0].summary.pin.description
    }

    /// An identity in a file of this name.
    func makeIdentity(_ name: String) throws -> IdentityKey {
        let digits = (0..<64).map { _ in "0123456789abcdef".randomElement() ?? "0" }
        try write(name, String(digits))
        return try SecretFile.identity(file(name))
    }

    /// A TLS client that believes `one.pem`, and with `certificate` shows that one.
    func tlsAnswer(
        from server: some ServedFile, certificate: String? = nil, _ change: (inout TLSSettings) -> Void = { _ in }
    ) async throws -> String {
        var settings = TLSSettings.client(serverName: "localhost", authorities: .pem(.file(file("one.pem"))))
        if let certificate {
            settings.certificateChain = .file(file("\(certificate).pem"))
            settings.privateKey = .file(file("\(certificate).key"))
        }
        change(&settings)
        return await answer(to: .tls(try TLSMaterial(settings)), at: server.address())
    }
}
