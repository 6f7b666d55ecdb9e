// `apus certs self-signed`: a certificate for one node that vouches for itself.

import ApusSecurity
import ArgumentParser

struct CertsSelfSigned: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "self-signed",
        abstract: "Make a certificate that signs itself, for a single node or a test.",
        discussion: """
            Who connects is given this very certificate to trust. Writes NAME.pem and NAME.key.

            Example:

              apus certs self-signed localhost --san localhost --san 127.0.0.1
            """
    )

    @OptionGroup var node: NodeOptions
    @OptionGroup var options: NewCertificateOptions

    func run() throws {
        let files = CertificateFiles(name: node.name, in: options.out)
        let certificate = try Certs.failing {
            let key = try CertificateKey(options.keyType)
            let certificate = try Certificate.selfSigned(
                node.subject, key: key, validity: CertificateValidity(days: node.days, from: Certs.now))
            try files.write(certificate, key, replacing: options.force)
            return certificate
        }
        let report = CertificateReport(certificate, files: files, authority: files.certificate)
        if options.json { return try Output.json(report) }
        try Output.line(report.text)
        try Output.line(report.usage(mutually: false))
    }
}
