// The bounded queue and the thread behind it: what is lost is counted and said, and nobody who logs waits.

import Foundation
import Logging
import TestSupport
import Testing

@testable import ApusLogging

struct QueueTests {
    private func writer(records: Int, bytes: Int = 1 << 20) throws -> LogWriter {
        try LogWriter(
            LogWriter.Settings(
                line: LogLine(format: .json, appName: "a"), repeatsPerSecondMax: 1_000_000,
                recordCountMax: records, byteCountMax: bytes))
    }

    /// Nobody writes yet, so the queue fills; then the thread starts.
    @Test func aFullQueueDropsAndTheNextLineSaysHowMany() throws {
        let folder = try TemporaryFolder()
        let writer = try writer(records: 20)
        for number in 0..<50 { writer.log(.info, label: "l", "\(number)") }
        #expect(writer.droppedCount == 30)
        let output = try LogOutput(.file(path: folder.file("log")), backlogByteCountMax: 1 << 20)
        try WriterThread.start(writer, [output])
        #expect(writer.close(within: .seconds(patienceSeconds)))
        let lines = try LogRig.lines(of: folder.file("log"))
        #expect(lines.dropLast().map(\.message) == (0..<20).map(String.init))
        #expect(lines.last?.message == "log records were dropped")
        #expect(lines.last?.level == "warning" && lines.last?.metadata["count"] == "30")
    }

    @Test func bytesAreBoundedToo() throws {
        let writer = try writer(records: 1000, bytes: 64 << 10)
        for _ in 0..<100 { writer.log(.info, label: "l", String(repeating: "x", count: 2000)) }
        let work = writer.take()
        #expect(work.lines.reduce(0) { $0 + $1.count } <= 64 << 10)
        #expect(work.lines.count + work.droppedCount == 100)
        #expect(work.droppedCount > 0)
        #expect(writer.take().isEmpty)
    }

    @Test func afterTheEndRecordsAreDroppedAndCounted() throws {
        let rig = try LogRig()
        let logger = rig.logs.logger("l")
        logger.info("before")
        #expect(try rig.close().map(\.message) == ["before"])
        logger.info("after")
        #expect(rig.logs.droppedCount == 1)
        #expect(rig.logs.close())
        #expect(try LogRig.lines(of: rig.path).count == 1)
    }

    @Test func theEndWritesWhatWaits() throws {
        let rig = try LogRig()
        let logger = rig.logs.logger("l")
        for number in 0..<5000 { logger.info("\(number)") }
        #expect(try rig.close().map(\.message) == (0..<5000).map(String.init))
        #expect(rig.logs.droppedCount == 0)
    }

    /// Each thread's records stand in its order; what is missing was counted.
    @Test func manyThreadsShareOneLog() async throws {
        let (threads, each) = (8, 3000)
        let rig = try LogRig()
        await withTaskGroup(of: Void.self) { group in
            for thread in 0..<threads {
                let logger = rig.logs.logger("thread-\(thread)")
                group.addTask {
                    for number in 0..<each { logger.info("n", metadata: ["n": .stringConvertible(number)]) }
                }
            }
        }
        _ = rig.logs.close(within: .seconds(patienceSeconds))
        let lines = try LogRig.lines(of: rig.path)
        var written = 0
        for thread in 0..<threads {
            let numbers = lines.filter { $0.label == "thread-\(thread)" }.compactMap { Int($0.metadata["n"] ?? "") }
            #expect(numbers == numbers.sorted() && Set(numbers).count == numbers.count)
            written += numbers.count
        }
        #expect(written + Int(rig.logs.droppedCount) == threads * each)
        let notices = lines.filter { $0.message == "log records were dropped" }
        let told = notices.compactMap { Int($0.metadata["count"] ?? "") }
        #expect(told.reduce(0, +) == Int(rig.logs.droppedCount))
    }

    @Test func repeatsAreHeldBackAndSummed() throws {
        let clock = HandClock()
        let rig = try LogRig(clock: clock.clock) { $0.repeatsPerSecondMax = 5 }
        let logger = rig.logs.logger("l")
        for _ in 0..<100 { logger.warning("flood") }
        logger.warning("other")
        clock.advance(seconds: 1)
        #expect(rig.hasLine { $0.message == "flood" && $0.metadata["repeated"] == "95" && $0.level == "warning" })
        logger.warning("flood")
        // The clock stands, so the thread has as long as it takes.
        let lines = try rig.close()
        #expect(lines.filter { $0.message == "flood" && $0.metadata.isEmpty }.count == 6)
        #expect(lines.filter { $0.message == "other" }.count == 1)
        #expect(lines.filter { $0.metadata["repeated"] != nil }.count == 1)
        #expect(rig.logs.droppedCount == 0)
    }

    @Test func whatIsHeldBackAtTheEndIsSummedThere() throws {
        let clock = HandClock()
        let rig = try LogRig(clock: clock.clock) { $0.repeatsPerSecondMax = 1 }
        let logger = rig.logs.logger("l")
        for _ in 0..<4 { logger.info("again") }
        let lines = try rig.close()
        #expect(lines.map(\.message) == ["again", "again"])
        #expect(lines[1].metadata == ["repeated": "3"])
    }
}
