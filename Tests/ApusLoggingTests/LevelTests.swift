// Which records are written, and changing that while the program runs.

import ApusLogging
import Logging
import TestSupport
import Testing

struct LevelTests {
    @Test func namesAreRead() {
        for level in Logger.Level.allCases { #expect(Logger.Level(name: level.rawValue.uppercased()) == level) }
        #expect(Logger.Level(name: "warn") == .warning)
        #expect(Logger.Level(name: "loud") == nil)
        #expect(Logger.Level(name: "") == nil)
    }

    @Test func allLabelsFollowTheGeneralLevel() throws {
        let rig = try LogRig()
        let (one, two) = (rig.logs.logger("one"), rig.logs.logger("two"))
        #expect(one.logLevel == .info)
        for level in Logger.Level.allCases {
            rig.logs.setLevel(level)
            #expect(one.logLevel == level && two.logLevel == level)
        }
        #expect(rig.logs.setLevel(named: "warn"))
        #expect(one.logLevel == .warning)
        #expect(!rig.logs.setLevel(named: "loud"))
        #expect(one.logLevel == .warning)
    }

    @Test func aLabelMayHaveItsOwn() throws {
        let rig = try LogRig()
        let (one, two) = (rig.logs.logger("one"), rig.logs.logger("two"))
        rig.logs.levels.set(.trace, for: "one")
        #expect(one.logLevel == .trace && two.logLevel == .info)
        rig.logs.setLevel(.error)
        #expect(one.logLevel == .trace && two.logLevel == .error)
        rig.logs.levels.set(nil, for: "one")
        #expect(one.logLevel == .error)
    }

    @Test func aLoggerMayHaveItsOwn() throws {
        let rig = try LogRig()
        var one = rig.logs.logger("one")
        let two = rig.logs.logger("one")
        one.logLevel = .debug
        rig.logs.setLevel(.critical)
        #expect(one.logLevel == .debug && two.logLevel == .critical)
    }

    @Test func onlyWhatIsAskedForIsWritten() throws {
        let rig = try LogRig()
        let logger = rig.logs.logger("l")
        logger.debug("one")
        logger.info("two")
        rig.logs.setLevel(.debug)
        logger.debug("three")
        rig.logs.setLevel(.error)
        logger.warning("four")
        logger.error("five")
        #expect(try rig.close().map(\.message) == ["two", "three", "five"])
    }

    @Test func theNearestMetadataCounts() throws {
        struct Broken: Error, CustomStringConvertible { let description = "it broke" }
        let rig = try LogRig()
        var logger = rig.logs.logger("l")
        logger[metadataKey: "a"] = "logger"
        logger[metadataKey: "b"] = "logger"
        logger.info("m", metadata: ["b": "record"])
        logger.error("n", error: Broken())
        let lines = try rig.close()
        #expect(lines[0].metadata == ["a": "logger", "b": "record"])
        #expect(lines[1].metadata == ["a": "logger", "b": "logger", "error": "it broke"])
    }

    @Test func mistakesInTheSettingsAreNamed() {
        var settings = LogSettings()
        settings.console = false
        settings.appName = ""
        settings.repeatsPerSecondMax = 0
        let problems = settings.problems()
        #expect(problems.count == 3)
        #expect(problems.contains { $0.hasPrefix("app_name: 1 to 64") })
        #expect(throws: LogError.invalidSettings(problems)) { _ = try Logs.start(settings) }
        #expect(LogSettings().problems() == [])
    }
}
