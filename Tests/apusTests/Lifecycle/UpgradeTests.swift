// Who may be replaced, by whom, and how the next process is started.

import Foundation
import Glibc
import TestSupport
import Testing

@testable import apus

@Suite struct UpgradeTests {
    // MARK: Conditions

    private func refusal(
        process: Int32 = 7, parent: Int32 = 6, initName: String = "systemd", _ environment: [String: String] = [:]
    ) -> String? {
        UpgradeConditions(processID: process, parentID: parent, initName: initName, environment: environment).refusal
    }

    @Test func containersAreReplacedAndNotTheirFirstProcess() {
        #expect(refusal() == nil)
        #expect(refusal(process: 1)?.contains("PID 1") == true)
        #expect(refusal(process: 1)?.contains("replace the container") == true)
        #expect(refusal(parent: 1, initName: "tini")?.contains("tini") == true)
        #expect(refusal(parent: 6, initName: "tini") == nil)
        #expect(refusal(parent: 1, initName: "systemd") == nil)
    }

    @Test func systemdHasToHearOfIt() {
        #expect(refusal(parent: 1, ["SYSTEMD_EXEC_PID": "7"])?.contains("Type=notify") == true)
        #expect(refusal(parent: 1, ["SYSTEMD_EXEC_PID": "7", "NOTIFY_SOCKET": "/run/notify"]) == nil)
        // Somebody else's: a shell that systemd started, and this process from it.
        #expect(refusal(["SYSTEMD_EXEC_PID": "8"]) == nil)
    }

    // MARK: The command

    @Test func whereThisOneCameFromIsNotPassedOn() {
        let given = ["serve", "--upgrade-from", "/a", "--shards", "2", "--upgrade-from=/b", "--upgrade-socket", "/c"]
        #expect(Successor.Command.withoutSource(given) == ["serve", "--shards", "2", "--upgrade-socket", "/c"])
        #expect(Successor.Command.withoutSource([]) == [])
    }

    @Test func theProgramIsLookedForWhereItWasStarted() {
        #expect(Successor.Command.program(named: "/bin/sh", executable: "/bin/cat") == "/bin/sh")
        #expect(Successor.Command.program(named: "/nowhere/sh", executable: "/bin/cat") == "/bin/cat")
        #expect(Successor.Command.program(named: "sh", executable: "/bin/cat") == "/bin/cat")
        #expect(Successor.Command.program(named: "sh", executable: nil) == nil)
    }

    @Test func theEnvironmentLeavesOutWhatWasForThisProcess() {
        let own = [
            "LISTEN_PID": "7", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "a", "WATCHDOG_PID": "7", "WATCHDOG_USEC": "5",
            "NOTIFY_SOCKET": "@a", "PATH": "/bin",
        ]
        let expected = ["WATCHDOG_USEC": "5", "NOTIFY_SOCKET": "@a", "PATH": "/bin", TakeoverSource.variable: "3"]
        #expect(Successor.environment(from: own) == expected)
    }

    @Test func whoWasStartedByItsPredecessorBelongsToIt() {
        #expect(TakeoverSource(path: nil, environment: [:]) == nil)
        #expect(TakeoverSource(path: "/a", environment: [:]) == .path("/a"))
        #expect(TakeoverSource(path: "/a", environment: [TakeoverSource.variable: "3"]) == .descriptor(3))
    }

    private func successor(_ script: String, _ connection: Int32) throws -> Successor {
        let command = Successor.Command(path: "/bin/sh", arguments: ["-c", script])
        return try Successor(command, environment: ["PATH": "/usr/bin:/bin"], connection: connection)
    }

