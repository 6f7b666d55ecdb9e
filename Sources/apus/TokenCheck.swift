// `apus token check`: whether the relay would believe a token now, and why not.

import ApusSecurity
import ArgumentParser
import Foundation

struct TokenCheck: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "See whether a token is good now.",
        discussion: """
            Leaves with code 1 when it is not. Several secrets may be given, the current one first.

            Examples:

              apus token check TOKEN --secret-file relay.secret
              apus token check - --secret-file relay.secret --secret-file relay.secret.old
            """
    )

    @Argument(
        help: ArgumentHelp("The whole token, in base64 or hexadecimal; - reads it from stdin.", valueName: "TOKEN"))
    var token: String

    @OptionGroup var secrets: TokenSecretOptions

    @Flag(help: "Print one JSON object instead.")
    var json = false

    private struct Verdict: Encodable {
        let kind = "token"
        let isGood: Bool
        var expires: String?
        var isCurrentSecret: Bool?
        /// The label that metrics have.
        var reason: String?

        enum CodingKeys: String, CodingKey {
            case kind, expires, reason
            case isGood = "valid"
            case isCurrentSecret = "current_secret"
        }
    }

    func run() throws {
        let (bytes, keys) = (try readToken(), try secrets.keys())
        let claim: RelayTokenClaim
        do {
            claim = try keys.validate(bytes.span.bytes, at: Certs.now)
        } catch {
            if json { try Output.json(Verdict(isGood: false, reason: error.label)) }
            throw Failure(.runtimeFailure, "apus: \(error)")
        }
        try tell(claim)
    }

    private func tell(_ claim: RelayTokenClaim) throws {
        let expires = Token.text(ofTime: claim.expirySeconds)
        if json {
            return try Output.json(Verdict(isGood: true, expires: expires, isCurrentSecret: claim.isCurrent))
        }
        try Output.line("good until \(expires), signed with \(claim.isCurrent ? "the current" : "an earlier") secret")
    }

    private func readToken() throws -> [UInt8] {
        let text = token == "-" ? readLine() ?? "" : token
        if let bytes = TokenCheck.bytes(hexadecimal: text) { return bytes }
        guard let bytes = Data(base64Encoded: text) else {
            throw ValidationError("The token is neither base64 nor hexadecimal.")
        }
        return Array(bytes)
    }

    /// Nil unless all of it is pairs of digits.
    private static func bytes(hexadecimal text: String) -> [UInt8]? {
        let digits = text.compactMap(\.hexDigitValue)
        guard digits.count == text.count, digits.count.isMultiple(of: 2) else { return nil }
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }
}
