// `apus certs`: makes and shows the certificates of TLS, and the identities of NPRO's handshake. What its verbs share:
// options, the time, and the exit codes.

import ApusSecurity
import ArgumentParser
import Foundation

struct Certs: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "certs",
        abstract: "Make and show certificates, and make identities.",
        discussion: """
            A private authority and two nodes that trust it, then what was made:

              apus certs ca --out pki
              apus certs node edge-1 --san edge-1.example.org --san 192.0.2.10 --ca pki --out pki
              apus certs node edge-2 --san edge-2.example.org --ca pki --out pki
              apus certs show pki/edge-1.pem

            An identity for NPRO's handshake, which needs no authority:

              apus certs identity --out server.id

            Private keys are written with mode 0600 and never over a file that is there, unless --force says so.
            """,
        subcommands: [
            CertsAuthority.self, CertsNode.self, CertsSelfSigned.self, CertsShow.self, CertsIdentity.self,
        ]
    )

    /// Seconds since 1970.
    static var now: Int64 { Int64(Date().timeIntervalSince1970) }

    /// `2026-01-31T12:00:00Z`
    static func text(ofTime seconds: Int64) -> String {
        Date(timeIntervalSince1970: TimeInterval(seconds)).formatted(.iso8601)
    }

    /// Run `body` and leave with the code and the line that its error deserves.
    static func failing<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as CertificateError {
            throw Failure(ExitStatus(error), "apus: \(message(of: error))")
        }
    }

    /// The error's own words, but with a date that people can read.
    private static func message(of error: CertificateError) -> String {
        switch error {
        case .authorityExpired(let subject, let notAfter):
            "the certificate authority \(subject) expired at \(text(ofTime: notAfter)): make a new one with "
                + "`apus certs ca`, and new certificates with it"
        case .authorityNotYetValid(let subject, let notBefore):
            "the certificate authority \(subject) is not valid before \(text(ofTime: notBefore)): check this "
                + "machine's clock"
        case .name, .alternativeName, .noAlternativeName, .validity, .keyMismatch, .notAnAuthority, .unreadable,
            .library:
            "\(error)"
        }
    }
}

extension ExitStatus {
    fileprivate init(_ error: CertificateError) {
        self = switch error {
        case .name, .alternativeName, .noAlternativeName, .validity: .usage
        case .keyMismatch, .notAnAuthority, .authorityExpired, .authorityNotYetValid: .invalidConfiguration
        case .unreadable, .library: .runtimeFailure
        }
    }
}

/// How a certificate is made, and where it is put.
struct NewCertificateOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Write the files there; made if it is not there.", valueName: "DIR"))
    var out = "."

    @Option(help: "The key: p256, which everybody knows, or ed25519.")
    var keyType = CertificateKey.Kind.p256

    @Flag(help: "Replace files that are there.")
    var force = false

    @Flag(help: "Print one JSON object instead.")
    var json = false
}

extension CertificateKey.Kind: ExpressibleByArgument {}

/// What a node is called, and by which names and addresses it is reached.
struct NodeOptions: ParsableArguments {
    @Argument(help: ArgumentHelp("Appears in the certificate and names its files.", valueName: "NAME"))
    var name: String

    @Option(
        help: ArgumentHelp(
            "A DNS name or IP address by which peers reach it; may be given several times. (default: NAME)",
            valueName: "HOST"),
        transform: { try AlternativeName($0) })
    var san: [AlternativeName] = []

    @Option(help: "How many days it is valid, 36500 at most.")
    var days = CertificateValidity.nodeDays

    func validate() throws {
        if let reason = CertificateFiles.fault(inName: name) { throw ValidationError(reason) }
        do {
            _ = try CertificateValidity(days: days, from: Certs.now)
            _ = try subject
        } catch {
            throw ValidationError("\(error)")
        }
    }

    /// Without a --san, NAME is the one: then it has to be a name that peers can dial.
    var subject: CertificateSubject {
        get throws { try CertificateSubject(name: name, alternativeNames: san.isEmpty ? [AlternativeName(name)] : san) }
    }
}
