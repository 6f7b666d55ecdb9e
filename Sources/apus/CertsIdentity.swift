// `apus certs identity`: an Ed25519 identity for NPRO's handshake. It is no certificate: nobody signs it, peers pin it.

import ApusSecurity
import ArgumentParser
import Glibc

struct CertsIdentity: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "identity",
        abstract: "Make an identity for NPRO's handshake.",
        discussion: """
            Writes FILE, the private half, readable by you alone, and FILE.pub, which peers pin: 64 hexadecimal digits \
            each.

            Example:

              apus certs identity --out server.id
            """
    )

    @Option(help: ArgumentHelp("Where the private half goes; its folder is made if need be.", valueName: "FILE"))
    var out = "apus.id"

    @Flag(help: "Replace files that are there.")
    var force = false

    @Flag(help: "Print one JSON object instead.")
    var json = false

    func validate() throws {
        if out.isEmpty || out.hasSuffix("/") { throw ValidationError("--out names a file, not a folder: \"\(out)\".") }
    }

    func run() throws {
        let identity = IdentityKey()
        let report = IdentityReport(file: out, publicKey: identity.publicKey)
        let seed = identity.copySeed()
        var secret = CertsIdentity.line(of: seed)
        defer { CertsIdentity.wipe(&secret) }
        let shown = Array("\(report.publicKey)\n".utf8)
        try CertificateFiles.writePair(
            secret: secret.span.bytes, to: report.file, shown: shown.span.bytes, to: report.publicKeyFile,
            replacing: force)
        if json { return try Output.json(report) }
        try Output.line(report.text)
    }

    /// Hexadecimal digits and a newline, written where they stay: an array that grows leaves copies behind.
    private static func line(of seed: borrowing SecretKey32) -> [UInt8] {
        let digits = Array("0123456789abcdef".utf8)
        let byteCount = 2 * SecretKey32.byteCount + 1
        // All of it is written, in order.
        return [UInt8](unsafeUninitializedCapacity: byteCount) { line, count in
            seed.bytes.withUnsafeBytes { seed in
                for (index, byte) in seed.enumerated() {
                    line[2 * index] = digits[Int(byte >> 4)]
                    line[2 * index + 1] = digits[Int(byte & 0xF)]
                }
            }
            line[byteCount - 1] = UInt8(ascii: "\n")
            count = byteCount
        }
    }

    private static func wipe(_ bytes: inout [UInt8]) {
        // Unlike a plain store it is not left out because nobody reads the bytes afterwards.
        bytes.withUnsafeMutableBytes { buffer in
            if let start = buffer.baseAddress { explicit_bzero(start, buffer.count) }
        }
    }
}

/// What was made, and how it is used. The private half is not in it.
struct IdentityReport: Encodable {
    let kind = "certs"
    let file: String
    let publicKeyFile: String
    /// Hexadecimal, as `--pin` takes it.
    let publicKey: String

    enum CodingKeys: String, CodingKey {
        case kind, file
        case publicKeyFile = "public_key_file"
        case publicKey = "public_key"
    }

    init(file: String, publicKey: [UInt8]) {
        self.file = file
        publicKeyFile = "\(file).pub"
        self.publicKey = publicKey.map { $0 < 0x10 ? "0\(String($0, radix: 16))" : String($0, radix: 16) }.joined()
    }

    var text: String {
        """
        \(file)  the private half, readable by you alone
        \(publicKeyFile)  the public half, which peers pin
        public key \(publicKey)

        Serve with it:

          apus serve --identity-file \(shellWord(file))

        Reach that server, and no other:

          apus ping --pin \(publicKey)

        Or let a server in nobody else, and come with it:

          apus serve --pin \(publicKey)
          apus ping --identity-file \(shellWord(file))
        """
    }
}
