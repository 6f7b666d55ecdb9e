// The relay that the loads are tried against: Tests/Interop/relay_server.py, which shares no line with Apus.

import ApusReactor
import Foundation
import Testing

@testable import ApusLoad

/// One process for one test; `stop` ends it and returns what it counted.
final class RelayServerProcess {
    static let secret = "a secret of tests"

    let address: SocketAddress
    private let process = Process()
    private let output = Pipe()

    init(_ options: [String] = []) throws {
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../Interop/relay_server.py")
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", script.path, "--auth-secret", RelayServerProcess.secret] + options
        process.standardOutput = output
        try process.run()
        let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
        let text = try #require(line.split(separator: " ").last.map { $0.trimmingCharacters(in: .newlines) })
        address = try SocketAddress(parsing: text)
    }

    var pid: Int32 { process.processIdentifier }

    var access: RelayAccess {
        var access = RelayAccess(address: address)
        access.authSecret = RelayServerProcess.secret
        return access
    }

    /// Its counts: logins, refused, forwarded, dropped, unknown, pongs, health, repeated_keys.
    func stop() throws -> [String: Int] {
        process.terminate()
        let said = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return try JSONDecoder().decode([String: Int].self, from: said)
    }

    deinit { if process.isRunning { process.terminate() } }
}

extension RelayLoadConfiguration {
    /// Four pairs for a third of a second, all of it measured.
    /// - Parameter isLossy: what the relay drops is waited for to the end: not for long.
    static func short(_ server: RelayServerProcess, isLossy: Bool = false) -> RelayLoadConfiguration {
        var configuration = RelayLoadConfiguration(access: server.access)
        (configuration.pairs, configuration.window, configuration.datagramByteCount) = (4, 8, 200)
        (configuration.seconds, configuration.warmupSeconds) = (0.3, 0)
        configuration.drainSeconds = isLossy ? 3 : 10
        return configuration
    }
}
