// `apus certs node`: a certificate for one node, signed by a private authority.

import ApusSecurity
import ArgumentParser

struct CertsNode: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "node",
        abstract: "Make a node's certificate, signed by the authority of `apus certs ca`.",
        discussion: """
            Good for serving and for connecting, never longer than its authority. Writes NAME.pem and NAME.key.

            Example:

              apus certs node edge-1 --san edge-1.example.org --san 192.0.2.10 --ca pki --out pki
            """
    )

    @OptionGroup var node: NodeOptions

    @Option(help: ArgumentHelp("Where ca.pem and ca.key are. (default: .)", valueName: "DIR"))
    var ca: String?

    @Option(help: ArgumentHelp("The authority's certificate, where it is called otherwise.", valueName: "FILE"))
    var caCertificate: String?

    @Option(help: ArgumentHelp("The authority's private key, likewise.", valueName: "FILE"))
    var caKey: String?

    @OptionGroup var options: NewCertificateOptions

    func validate() throws {
        guard (caCertificate == nil) == (caKey == nil) else {
            throw ValidationError("--ca-certificate and --ca-key go together.")
        }
        guard ca == nil || caKey == nil else {
            throw ValidationError("--ca names a folder, --ca-certificate and --ca-key name files: give either.")
        }
    }

    private var authorityFiles: CertificateFiles {
        guard let caCertificate, let caKey else {
            return CertificateFiles(name: CertificateFiles.authorityName, in: ca ?? ".")
        }
        return CertificateFiles(certificate: caCertificate, key: caKey)
    }

    func run() throws {
        let files = CertificateFiles(name: node.name, in: options.out)
        try files.keepOff(authorityFiles)
        let certificate = try Certs.failing { try makeCertificate(files) }
        let report = CertificateReport(certificate, files: files, authority: authorityFiles.certificate)
        if options.json { return try Output.json(report) }
        try Output.line(report.text)
        try Output.line(report.usage(mutually: true))
    }

    private func makeCertificate(_ files: CertificateFiles) throws -> Certificate {
        let now = Certs.now
        let authority = try Certificate.read(.file(authorityFiles.certificate))[0]
        let authorityKey = try CertificateKey(reading: .file(authorityFiles.key))
        let validity = try CertificateValidity(days: node.days, from: now)
        let key = try CertificateKey(options.keyType)
        let certificate = try Certificate.node(
            node.subject, key: key, validity: validity, signedBy: authority, authorityKey: authorityKey, at: now)
        try files.write(certificate, key, replacing: options.force)
        if certificate.validity.notAfter < validity.notAfter {
            Output.complain(
                "apus: \(authorityFiles.certificate) ends before \(node.days) days are over, and so does the new "
                    + "certificate")
        }
        return certificate
    }
}
