// The log file: how it is opened, moved away and taken again, and a disk that is full.

import Foundation
import Logging
import TestSupport
import Testing

@testable import ApusLogging

@Suite(.serialized) struct FileTests {
    @Test func itIsAppendedTo() throws {
        let rig = try LogRig()
        rig.logs.logger("l").info("one")
        #expect(try rig.close().count == 1)
        var settings = LogSettings()
        (settings.console, settings.json, settings.file) = (false, true, rig.path)
        let again = try Logs.start(settings)
        again.logger("l").info("two")
        #expect(again.close(within: .seconds(patienceSeconds)))
        #expect(try LogRig.lines(of: rig.path).map(\.message) == ["one", "two"])
    }

    @Test func nobodyElseReadsOrInheritsIt() throws {
        let rig = try LogRig()
        var status = stat()
        #expect(stat(rig.path, &status) == 0)
        #expect(status.st_mode & 0o777 & ~0o640 == 0)
        let folder = "/proc/self/fd"
        let real = try #require(realpath(rig.path, nil))
        defer { free(real) }
        let numbers = try FileManager.default.contentsOfDirectory(atPath: folder).compactMap { Int32($0) }
        let ours = numbers.filter { number in
            var target = [CChar](repeating: 0, count: Int(PATH_MAX))
            readlink("\(folder)/\(number)", &target, target.count - 1)
            return strcmp(target, real) == 0
        }
        #expect(ours.count == 1)
        for number in ours {
            #expect(fcntl(number, F_GETFD) & FD_CLOEXEC != 0)
            #expect(fcntl(number, F_GETFL) & O_APPEND != 0)
        }
    }

    @Test func aFileThatCannotBeOpenedIsNamed() throws {
        let folder = try TemporaryFolder()
        var settings = LogSettings()
        for (path, words) in [
            (folder.file("missing/log"), "make its folder first"), (folder.path, "name a file, not a folder"),
        ] {
            settings.file = path
            let error = #expect(throws: LogError.self) { _ = try Logs.start(settings) }
            #expect(error?.description.contains(path) == true && error?.description.contains(words) == true)
        }
        // Would wait for a reader.
        #expect(mkfifo(folder.file("fifo"), 0o600) == 0)
        settings.file = folder.file("fifo")
        #expect(throws: LogError.cannotOpen(path: folder.file("fifo"), errno: ENXIO)) { _ = try Logs.start(settings) }
    }

    @Test func itIsTakenAgainByItsName() throws {
        let rig = try LogRig()
        let logger = rig.logs.logger("l")
        logger.info("one")
        #expect(rig.hasLine { $0.message == "one" })
        let moved = rig.folder.file("apus.log.1")
        #expect(rename(rig.path, moved) == 0)
        logger.info("two")
        #expect(rig.hasLine(in: moved) { $0.message == "two" })
        rig.logs.reopen()
        #expect(eventually { access(rig.path, F_OK) == 0 })
        logger.info("three")
        #expect(try rig.close().map(\.message) == ["three"])
        #expect(try LogRig.lines(of: moved).map(\.message) == ["one", "two"])
    }

    /// While it is moved and taken again, over and over, no line is lost, doubled or cut.
    @Test func rotatingLosesNothing() throws {
        let rig = try LogRig()
        let logger = rig.logs.logger("l")
        let (rounds, each) = (30, 50)
        for round in 0..<rounds {
            for number in 0..<each { logger.info("\(round * each + number)") }
            if rename(rig.path, rig.folder.file("log.\(round)")) == 0 { rig.logs.reopen() }
            #expect(eventually { access(rig.path, F_OK) == 0 })
        }
        _ = try rig.close()
        let paths = (0..<rounds).map { rig.folder.file("log.\($0)") } + [rig.path]
        let lines = try paths.filter { access($0, F_OK) == 0 }.flatMap { try LogRig.lines(of: $0) }
        #expect(lines.compactMap { Int($0.message) }.sorted() == Array(0..<rounds * each))
        #expect(rig.logs.droppedCount == 0)
    }

    @Test func aNameThatCannotBeTakenAgainChangesNothing() throws {
        let console = try ConsolePipe()
        let folder = try TemporaryFolder()
        #expect(mkdir(folder.file("logs"), 0o700) == 0)
        var settings = LogSettings()
        (settings.json, settings.file) = (true, folder.file("logs/log"))
        let logs = try Logs.start(settings, console: console.writer, clock: .system)
        #expect(rename(folder.file("logs"), folder.file("elsewhere")) == 0)
        logs.reopen()
        logs.logger("l").info("goes on")
        #expect(logs.close(within: .seconds(patienceSeconds)))
        #expect(try LogRig.lines(of: folder.file("elsewhere/log")).map(\.message).contains("goes on"))
        #expect(String(decoding: console.readAll(), as: UTF8.self).contains("the log file stays the one that was open"))
    }

