// The verbs, in the order in which people meet them.

import ArgumentParser

struct Apus: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apus",
        abstract: "An edge relay on io_uring.",
        discussion: """
            Start a server in one terminal and talk to it from another:

              apus serve
              apus ping
              apus echo hello

            Exit codes: 0 ok, 1 run-time failure, 2 usage, 3 invalid configuration, 4 cannot bind, 5 host not fit, \
            6 drained with connections left.
            """,
        version: Version.number,
        subcommands: [
            Serve.self, Check.self, Config.self, Ping.self, Echo.self, Send.self, Bench.self, Top.self, Certs.self,
            Token.self, Peers.self, Reload.self, Drain.self, LogLevel.self, Upgrade.self, Doctor.self, Version.self,
        ]
    )

    /// Where every verb serves or connects unless it is told otherwise.
    static let defaultAddress = "127.0.0.1:9000"
}
