// The built command as a process: run to its end, or kept running as a server.

import Foundation
import Glibc
import Synchronization
import TestSupport

/// What a finished command left.
struct Finished: Sendable {
    let status: Int32
    let output: [UInt8]
    let complaint: String

    var text: String { String(decoding: output, as: UTF8.self) }
    var lines: [String] { text.split(separator: "\n").map(String.init) }

    /// The JSON object it printed.
    func object() throws -> [String: Any] {
        let object = try JSONSerialization.jsonObject(with: Data(output))
        guard let object = object as? [String: Any] else { throw NotAnObject(text: text) }
        return object
    }

    struct NotAnObject: Error {
        let text: String
    }
}

enum Command {
    /// Beside the test runner, where the package's products are.
    static let path: String = {
        var bytes = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &bytes, bytes.count)
        precondition(count > 0, "no /proc/self/exe")
        let runner = String(decoding: bytes.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self)
        return URL(fileURLWithPath: runner).deletingLastPathComponent().appendingPathComponent("apus").path
    }()

    /// Run `apus` to its end.
    static func run(
        _ arguments: String..., input: [UInt8] = [], environment: [String: String] = [:]
    ) async throws -> Finished {
        try await run(arguments, input: input, environment: environment)
    }

    static func run(
        _ arguments: [String], input: [UInt8] = [], environment: [String: String] = [:]
    ) async throws -> Finished {
        try await blocking {
            let running = try RunningCommand(arguments, environment: environment)
            try running.send(input)
            return running.finish()
        }
    }
}

/// A command that has started. It outlives neither this object nor a test's patience.
final class RunningCommand: Sendable {
    private let child: Child
    private let input: Int32
    private let output: Background<[UInt8]>
    private let complaint: Background<[UInt8]>
    private let outputSoFar: Collected

    init(_ arguments: [String], environment: [String: String] = [:]) throws {
        let (stdin, stdout, stderr) = (try Pipe.open(), try Pipe.open(), try Pipe.open())
        child = Child(try RunningCommand.spawn(arguments, environment, [stdin.read, stdout.write, stderr.write]))
        for descriptor in [stdin.read, stdout.write, stderr.write] { close(descriptor) }
        input = stdin.write
        let collected = Collected()
        outputSoFar = collected
        output = Background { collected.readAll(from: stdout.read) }
        complaint = Background { Collected().readAll(from: stderr.read) }
        child.endAfterPatience()
    }

    deinit { child.end() }

    var processID: Int32 { child.process }

    func send(_ bytes: [UInt8]) throws {
        bytes.withUnsafeBytes { _ = write(input, $0.baseAddress, $0.count) }
        close(input)
    }

    func signal(_ signal: Int32) { child.signal(signal) }

    /// The first `count` lines of its output, as soon as they are there.
    func lines(_ count: Int) -> [String] { outputSoFar.lines(count) }

    /// Wait for its end; once.
    func finish() -> Finished {
        let status = child.wait()
        let isExit = status & 0x7F == 0
        do {
            return Finished(
                status: isExit ? status >> 8 & 0xFF : -(status & 0x7F), output: try output.value(),
                complaint: String(decoding: try complaint.value(), as: UTF8.self))
        } catch {
            preconditionFailure("reading a pipe does not throw: \(error)")
        }
    }

    private static func spawn(
        _ arguments: [String], _ environment: [String: String], _ descriptors: [Int32]
    ) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (target, descriptor) in descriptors.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, descriptor, Int32(target))
        }
        let variables = ProcessInfo.processInfo.environment.merging(environment) { $1 }.map { "\($0)=\($1)" }
        var child = pid_t()
        let result = withStrings([Command.path] + arguments) { arguments in
            withStrings(variables) { posix_spawn(&child, Command.path, &actions, nil, arguments, $0) }
        }
        guard result == 0 else { throw CannotStart(path: Command.path, errno: result) }
        return child
    }

    struct CannotStart: Error {
        let path: String
        let errno: Int32
    }
}

/// A child process, to which nothing is sent once its number may be another's.
private final class Child: Sendable {
    let process: pid_t
    private let isReaped = Mutex(false)

    init(_ process: pid_t) { self.process = process }

    func signal(_ signal: Int32) {
        isReaped.withLock { isReaped in
            if !isReaped { kill(process, signal) }
        }
    }

    /// Wait for its end and return its status; once.
    func wait() -> Int32 {
        // First without reaping: its number stays its own for as long as this takes.
        var ended = siginfo_t()
        while waitid(P_PID, id_t(process), &ended, Int32(WEXITED) | Int32(WNOWAIT)) < 0, errno == EINTR {}
        return isReaped.withLock { isReaped in
            var status: Int32 = 0
            waitpid(process, &status, 0)
            isReaped = true
            return status
        }
    }

    /// If it still runs, as after a test that failed.
    func end() {
        guard !isReaped.withLock({ $0 }) else { return }
        signal(SIGKILL)
        _ = wait()
    }

    func endAfterPatience() {
        Thread.detachNewThread {
            let end = Date() + TimeInterval(2 * patienceSeconds)
            while !self.isReaped.withLock({ $0 }) {
                if Date() > end { self.signal(SIGKILL) }
                usleep(50_000)
            }
        }
    }
}

/// An `apus serve` on a free port, for one test; plain unless it asks for more, since `Peer` is.
final class ServingCommand: Sendable {
    let command: RunningCommand
    /// As it was printed.
    let announcement: String

    init(
        _ arguments: String..., address: String = "127.0.0.1:0", shards: Int = 1, security: String = "none"
    ) throws {
        let common = ["serve", "--address", address, "--shards", "\(shards)", "--security", security]
        command = try RunningCommand(common + arguments)
        announcement = command.lines(1).first ?? ""
    }

    var address: String { announcement.split(separator: " ").dropFirst(2).first.map(String.init) ?? "" }

    func stop(_ signal: Int32 = SIGTERM) -> Finished {
        command.signal(signal)
        return command.finish()
    }
}

// MARK: Plumbing

private enum Pipe {
    static func open() throws -> (read: Int32, write: Int32) {
        var descriptors: [Int32] = [-1, -1]
        guard pipe(&descriptors) == 0 else { throw RunningCommand.CannotStart(path: "a pipe", errno: errno) }
        // A child of another test would hold the ends open until it ends.
        for descriptor in descriptors { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        return (descriptors[0], descriptors[1])
    }
}

/// Bytes that one thread reads and others look at.
private final class Collected: Sendable {
    private struct State {
        var bytes: [UInt8] = []
        var isComplete = false
    }

    private let state = Mutex(State())

    func readAll(from descriptor: Int32) -> [UInt8] {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(descriptor, &chunk, chunk.count)
            guard count > 0 else { break }
            state.withLock { [chunk] in $0.bytes += chunk.prefix(count) }
        }
        close(descriptor)
        return state.withLock { state in
            state.isComplete = true
            return state.bytes
        }
    }

    func lines(_ count: Int) -> [String] {
        var lines: [String] = []
        _ = eventually {
            let (bytes, isComplete) = state.withLock { ($0.bytes, $0.isComplete) }
            let whole = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropLast()
            lines = whole.map { String(decoding: $0, as: UTF8.self) }
            return lines.count >= count || isComplete
        }
        return lines
    }
}

private func withStrings<Result>(
    _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
) -> Result {
    let copies = strings.map { strdup($0) }
    defer { copies.forEach { free($0) } }
    return body(copies + [nil])
}
