// What the verbs that talk to a server share: where, how long, and waiting for a task from the main thread.

import ApusClient
import ApusConfiguration
import ArgumentParser
import Foundation
import Synchronization

struct ServerOptions: ParsableArguments {
    @Option(name: .customLong("address"), help: ClientKeys.address.help)
    var givenAddress: String?

    @Option(help: "For the connection and each reply: 250ms, 5s, 2m, or a bare number of milliseconds. (default: 5s)")
    var timeout: DurationArgument?

    @OptionGroup var arguments: ConfigurationArguments

    @OptionGroup var security: ClientSecurityOptions

    /// The section `client`, with what flags say in its place.
    func settings() throws -> ClientSettings {
        var overrides = Overrides()
        if let givenAddress { overrides.set(ClientKeys.address, to: .text(givenAddress), flag: "--address") }
        if let timeout {
            for key in [ClientKeys.connectionTimeout, ClientKeys.responseTimeout, ClientKeys.operationTimeout] {
                overrides.set(key, to: timeout.setting, flag: "--timeout")
            }
        }
        let configuration = try arguments.sources(overrides).load()
        return try ClientSettings(from: configuration, security)
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
