// `apus doctor` as a command: what it prints, and the code it leaves with. The checks have tests of their own.

import Foundation
import TestSupport
import Testing

@Suite struct DoctorTests {
    @Test func itLooksAtThisHost() async throws {
        let finished = try await Command.run("doctor")
        #expect([0, 5].contains(finished.status))
        #expect(!finished.text.contains("\u{1B}"), "colours without a terminal")
        for name in ["kernel", "io_uring", "nofile", "backlog", "clock", "openssl"] {
            #expect(finished.lines.contains { $0.split(separator: " ").dropFirst().first == name[...] }, "no \(name)")
        }
        #expect(finished.lines.last?.contains(" checks: ") == true)
        #expect((finished.status == 5) == finished.complaint.contains("apus: this host is not fit: "))
    }

    @Test func itsFindingsAreJSON() async throws {
        let finished = try await Command.run("doctor", "--json")
        let report = try finished.object()
        #expect(report["kind"] as? String == "doctor")
        #expect(report["fit"] as? Bool == (finished.status == 0))
        let checks = try #require(report["checks"] as? [[String: Any]])
        #expect(checks.allSatisfy { $0["name"] is String && $0["seen"] is String && $0["fixes"] is [Any] })
        let verdicts = Set(checks.compactMap { $0["verdict"] as? String })
        #expect(verdicts.isSubset(of: ["ok", "warning", "failure", "unknown"]))
    }

    private func verdicts(_ arguments: String...) async throws -> [String: String] {
        let report = try await Command.run(["doctor", "--json"] + arguments).object()
        let checks = try #require(report["checks"] as? [[String: Any]])
        let pairs = checks.map { ($0["name"] as? String ?? "", $0["verdict"] as? String ?? "") }
        return Dictionary(pairs) { first, _ in first }
    }

    @Test func theConfigurationDecidesWhatIsLookedAt() async throws {
        let folder = try TemporaryFolder()
        for name in ["edge", "other"] {
            let made = try await Command.run("certs", "self-signed", name, "--san", "localhost", "--out", folder.path)
            #expect(made.status == 0)
        }
        let file = folder.file("apus.toml")
        func write(key: String, connections: Int) throws {
            let text = """
                [server]
                max_connections = \(connections)
                [[listener]]
                name = "edge"
                security = "tls"
                certificate = "\(folder.file("edge.pem"))"
                key = "\(folder.file(key))"
                address = "127.0.0.1:9000"

                """
            try Data(text.utf8).write(to: URL(fileURLWithPath: file))
        }
        try write(key: "edge.key", connections: 10)
        let good = try await verdicts("--config", file)
        for name in ["configuration", "certificate-edge", "key-edge"] { #expect(good[name] == "ok", "\(name)") }
        try write(key: "other.key", connections: 10)
        #expect(try await verdicts("--config", file)["configuration"] == "failure")
        try write(key: "edge.key", connections: 77)
        let text = try await Command.run("doctor", "--config", file).text
        #expect(text.contains("are needed for 77 connections"))
    }

    @Test func aConfigurationThatIsNotThereIsAFinding() async throws {
        let finished = try await Command.run("doctor", "--config", "/nonexistent/apus.toml")
        #expect(finished.status == 5)
        #expect(finished.lines.first?.contains("/nonexistent/apus.toml: cannot be read") == true)
        #expect(finished.lines.count > 15)
    }

    private static let withoutRings = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("tools/without-io-uring").path

    /// As in a container whose seccomp profile was not changed.
    @Test(arguments: ["EPERM", "ENOSYS"])
    func aFilterThatHidesRingsIsNamed(errno: String) async throws {
        let (status, output) = try await blocking {
            let process = Process()
            let pipe = Foundation.Pipe()
            process.executableURL = URL(fileURLWithPath: DoctorTests.withoutRings)
            process.arguments = [errno, Command.path, "doctor"]
            process.standardOutput = pipe
            process.standardError = FileHandle.nullDevice
            try process.run()
            let bytes = try pipe.fileHandleForReading.readToEnd() ?? Data()
            process.waitUntilExit()
            return (process.terminationStatus, String(decoding: bytes, as: UTF8.self))
        }
        #expect(status == 5)
        #expect(output.contains("(\(errno)) by a seccomp filter"), "\(output)")
    }
}