    @Test func itsEndIsDescribed() throws {
        let (own, _) = try HandOverChannel.pair()
        #expect(try successor("exit 3", own.descriptor).end(within: .zero) == "it exited with code 3")
        #expect(try successor("kill -TERM $$", own.descriptor).end(within: .zero) == "signal 15 ended it")
        #expect(try successor("exec sleep 600", own.descriptor).end(within: .zero) == "it was stopped")
        let leaving = try successor("exec sleep 600", own.descriptor)
        #expect(leaving.end(within: .milliseconds(1)) == "it serves whom it has accepted, for at most 1ms")
        #expect(eventually { kill(leaving.processID, 0) != 0 })
        #expect(throws: HandOverError.self) {
            let command = Successor.Command(path: "/nowhere/apus", arguments: [])
            _ = try Successor(command, environment: [:], connection: own.descriptor)
        }
    }

    /// Signals that this process has blocked would otherwise be blocked in the next one, and in all after it.
    @Test func itInheritsTheConnectionAndNoBlockedSignal() throws {
        let (own, its) = try HandOverChannel.pair()
        var (blocked, before) = (sigset_t(), sigset_t())
        sigemptyset(&blocked)
        sigaddset(&blocked, SIGTERM)
        pthread_sigmask(SIG_BLOCK, &blocked, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        let script = "test -S /dev/fd/3 && ! test -e /dev/fd/4 && grep -q '^SigBlk:.0*$' /proc/self/status"
        let child = try successor(script, its.descriptor)
        its.close()
        #expect(child.end(within: .zero) == "it exited with code 0")
        #expect(own.isEnded)
    }

    // MARK: The socket

    private func served(
        at path: String, _ upgrade: @escaping @Sendable ((UpgradeOutcome) -> Void) -> Void
    ) throws -> UpgradeSocket {
        let socket = try UpgradeSocket(at: path)
        let services = UpgradeSocket.Services(
            handOver: { $0.sendLast(.refused(reason: "not today")) }, upgrade: upgrade, log: { _ in })
        socket.serve(services)
        return socket
    }

    private func ask(_ message: HandOverMessage, at path: String) throws -> HandOverMessage {
        let deadline = Deadline(after: .seconds(patienceSeconds))
        let channel = try HandOverChannel.connect(to: path)
        try channel.send(message, by: deadline)
        return try channel.receive(by: deadline).message
    }

    @Test func whoAsksIsAnswered() async throws {
        let folder = try TemporaryFolder()
        let path = folder.file("upgrade.sock")
        try await blocking {
            let socket = try served(at: path) { answer in answer(.done(successor: 5)) }
            var status = stat()
            #expect(lstat(path, &status) == 0)
            #expect(status.st_mode & 0o777 == 0o600)
            #expect(try ask(.upgrade, at: path) == .outcome(succeeded: true, text: "process 5 has taken over"))
            #expect(try ask(.take(processID: 1, program: "x"), at: path) == .refused(reason: "not today"))
            guard case .refused = try ask(.released, at: path) else { return #expect(Bool(false)) }
            socket.close()
            #expect(access(path, F_OK) != 0)
            #expect(throws: HandOverError.self) { try HandOverChannel.connect(to: path) }
        }
    }

    @Test func strangersAreRefused() {
        let take = HandOverMessage.take(processID: 1, program: "x")
        #expect(UpgradeSocket.refusal(of: take, from: 1000, own: 1000) == nil)
        #expect(UpgradeSocket.refusal(of: .upgrade, from: 1000, own: 1000) == nil)
        // As by `sudo apus upgrade`; the sockets would go on in a server of another user.
        #expect(UpgradeSocket.refusal(of: .upgrade, from: 0, own: 1000) == nil)
        #expect(UpgradeSocket.refusal(of: take, from: 0, own: 1000) != nil)
        for message in [take, .upgrade] {
            #expect(UpgradeSocket.refusal(of: message, from: 1001, own: 1000)?.contains("user 1001") == true)
            #expect(UpgradeSocket.refusal(of: message, from: nil, own: 1000)?.contains("unknown") == true)
        }
        #expect(UpgradeSocket.refusal(of: .end, from: 1000, own: 1000)?.contains("out of order") == true)
    }

    @Test func aPathInUseIsLeftAloneAndAStaleOneIsTaken() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("upgrade.sock")
        let living = try UpgradeSocket(at: path)
        #expect(throws: HandOverError.self) { try UpgradeSocket(at: path) }
        living.close()
        let stale = try TestSocket.listening("unix:\(path)")
        close(stale)
        let next = try UpgradeSocket(at: path)
        next.close()
        try Data().write(to: URL(fileURLWithPath: path))
        #expect(throws: HandOverError.self) { try UpgradeSocket(at: path) }
        #expect(FileManager.default.fileExists(atPath: path))
        for impossible in ["", "@abstract", String(repeating: "x", count: 200)] {
            #expect(throws: HandOverError.self) { try UpgradeSocket(at: impossible) }
        }
    }

    /// The successor may have made its own there.
    @Test func onlyItsOwnFileIsRemoved() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("upgrade.sock")
        let socket = try UpgradeSocket(at: path)
        unlink(path)
        let other = try TestSocket.listening("unix:\(path)")
        socket.close()
        #expect(access(path, F_OK) == 0)
        close(other)
    }

    // MARK: The PID file

    @Test func thePIDFileNamesWhoServes() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("apus.pid")
        let file = PIDFile(path: path, processID: 17)
        #expect(file.write() == nil)
        #expect(PIDFile.process(in: path) == 17)
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "17\n")
        #expect(PIDFile(path: path, processID: 18).write() == nil)
        file.removeIfOurs()
        #expect(PIDFile.process(in: path) == 18)
        PIDFile(path: path, processID: 18).removeIfOurs()
        #expect(access(path, F_OK) != 0)
        #expect(PIDFile(path: folder.file("no/such"), processID: 1).write()?.contains("no/such") == true)
    }
}
