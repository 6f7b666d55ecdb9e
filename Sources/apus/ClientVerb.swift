// What the verbs that talk to a server share: where, how long, and waiting for a task from the main thread.

import ApusClient
import ArgumentParser
import Foundation
import Synchronization

struct ServerOptions: ParsableArguments {
    @Option(help: "HOST:PORT, [IPV6]:PORT or unix:PATH.")
    var address = Apus.defaultAddress

    @Option(help: "For the connection, and for each reply: 250ms, 5s, 2m, or a bare number of milliseconds.")
    var timeout = DurationArgument(.seconds(5))

    @OptionGroup var security: ClientSecurityOptions

    func connect() async throws -> Client {
        var configuration = ClientConfiguration()
        configuration.security = try security.clientSecurity()
        configuration.compression = security.handshake.compressionSettings
        configuration.connectionTimeout = timeout.duration
        configuration.responseTimeout = timeout.duration
        return try await Client.connect(to: address, configuration: configuration)
    }
}

/// A verb whose work suspends.
protocol ClientVerb: ParsableCommand, Sendable {
    func perform() async throws
}

extension ClientVerb {
    /// Block the main thread, which is none of those that tasks run on, until the work is done.
    func run() throws {
        let done = DispatchSemaphore(value: 0)
        let outcome = Outcome()
        Task.detached {
            do {
                try await perform()
                outcome.set(.success(()))
            } catch {
                outcome.set(.failure(error))
            }
            done.signal()
        }
        done.wait()
        try outcome.get()
    }
}

/// How a task ended, for the thread that waits for it.
private final class Outcome: Sendable {
    private let result = Mutex<Result<Void, any Error>?>(nil)

    func set(_ value: Result<Void, any Error>) { result.withLock { $0 = value } }
    func get() throws { try result.withLock { $0 }?.get() }
}
