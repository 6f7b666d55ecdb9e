// The process that takes over: the program as it is on disk now, with this one's arguments. It is a child until one of
// them ends; nothing here knows what they say to each other.

import Foundation
import Glibc
import Synchronization

struct Successor: Sendable {
    let processID: Int32

    /// What to start, and with which arguments.
    struct Command: Equatable, Sendable {
        var path: String
        var arguments: [String]
    }

    /// - Parameter connection: what the child finds as descriptor 3.
    init(_ command: Command, environment: [String: String], connection: Int32) throws(HandOverError) {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, connection, Successor.connection)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // This process has blocked its signals; the child begins without, like any other.
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))

        var process = pid_t()
        let variables = environment.map { "\($0)=\($1)" }
        let result = withCStrings([command.path] + command.arguments) { arguments in
            withCStrings(variables) { variables in
                Successor.births.withLock { _ in
                    posix_spawn(&process, command.path, &actions, &attributes, arguments, variables)
                }
            }
        }
        guard result == 0 else { throw .system("cannot start \(command.path): \(String(cString: strerror(result)))") }
        processID = process
    }

    private static let connection: Int32 = 3

    /// Held while a descriptor is open and not yet marked to close on `exec`: a child would keep it open, and its other
    /// end would wait for an end that does not come.
    static let births = Mutex(())

    /// What the child is told besides what this process was told. Sockets from systemd and the watchdog's process are
    /// this one's; the child gets them by the hand-over.
    static func environment(from own: [String: String]) -> [String: String] {
        var environment = own
        for variable in SocketActivation.variables + ["WATCHDOG_PID"] { environment[variable] = nil }
        environment[TakeoverSource.variable] = "\(connection)"
        return environment
    }

    /// End a child that did not take over, and say how it went.
    /// - Parameter grace: how long it may serve whom it has accepted; zero for one that does not answer.
    func end(within grace: Duration) -> String {
        // It may be on its way out: its own words come first.
        if let status = reaped(within: .seconds(1)) { return Successor.text(of: status) }
        guard grace > .zero else { return stop() }
        Thread.detachNewThread {
            if self.reaped(within: grace) == nil { _ = self.stop() }
        }
        return "it serves whom it has accepted, for at most \(grace.brief)"
    }

    private func stop() -> String {
        // A child that nobody has waited for keeps its number.
        kill(processID, SIGKILL)
        return reaped(0).map { _ in "it was stopped" } ?? "it is gone"
    }

    /// Its status, when it ends in time.
    private func reaped(within patience: Duration) -> Int32? {
        let pauseMicroseconds: UInt32 = 10_000
        let deadline = Deadline(after: patience)
        while true {
            if let status = reaped(WNOHANG) { return status }
            guard deadline.milliseconds > 0 else { return nil }
            usleep(pauseMicroseconds)
        }
    }

    private func reaped(_ options: Int32) -> Int32? {
        var status: Int32 = 0
        return waitpid(processID, &status, options) == processID ? status : nil
    }

    private static func text(of status: Int32) -> String {
        let signal = status & 0x7F
        return signal == 0 ? "it exited with code \(status >> 8 & 0xFF)" : "signal \(signal) ended it"
    }
}

extension Successor.Command {
    /// This program as it is on disk now, and as it was started.
    static var own: Successor.Command {
        get throws(HandOverError) {
            let arguments = CommandLine.arguments
            guard let path = program(named: arguments.first ?? "", executable: executablePath) else {
                throw .system("cannot find this program on disk: it was \(executablePath ?? "nowhere")")
            }
            return Successor.Command(path: path, arguments: withoutSource(Array(arguments.dropFirst())))
        }
    }

    /// The path it was started by leads to the new program where the old one is only replaced by a link; without one,
    /// the path of what runs.
    static func program(named name: String, executable: String?) -> String? {
        let candidates = (name.contains("/") ? [name] : []) + [executable].compactMap(\.self)
        return candidates.first { access($0, X_OK) == 0 }
    }

    /// The kernel says so when the file has been replaced.
    private static let deletedMark = " (deleted)"

    private static var executablePath: String? {
        var bytes = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &bytes, bytes.count)
        guard count > 0 else { return nil }
        let path = String(decoding: bytes.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self)
        return path.hasSuffix(deletedMark) ? String(path.dropLast(deletedMark.count)) : path
    }

    /// Where this process took over from says nothing to the next.
    static func withoutSource(_ arguments: [String]) -> [String] {
        let flag = "--upgrade-from"
        var kept: [String] = []
        var isValue = false
        for argument in arguments {
            if !isValue, argument != flag, !argument.hasPrefix(flag + "=") { kept.append(argument) }
            isValue = !isValue && argument == flag
        }
        return kept
    }
}

/// As `exec` wants them: copies that live as long as the call, and nil behind the last.
private func withCStrings<Result>(
    _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
) -> Result {
    let copies = strings.map { strdup($0) }
    defer { copies.forEach { free($0) } }
    return body(copies + [nil])
}
