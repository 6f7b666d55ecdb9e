// `apus certs show`: what the certificates of a file say.

import ApusSecurity
import ArgumentParser

struct CertsShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show whom a certificate is for, how long it is good, and its pin.",
        discussion: """
            Shows every certificate of a PEM file; the first is the node's own. The SHA-256 is what a pin is.

            Example:

              apus certs show pki/edge-1.pem
            """
    )

    @Argument(help: ArgumentHelp("A PEM file.", valueName: "FILE"))
    var file: String

    @Flag(help: "Print one JSON object instead.")
    var json = false

    private struct Report: Encodable {
        let kind = "certs"
        let file: String
        let certificates: [CertificateFields]
    }

    func run() throws {
        let certificates = try Certs.failing { try Certificate.read(.file(file)) }
        if json {
            try Output.json(Report(file: file, certificates: certificates.map { CertificateFields($0) }))
        } else {
            let now = Certs.now
            try Output.line(certificates.map { CertificateFields($0).text(at: now) }.joined(separator: "\n\n"))
        }
    }
}
