// Ten thousand connections that do nothing: the server in a process of its own, since one process may not have the
// descriptors for both ends.

import ApusReactor
import ApusWire
import Foundation
import TestSupport
import Testing

@Suite(.serialized) struct IdleConnectionsTests {
    private static let connectionCount = 10_000

    @Test(
        .enabled(if: raiseDescriptorLimit() >= 12_000, "10,000 connections need 12,000 descriptors (ulimit -n)"),
        arguments: RingTier.allCases)
    func tenThousandConnectionsStayAndLeaveInOrder(_ tier: RingTier) async throws {
        try await blocking {
            let server = try #require(try ServerProcess.start(tier), "the program `apus` is built beside the tests")
            defer { server.terminate() }
            let peers = try (0..<Self.connectionCount).map { index in
                let peer = try Peer(to: server.address)
                #expect(try peer.request(.echo("\(index)")) == .echo("\(index)"))
                return peer
            }
            // None was closed for another.
            for (index, peer) in peers.enumerated() { try peer.send(.echo("\(index)")) }
            var wrong = 0
            for (index, peer) in peers.enumerated() where try next(peer) != .echo("\(index)") { wrong += 1 }
            #expect(wrong == 0)

            server.terminate()
            for peer in peers {
                if try next(peer) != .disconnect { wrong += 1 }
                peer.close()
            }
            #expect(wrong == 0)
            #expect(server.exitCode() == 0)
        }
    }

    /// The next message that is no heartbeat: on a slow machine opening so many takes longer than its interval.
    private func next(_ peer: Peer) throws -> Message? {
        while let message = try peer.read() {
            guard message == .ping else { return message }
            try peer.send(.pong)
        }
        return nil
    }
}

/// `apus serve`, built beside these tests.
private final class ServerProcess {
    let address: String
    private let process: Process

    private init(_ process: Process, _ address: String) {
        self.process = process
        self.address = address
    }

    /// Nil when there is no such program.
    static func start(_ tier: RingTier) throws -> ServerProcess? {
        guard let program = try program() else { return nil }
        let process = Process()
        process.executableURL = program
        process.arguments = [
            "serve", "--address", "127.0.0.1:0", "--shards", "2", "--security", "none", "--max-connections", "11000",
        ]
        process.environment = ProcessInfo.processInfo.environment
            .merging([RingTier.environmentVariable: tier.rawValue]) { $1 }
        let output = Pipe()
        process.standardOutput = output
        // It says there that it drains; a pipe that nobody reads would be one more thing to go wrong.
        process.standardError = FileHandle.nullDevice
        try process.run()
        let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
        let words = line.split(separator: " ")
        try #require(words.count > 2 && line.hasPrefix("listening on "), "\(line)")
        return ServerProcess(process, String(words[2]))
    }

    /// All products lie in one folder, the tests' own program too.
    private static func program() throws -> URL? {
        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let program = URL(filePath: tests).deletingLastPathComponent().appending(path: "apus")
        return FileManager.default.isExecutableFile(atPath: program.path) ? program : nil
    }

    func terminate() { if process.isRunning { process.terminate() } }

    func exitCode() -> Int32 {
        process.waitUntilExit()
        return process.terminationStatus
    }
}
