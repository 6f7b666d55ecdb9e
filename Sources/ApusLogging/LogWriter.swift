// The bounded queue before the thread that writes. Whoever logs leaves a finished line and goes on; when there is no
// room, the line is dropped and counted, and the next that gets through says how many were.

import Logging
import Synchronization

public final class LogWriter: Sendable {
    struct Settings: Sendable {
        var line: LogLine
        var repeatsPerSecondMax: Int
        var recordCountMax: Int
        var byteCountMax: Int
    }

    /// What the writing thread takes at a time.
    struct Work {
        var lines: [[UInt8]] = []
        /// Since the last time.
        var droppedCount = 0
        var summaries: [RepeatLimit.Summary] = []
        var isReopenAsked = false
        /// Other outputs, the latest last.
        var changes: [OutputChange] = []
        /// When to give up, in the clock's nanoseconds; nil: never.
        var deadline: UInt64?
        /// Summaries may follow without anybody ringing.
        var isWatching = false

        var isEmpty: Bool {
            lines.isEmpty && droppedCount == 0 && summaries.isEmpty && !isReopenAsked && changes.isEmpty
        }
    }

    /// From here on records go to these places; those that were open stay so.
    struct OutputChange: Sendable {
        let places: [LogOutput.Place]
        /// Those of them that were not open.
        let opened: [LogOutput]
    }

    private struct State {
        var next = Work()
        var byteCount = 0
        var line: LogLine
        var repeats: RepeatLimit
        /// The thread waits for a ring.
        var isAsleep = false
    }

    private let settings: Settings
    let clock: LogClock
    private let state: Mutex<State>
    private let dropped = Atomic<UInt64>(0)
    private let bell: Bell
    private let ended: Bell

    init(_ settings: Settings, clock: LogClock = .system) throws(LogError) {
        self.settings = settings
        self.clock = clock
        state = Mutex(
            State(line: settings.line, repeats: RepeatLimit(perSecondMax: settings.repeatsPerSecondMax)))
        bell = try Bell()
        ended = try Bell()
    }

    /// Records that an output did not get, each once an output.
    public var droppedCount: UInt64 { dropped.load(ordering: .relaxed) }

    /// Take the file by its name again, as soon as the thread comes to it.
    public func reopen() {
        state.withLock { $0.next.isReopenAsked = true }
        bell.ring()
    }

    /// Write in this manner and to these outputs, as soon as the thread comes to it; lines that wait stay as they are.
    func change(_ line: LogLine, repeatsPerSecondMax: Int, _ change: OutputChange) {
        state.withLock { state in
            state.line = line
            state.repeats.perSecondMax = repeatsPerSecondMax
            state.next.changes.append(change)
        }
        bell.ring()
    }

    /// Write what waits, for at most so long, and end. Records that come later are dropped and counted.
    /// - Returns: whether everything was written.
    @discardableResult
    public func close(within duration: Duration) -> Bool {
        let milliseconds = Int32(clamping: Int(min(max(0, duration / .milliseconds(1)), 1e9)))
        let deadline = clock.monotonicNanoseconds() + UInt64(milliseconds) * 1_000_000
        let before = droppedCount
        let isFirst = state.withLock { state in
            if state.next.deadline != nil { return false }
            state.next.deadline = deadline
            return true
        }
        guard isFirst else { return true }
        bell.ring()
        // A little more, so that it is the thread who counts what is left.
        return ended.wait(milliseconds: milliseconds + 200) && droppedCount == before
    }
}

// MARK: Whoever logs

extension LogWriter {
    /// Costs the formatting; waits for no disk and no terminal.
    /// - Parameter wallMicroseconds: when it happened; now, when nil.
    func log(
        _ level: Logger.Level, label: String, _ message: String, _ metadata: @autoclosure () -> Logger.Metadata = [:],
        at wallMicroseconds: Int64? = nil
    ) {
        let key = RepeatKey(label: label, level: level, message: message)
        let now = clock.monotonicNanoseconds()
        let line = state.withLock { $0.repeats.admits(key, at: now) ? $0.line : nil }
        guard let line else { return }
        let moment = wallMicroseconds ?? clock.wallMicroseconds()
        enqueue(line.bytes(of: LogRecord(at: moment, level, label: label, message, metadata())))
    }

    /// A line of the thread itself.
    func line(_ level: Logger.Level, label: String, _ message: String, _ metadata: Logger.Metadata) -> [UInt8] {
        state.withLock { $0.line }.bytes(
            of: LogRecord(at: clock.wallMicroseconds(), level, label: label, message, metadata))
    }

    private func enqueue(_ line: [UInt8]) {
        let (isTaken, wasAsleep) = state.withLock { state in
            defer { state.isAsleep = false }
            return (append(line, to: &state), state.isAsleep)
        }
        if !isTaken { countDropped(1) }
        if wasAsleep { bell.ring() }
    }

    private func append(_ line: [UInt8], to state: inout State) -> Bool {
        guard state.next.lines.count < settings.recordCountMax,
            state.byteCount + line.count <= settings.byteCountMax, state.next.deadline == nil
        else {
            state.next.droppedCount += 1
            return false
        }
        state.next.lines.append(line)
        state.byteCount += line.count
        return true
    }
}

// MARK: The thread

extension LogWriter {
    /// Everything left so far. When that is nothing, whoever leaves something next rings.
    func take() -> Work {
        let now = clock.monotonicNanoseconds()
        return state.withLock { state in
            var work = state.next
            work.summaries = work.deadline == nil ? state.repeats.expired(at: now) : state.repeats.end()
            work.isWatching = state.repeats.isWatching
            state.next = Work(deadline: work.deadline)
            state.byteCount = 0
            state.isAsleep = work.isEmpty
            return work
        }
    }

    func countDropped(_ count: Int) { dropped.add(UInt64(count), ordering: .relaxed) }

    func sleep(milliseconds: Int32?) { bell.wait(milliseconds: milliseconds) }

    func sayEnded() { ended.ring() }
}
