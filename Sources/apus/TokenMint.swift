// `apus token mint`: a token for a client of the relay, as management makes them.

import ApusSecurity
import ArgumentParser
import Foundation

struct TokenMint: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mint",
        abstract: "Make a token that lets any peer connect until it expires.",
        discussion: """
            Prints the whole token in base64, and its two parts as management hands them to clients.

            Example:

              apus token mint --secret-file relay.secret --ttl 12h
            """
    )

    @OptionGroup var secrets: TokenSecretOptions

    @Option(help: ArgumentHelp("How long it is good: 90s, 30m, 12h or 7d.", valueName: "TIME"))
    var ttl = TokenLifetime(seconds: 86_400)

    @Flag(help: "Print one JSON object instead.")
    var json = false

    func validate() throws {
        guard secrets.secret.count + secrets.secretFile.count == 1 else {
            throw ValidationError("A token is signed with one secret: give one.")
        }
        guard expirySeconds(at: Certs.now) != nil else { throw ValidationError("--ttl leaves the calendar.") }
    }

    func run() throws {
        guard let expiry = expirySeconds(at: Certs.now) else { throw ValidationError("--ttl leaves the calendar.") }
        let report = TokenReport(try secrets.keys().mint(expirySeconds: expiry), expirySeconds: expiry)
        if json { return try Output.json(report) }
        try Output.line(report.text)
    }

    /// Nil before 1970 and beyond 64 bits.
    private func expirySeconds(at now: Int64) -> Int64? {
        let (expiry, isTooLarge) = now.addingReportingOverflow(ttl.seconds)
        return isTooLarge || expiry < 0 ? nil : expiry
    }
}

/// A token and its parts.
private struct TokenReport: Encodable {
    let kind = "token"
    /// Base64.
    let token: String
    let payload: String
    /// Base64.
    let signature: String
    let expires: String

    init(_ bytes: [UInt8], expirySeconds: Int64) {
        token = Data(bytes).base64EncodedString()
        // The algorithm, the signature, and what is signed.
        payload = String(decoding: bytes.dropFirst(1 + SHA256.byteCount), as: UTF8.self)
        signature = Data(bytes.dropFirst().prefix(SHA256.byteCount)).base64EncodedString()
        expires = Token.text(ofTime: expirySeconds)
    }

    var text: String {
        """
        token      \(token)
        payload    \(payload)
        signature  \(signature)
        expires    \(expires)
        """
    }
}
