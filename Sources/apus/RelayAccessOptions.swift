// The flags about how the generator's peers come to a relay, shared by the verbs of `apus bench` that speak it.

import ApusLoad
import ArgumentParser

/// What benchmarked connections speak.
enum SessionArgument: String, CaseIterable, ExpressibleByArgument {
    case packet, relay
}

struct RelayAccessOptions: ParsableArguments {
    @Option(help: "Relay: what its tokens are signed with; better in a file, for everybody sees command lines.")
    var authSecret: String?

    @Option(help: "Relay: a file with that secret; a final newline does not count.")
    var authSecretFile: String?

    @Option(help: "Relay: the URL that it must call itself, as in rels://relay.example.com:443.")
    var exposed: String?

    func access(_ options: BenchOptions) throws -> RelayAccess {
        guard options.security.security != .handshake else {
            throw Failure(.invalidConfiguration, "apus: --security handshake: relays speak TLS or nothing")
        }
        var access = RelayAccess(address: try options.parsed { try .init(parsing: $0) })
        access.authSecret = try secret()
        access.exposedAddress = exposed
        access.security = try options.clientSecurity(standard: .none)
        access.tier = try options.tier { try .fromEnvironment() }
        if let name = options.security.serverName { access.host = name }
        return access
    }

    /// The flags that only relays know, as they were given.
    var given: [String] {
        [
            (authSecret != nil, "--auth-secret"), (authSecretFile != nil, "--auth-secret-file"),
            (exposed != nil, "--exposed"),
        ].filter(\.0).map(\.1)
    }

    /// - Parameter session: what was asked for instead.
    func refuse(for session: SessionArgument) throws {
        guard let flag = given.first else { return }
        throw Failure(
            .invalidConfiguration, "apus: \(flag): --session \(session.rawValue) has none; add --session relay")
    }

    private func secret() throws -> String? {
        guard let authSecretFile else { return try authSecret.map { try RelaySecret($0, from: "--auth-secret").text } }
        guard authSecret == nil else {
            throw Failure(.invalidConfiguration, "apus: --auth-secret and --auth-secret-file: give one of them")
        }
        return try RelaySecret(file: authSecretFile, from: "--auth-secret-file").text
    }
}
