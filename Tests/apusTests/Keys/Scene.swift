// Where one value of a key is tried: a folder, a configuration file with the key in it, and who reads that file.

import ApusClient
import ApusConfiguration
import ApusServer
import Foundation
import TestSupport

@testable import apus

struct Scene: Sendable {
    let folder: TemporaryFolder
    /// As TOML.
    let value: String
    private let configuration: ConfigurationText

    /// A plain listener on a free port, whatever the key does not change.
    init(_ option: OptionRow, _ toml: String, _ surroundings: [(path: String, toml: String)]) throws {
        folder = try TemporaryFolder()
        value = toml
        var configuration = ConfigurationText()
        if option.section != .client {
            let listener = [("name", "'edge'"), ("address", "'127.0.0.1:0'"), ("security", "'none'")]
            for (name, toml) in listener { configuration.set("listener.\(name)", toml) }
            configuration.set("server.shards", "1")
            configuration.set("server.upgrade_socket", "'none'")
            // No test that does not ask for it meets a deadline.
            configuration.set("server.connection_timeout", "'60s'")
            configuration.isWatched = true
        }
        for (path, toml) in surroundings { configuration.set(path, toml) }
        configuration.set(option.path, toml)
        self.configuration = configuration
    }

    func file(_ name: String) -> String { folder.file(name) }

    func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: file(name)) }

    /// A file that only its owner may read.
    func write(_ name: String, _ text: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: file(name)))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file(name))
    }

    func text(of name: String) throws -> String { try String(contentsOfFile: file(name), encoding: .utf8) }

    /// - Parameter change: what is known only now, such as a port.
    /// - Returns: the path of the file.
    func configure(_ change: (inout ConfigurationText) -> Void = { _ in }) throws -> String {
        var changed = configuration
        change(&changed)
        try write("apus.toml", changed.text.replacing("$/", with: folder.path + "/"))
        return file("apus.toml")
    }
}

// MARK: Who reads it

extension Scene {
    /// The server in this process: quick, and all that most keys need.
    func serve<Result>(
        _ change: (inout ConfigurationText) -> Void = { _ in }, _ body: (ServedHere) async throws -> Result
    ) async throws -> Result {
        try await serve(try configure(change), { _ in }, body)
    }

    func serve<Result>(
        registering register: (inout Dispatcher) -> Void, _ body: (ServedHere) async throws -> Result
    ) async throws -> Result {
        try await serve(try configure(), register, body)
    }

    private func serve<Result>(
        _ path: String, _ register: (inout Dispatcher) -> Void, _ body: (ServedHere) async throws -> Result
    ) async throws -> Result {
        let configuration = try Configuration.load(file: path)
        var server = Server(try serverConfiguration(from: configuration))
        register(&server.dispatcher)
        let handle = try server.start()
        defer {
            handle.stop()
            handle.wait()
        }
        return try await body(ServedHere(configuration, handle))
    }

    /// `apus serve`, for the keys of what is around the server: logs, drains, exports.
    /// - Parameter listeners: how many it announces, watch among them.
    func serveAsProcess<Result>(
        listeners: Int = 2, _ change: (inout ConfigurationText) -> Void = { _ in },
        _ body: (ServedByProcess) async throws -> Result
    ) async throws -> Result {
        try await body(try ServedByProcess(try configure(change), listeners: listeners))
    }

    /// A client verb, to its end.
    func run(
        _ arguments: String..., change: (inout ConfigurationText) -> Void = { _ in }
    ) async throws -> Finished {
        try await Command.run(arguments + ["--config", try configure(change)])
    }
}
