// `apus token`: makes and examines the relay's tokens. What its verbs share: secrets, lifetimes, the time.

import ApusSecurity
import ArgumentParser
import Foundation

struct Token: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Make a token for the relay, or see whether one is good.",
        discussion: """
            The secret is the one that relay and management share:

              apus token mint --secret-file relay.secret --ttl 12h
              apus token check TOKEN --secret-file relay.secret
            """,
        subcommands: [TokenMint.self, TokenCheck.self]
    )

    /// `2026-01-31T12:00:00Z`, while years have four digits.
    static func text(ofTime seconds: Int64) -> String {
        let years1970To9999: Range<Int64> = 0..<253_402_300_800
        return years1970To9999.contains(seconds) ? Certs.text(ofTime: seconds) : "\(seconds) s after 1970"
    }
}

/// What tokens are signed with.
struct TokenSecretOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The secret. Others see it among the processes: prefer a file.", valueName: "SECRET"))
    var secret: [String] = []

    @Option(
        help: ArgumentHelp("A file with the secret, yours alone; a final newline does not count.", valueName: "FILE"))
    var secretFile: [String] = []

    func validate() throws {
        guard !secret.isEmpty || !secretFile.isEmpty else {
            throw ValidationError("A token is signed with a secret: give --secret-file or --secret.")
        }
        guard !secret.contains("") else { throw ValidationError("--secret is empty: anybody could sign with that.") }
    }

    /// Those of the command line first, each in the order in which it was given.
    func keys() throws -> RelayTokenKeys {
        let given = try secret.map { try RelaySecret($0, from: "--secret") }
        let read = try secretFile.map { try RelaySecret(file: $0, from: "--secret-file") }
        return RelayTokenKeys(secrets: (given + read).map(\.text))
    }
}

/// `90s`, `30m`, `12h`, `7d`; with a minus it is over already.
struct TokenLifetime: ExpressibleByArgument {
    let seconds: Int64

    init(seconds: Int64) { self.seconds = seconds }

    init?(argument: String) {
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
        guard let unit = argument.last.flatMap({ units[$0] }), let amount = Int64(argument.dropLast()),
            argument.first != "+"
        else { return nil }
        let (seconds, isTooLarge) = amount.multipliedReportingOverflow(by: unit)
        guard !isTooLarge else { return nil }
        self.seconds = seconds
    }

    var defaultValueDescription: String { seconds % 3600 == 0 ? "\(seconds / 3600)h" : "\(seconds)s" }
}
