// Other settings while the program runs: what a reload changes, and that one that is refused changes nothing.

import Foundation
import Logging
import TestSupport
import Testing

@testable import ApusLogging

struct ApplyTests {
    private func settings(_ path: String?) -> LogSettings {
        var settings = LogSettings()
        (settings.console, settings.json, settings.file) = (false, true, path)
        return settings
    }

    @Test func recordsGoWhereTheyAreSentNow() throws {
        let folder = try TemporaryFolder()
        let console = try ConsolePipe()
        let logs = try Logs.start(settings(folder.file("one")), console: console.writer, clock: .system)
        let logger = logs.logger("l")
        logger.info("first")
        logger.debug("too fine")
        var other = settings(folder.file("two"))
        (other.console, other.level, other.appName) = (true, .debug, "other")
        try logs.apply(other)
        logger.debug("second")
        #expect(eventually { access(folder.file("two"), F_OK) == 0 })
        #expect(logs.close(within: .seconds(patienceSeconds)))
        let lines = try ["one", "two"].flatMap { try LogRig.lines(of: folder.file($0)) }
        #expect(lines.map(\.message) == ["first", "second"])
        #expect(try LogRig.lines(of: folder.file("one")).first?.message == "first")
        // The thread may have come to the change before or after the record.
        let said = String(decoding: console.readAll(), as: UTF8.self)
        #expect(said.isEmpty || said.contains("\"app\":\"other\""))
        #expect(logs.droppedCount == 0)
    }

    @Test func anOutputThatStaysIsNotOpenedAgain() throws {
        let folder = try TemporaryFolder()
        let logs = try Logs.start(settings(folder.file("log")))
        let logger = logs.logger("l")
        logger.info("one")
        #expect(eventually { access(folder.file("log"), F_OK) == 0 })
        #expect(rename(folder.file("log"), folder.file("moved")) == 0)
        var logfmt = settings(folder.file("log"))
        logfmt.json = false
        try logs.apply(logfmt)
        logger.info("two")
        #expect(logs.close(within: .seconds(patienceSeconds)))
        #expect(access(folder.file("log"), F_OK) != 0)
        let text = try String(contentsOfFile: folder.file("moved"), encoding: .utf8)
        let lines = text.split(separator: "\n")
        #expect(lines.count == 2)
        #expect(lines.first?.hasPrefix("{") == true && lines.last?.contains("msg=\"two\"") == true)
    }

    @Test func whatIsRefusedChangesNothing() throws {
        let folder = try TemporaryFolder()
        let logs = try Logs.start(settings(folder.file("log")))
        var wrong = settings(folder.file("missing/log"))
        wrong.level = .trace
        #expect(throws: LogError.cannotOpen(path: folder.file("missing/log"), errno: ENOENT)) { try logs.apply(wrong) }
        #expect(throws: LogError.self) { try logs.apply(settings(nil)) }
        let logger = logs.logger("l")
        #expect(logger.logLevel == .info)
        logger.info("as before")
        #expect(logs.close(within: .seconds(patienceSeconds)))
        #expect(try LogRig.lines(of: folder.file("log")).map(\.message) == ["as before"])
    }
}
