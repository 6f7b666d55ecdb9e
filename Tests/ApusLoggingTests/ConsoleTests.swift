// The console: a reader that is slow, and one that is gone.

import Foundation
import Logging
import TestSupport
import Testing

@testable import ApusLogging

@Suite(.serialized) struct ConsoleTests {
    private func start(_ console: ConsolePipe, _ change: (inout LogSettings) -> Void = { _ in }) throws -> Logs {
        var settings = LogSettings()
        settings.repeatsPerSecondMax = 1_000_000
        change(&settings)
        return try Logs.start(settings, console: console.writer, clock: .system)
    }

    @Test func logfmtGoesThere() throws {
        let console = try ConsolePipe()
        let logs = try start(console) { $0.appName = "my edge" }
        logs.logger("l").notice("it is\nup", metadata: ["k": "v w"])
        #expect(logs.close(within: .seconds(patienceSeconds)))
        let line = String(decoding: console.readAll(), as: UTF8.self)
        let fields = try #require(Logfmt.fields(line))
        #expect(fields["app"] == "my edge" && fields["level"] == "notice" && fields["label"] == "l")
        #expect(fields["msg"] == "it is\nup" && fields["k"] == "v w")
    }

    /// A reader that does not read holds neither those who log up, nor the file.
    @Test func aFullConsoleHoldsNobodyUp() throws {
        let console = try ConsolePipe()
        let folder = try TemporaryFolder()
        let logs = try start(console) {
            $0.file = folder.file("log")
            $0.json = true
            $0.queueRecordCountMax = 100_000
        }
        let logger = logs.logger("l")
        let pad = String(repeating: "p", count: 200)
        for number in 0..<2000 { logger.info("\(number)", metadata: ["pad": .string(pad)]) }
        #expect(eventually {
            do { return try LogRig.lines(of: folder.file("log")).count >= 2000 } catch { return false }
        })
        // Read now, and everything comes, in order.
        let received = Background {
            var bytes: [UInt8] = []
            _ = eventually {
                bytes += console.readAll()
                return bytes.count { $0 == UInt8(ascii: "\n") } >= 2000
            }
            return bytes
        }
        #expect(logs.close(within: .seconds(patienceSeconds)))
        let text = String(decoding: try received.value(), as: UTF8.self)
        let lines = try text.split(separator: "\n").map { try WrittenLine($0) }
        #expect(lines.map(\.message) == (0..<2000).map(String.init))
    }

    @Test func aConsoleWithoutReaderEndsNothing() throws {
        let console = try ConsolePipe()
        let folder = try TemporaryFolder()
        let logs = try start(console) {
            $0.file = folder.file("log")
            $0.json = true
        }
        console.closeReader()
        logs.logger("l").info("one")
        #expect(eventually {
            do {
                return try LogRig.lines(of: folder.file("log")).contains { $0.message == "the log cannot be written" }
            } catch { return false }
        })
        logs.logger("l").info("two")
        _ = logs.close(within: .seconds(patienceSeconds))
        let messages = try LogRig.lines(of: folder.file("log")).map(\.message)
        #expect(messages.filter { $0 != "the log cannot be written" } == ["one", "two"])
    }
}