    /// /dev/full takes nothing: the console is told once, nothing is lost while there is room to wait, and what waited
    /// is written when the name stands for a disk with room.
    @Test func aFullDiskLosesNothingThatFitsInMemory() throws {
        guard access("/dev/full", W_OK) == 0 else { return print("left out: a full disk, since there is no /dev/full") }
        let console = try ConsolePipe()
        let folder = try TemporaryFolder()
        let path = folder.file("log")
        #expect(symlink("/dev/full", path) == 0)
        var settings = LogSettings()
        (settings.json, settings.file) = (true, path)
        let logs = try Logs.start(settings, console: console.writer, clock: .system)
        let logger = logs.logger("l")
        var told = ""
        logger.info("one")
        #expect(eventually {
            told += String(decoding: console.readAll(), as: UTF8.self)
            return told.contains("the log cannot be written")
        })
        for number in 0..<100 { logger.info("n\(number)") }
        #expect(unlink(path) == 0)
        logs.reopen()
        #expect(eventually {
            told += String(decoding: console.readAll(), as: UTF8.self)
            return told.contains("the log is written again")
        })
        #expect(logs.close(within: .seconds(patienceSeconds)))
        told += String(decoding: console.readAll(), as: UTF8.self)
        #expect(told.split(separator: "\n").filter { $0.contains("the log cannot be written") }.count == 1)
        let lines = try LogRig.lines(of: path)
        let messages = lines.map(\.message).filter { $0 != "the log is written again" }
        #expect(messages == ["one"] + (0..<100).map { "n\($0)" })
        #expect(logs.droppedCount == 0)
    }

    @Test func aDiskThatStaysFullCostsLinesAndNoTime() throws {
        guard access("/dev/full", W_OK) == 0 else { return print("left out: a full disk, since there is no /dev/full") }
        let console = try ConsolePipe()
        var settings = LogSettings()
        (settings.json, settings.file) = (true, "/dev/full")
        (settings.repeatsPerSecondMax, settings.queueByteCountMax) = (1_000_000, 64 << 10)
        let logs = try Logs.start(settings, console: console.writer, clock: .system)
        let logger = logs.logger("l")
        var consoleByteCount = 0
        for number in 0..<2000 {
            logger.info("n\(number)")
            consoleByteCount += console.readAll().count
        }
        #expect(!logs.close(within: .milliseconds(300)))
        // What had no room, and what waited to the end.
        #expect(logs.droppedCount >= 2000)
        #expect(consoleByteCount > 0)
    }

    /// A small disk that fills in the middle of a line, and gets room again.
    @Test func aLineThatWasCutByAFullDiskIsFinished() throws {
        let folder = try TemporaryFolder()
        let disk = folder.file("disk")
        #expect(mkdir(disk, 0o700) == 0)
        guard mount("tmpfs", disk, "tmpfs", 0, "size=64k") == 0 else {
            return print("left out: a small disk, since mounting one failed: \(String(cString: strerror(errno)))")
        }
        defer { umount2(disk, Int32(MNT_DETACH)) }
        let filler = disk + "/filler"
        #expect(FileManager.default.createFile(atPath: filler, contents: Data(count: 48 << 10)))
        var settings = LogSettings()
        (settings.console, settings.json, settings.file) = (false, true, disk + "/log")
        settings.repeatsPerSecondMax = 1_000_000
        let logs = try Logs.start(settings)
        let logger = logs.logger("l")
        let pad = String(repeating: "p", count: 100)
        for number in 0..<200 { logger.info("\(number)", metadata: ["pad": .string(pad)]) }
        #expect(eventually {
            var status = stat()
            // As full as it gets.
            return stat(disk + "/log", &status) == 0 && status.st_size >= 15 << 10
        })
        #expect(unlink(filler) == 0)
        #expect(logs.close(within: .seconds(patienceSeconds)))
        let numbers = try LogRig.lines(of: disk + "/log").compactMap { Int($0.message) }
        #expect(numbers == Array(0..<200))
        #expect(logs.droppedCount == 0)
    }
}
