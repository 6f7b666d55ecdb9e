// What a process is told about its own life: deadlines, and the files it makes.

import Glibc

struct LifecycleSettings: Sendable {
    /// How long SIGTERM's drain may take.
    var drainTimeout = Duration.seconds(30)
    /// How long SIGUSR1's may, and that of a server that has handed over.
    var drainLimit = Duration.seconds(3600)
    /// From failing readiness to accepting no more: for load balancers to notice.
    var drainDelay = Duration.zero
    /// Over which idle peers are told to leave; nil: all at once.
    var drainWindow: Duration?
    /// How long a successor has until it serves.
    var upgradeTimeout = Duration.seconds(30)
    var upgradeSocket = UpgradeSocketPlace.standard
    /// The upgrade socket of the server to take over from.
    var upgradeFrom: String?
    /// Nil: no such file.
    var pidFilePath: String?
    /// Operators read these lines. Called from any thread.
    var log: @Sendable (String) -> Void = { Output.complain("apus: \($0)") }
    /// Those that ask for something to be done.
    var warn: @Sendable (String) -> Void = { Output.complain("apus: \($0)") }

    func limit(of kind: DrainKind) -> Duration {
        switch kind {
        case .patient: drainLimit
        case .prompt: drainTimeout
        case .within(let limit): limit
        }
    }
}
