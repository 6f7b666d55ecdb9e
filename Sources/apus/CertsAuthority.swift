// `apus certs ca`: a private certificate authority.

import ApusSecurity
import ArgumentParser

struct CertsAuthority: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ca",
        abstract: "Make a private certificate authority.",
        discussion: """
            Writes ca.pem, which every node and client may have, and ca.key, which signs nodes: keep it off them.

            Example:

              apus certs ca --name 'Example edge CA' --out pki
            """
    )

    @Option(help: "Appears in its certificate.")
    var name = "Apus CA"

    @Option(help: "How many days it is valid, 36500 at most.")
    var days = CertificateValidity.authorityDays

    @OptionGroup var options: NewCertificateOptions

    func validate() throws {
        do {
            _ = try CertificateValidity(days: days, from: Certs.now)
            _ = try CertificateSubject(name: name)
        } catch {
            throw ValidationError("\(error)")
        }
    }

    func run() throws {
        let files = CertificateFiles(name: CertificateFiles.authorityName, in: options.out)
        let certificate = try Certs.failing {
            let key = try CertificateKey(options.keyType)
            let certificate = try Certificate.authority(
                CertificateSubject(name: name), key: key,
                validity: CertificateValidity(days: days, from: Certs.now))
            try files.write(certificate, key, replacing: options.force)
            return certificate
        }
        let report = CertificateReport(certificate, files: files, authority: files.certificate)
        if options.json { return try Output.json(report) }
        try Output.line(report.text)
        try Output.line(
            """

            A certificate for each node, by the names and addresses that peers dial:

              apus certs node NAME --san HOST --ca \(shellWord(options.out)) --out \(shellWord(options.out))
            """)
    }
}
