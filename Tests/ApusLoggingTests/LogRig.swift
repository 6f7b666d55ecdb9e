// Logs that write JSON into a file of a temporary folder, and what stands in it.

import Foundation
import Logging
import Synchronization
import TestSupport
import Testing

@testable import ApusLogging

/// A line as it was read back.
struct WrittenLine: Equatable {
    let level, label, message: String
    let metadata: [String: String]

    init(_ line: some StringProtocol) throws {
        let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        level = try #require(object["level"] as? String)
        label = try #require(object["label"] as? String)
        message = try #require(object["message"] as? String)
        metadata = (object["metadata"] as? [String: Any] ?? [:]).mapValues { "\($0)" }
    }
}

/// A clock that stands still until it is told.
final class HandClock: Sendable {
    private let nanoseconds = Atomic<UInt64>(1_000_000_000)

    func advance(seconds: UInt64) { nanoseconds.add(seconds * 1_000_000_000, ordering: .relaxed) }

    var clock: LogClock {
        LogClock(
            wallMicroseconds: { LineTests.moment }, monotonicNanoseconds: { self.nanoseconds.load(ordering: .relaxed) })
    }
}

struct LogRig {
    let folder: TemporaryFolder
    let logs: Logs

    var path: String { folder.file("apus.log") }

    init(clock: LogClock = .system, _ change: (inout LogSettings) -> Void = { _ in }) throws {
        folder = try TemporaryFolder()
        var settings = LogSettings()
        settings.console = false
        settings.json = true
        settings.file = folder.file("apus.log")
        settings.repeatsPerSecondMax = 1_000_000
        change(&settings)
        logs = try Logs.start(settings, console: STDERR_FILENO, clock: clock)
    }

    static func lines(of path: String) throws -> [WrittenLine] {
        try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map { try WrittenLine($0) }
    }

    /// End, and read what was written.
    func close() throws -> [WrittenLine] {
        #expect(logs.close(within: .seconds(patienceSeconds)))
        return try LogRig.lines(of: path)
    }

    /// Whether, in the end, a line satisfies this.
    func hasLine(in path: String? = nil, _ condition: (WrittenLine) -> Bool) -> Bool {
        eventually {
            do {
                return try LogRig.lines(of: path ?? self.path).contains(where: condition)
            } catch {
                return false  // The last line may be half there.
            }
        }
    }
}

/// A pipe that stands for a console, and whoever reads it.
final class ConsolePipe: Sendable {
    let reader, writer: Int32

    init() throws {
        var ends: [Int32] = [-1, -1]
        try #require(pipe(&ends) == 0)
        (reader, writer) = (ends[0], ends[1])
    }

    deinit {
        close(writer)
        closeReader()
    }

    private let isReaderOpen = Atomic(true)

    func closeReader() {
        if isReaderOpen.exchange(false, ordering: .relaxed) { close(reader) }
    }

    /// What can be read without waiting.
    func readAll() -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            var interest = pollfd(fd: reader, events: Int16(POLLIN), revents: 0)
            guard poll(&interest, 1, 0) > 0 else { return bytes }
            let count = read(reader, &chunk, chunk.count)
            guard count > 0 else { return bytes }
            bytes += chunk.prefix(count)
        }
    }
}
