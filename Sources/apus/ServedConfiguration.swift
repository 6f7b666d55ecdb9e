// The configuration that is served, and the next one when it is asked for. It prepares; whoever owns the server
// applies.

import ApusConfiguration
import ApusServer
import Synchronization

/// A configuration with what it means for the server.
struct PreparedConfiguration: Sendable {
    let configuration: Configuration
    let server: ServerConfiguration
    let warnings: [Problem]

    /// Read the sources and the files that they name.
    /// - Parameter examine: what else may be wrong; called before anything is thrown but errors of its own.
    init(_ sources: ConfigurationSources, examine: (Configuration) throws -> Void = { _ in }) throws {
        let (configuration, problems) = sources.read()
        try examine(configuration)
        let errors = problems.filter { $0.severity == .error }
        guard errors.isEmpty else { throw ConfigurationError(errors) }
        self.configuration = configuration
        server = try serverConfiguration(from: configuration)
        warnings = problems.filter { $0.severity == .warning }
    }
}

/// Shared by the signals and the control socket.
final class ServedConfiguration: Sendable {
    private let sources: ConfigurationSources
    /// What else may be wrong with a configuration.
    private let examine: @Sendable (Configuration) throws -> Void
    private let current: Mutex<Configuration>
    /// What the process began with.
    let started: Configuration

    init(
        _ prepared: PreparedConfiguration, _ sources: ConfigurationSources,
        examine: @escaping @Sendable (Configuration) throws -> Void
    ) {
        self.sources = sources
        self.examine = examine
        started = prepared.configuration
        current = Mutex(started)
    }

    var configuration: Configuration { current.withLock { $0 } }

    /// Everything that a reload needs, and nothing is changed yet.
    /// - Throws: `ConfigurationError`; the old configuration stays.
    func prepare() throws -> PreparedConfiguration { try PreparedConfiguration(sources, examine: examine) }

    /// The server serves it now.
    func adopt(_ next: PreparedConfiguration) { current.withLock { $0 = next.configuration } }
}
