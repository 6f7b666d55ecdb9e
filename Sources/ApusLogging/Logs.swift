// All of logging as one object: made from plain values at the start, asked for loggers, told of SIGHUP, closed at
// the end.

import Glibc
import Logging
import Synchronization

///     let logs = try Logs.start(settings)
///     let logger = logs.logger("apus")
///     logger.notice("started", metadata: ["address": "\(address)"])
///     …
///     logs.close()
public final class Logs: Sendable {
    /// Which levels are written; may be changed at any time, from any thread.
    public let levels: LogLevels
    public let writer: LogWriter
    private let console: Int32
    /// Where records go, and the level that was asked for last.
    private let places: Mutex<[LogOutput.Place]>
    private let asked: Mutex<Logger.Level>

    private init(_ settings: LogSettings, _ writer: LogWriter, console: Int32) {
        levels = LogLevels(settings.level)
        self.writer = writer
        self.console = console
        asked = Mutex(settings.level)
        places = Mutex(Logs.places(settings, console: console))
    }

    /// Open what the settings name and start the thread that writes.
    public static func start(_ settings: LogSettings) throws(LogError) -> Logs {
        try start(settings, console: STDERR_FILENO, clock: .system)
    }

    /// - Parameters:
    ///   - console: what stands for standard error.
    ///   - clock: what stands for the system's.
    static func start(_ settings: LogSettings, console: Int32, clock: LogClock) throws(LogError) -> Logs {
        let problems = settings.problems()
        guard problems.isEmpty else { throw .invalidSettings(problems) }
        let writer = try LogWriter(
            LogWriter.Settings(
                line: LogLine(settings), repeatsPerSecondMax: settings.repeatsPerSecondMax,
                recordCountMax: settings.queueRecordCountMax, byteCountMax: settings.queueByteCountMax),
            clock: clock)
        try WriterThread.start(writer, try open(places(settings, console: console), settings))
        return Logs(settings, writer, console: console)
    }

    /// Whether these settings could be applied now; nothing changes.
    public func tryOut(_ settings: LogSettings) throws(LogError) {
        let problems = settings.problems()
        guard problems.isEmpty else { throw .invalidSettings(problems) }
        let known = places.withLock { $0 }
        _ = try Logs.open(Logs.places(settings, console: console).filter { !known.contains($0) }, settings)
    }

    /// Other settings from now on, for a reload: level, outputs, format, name and the limit of repeats; the queue stays
    /// as long as it is. A level that was set meanwhile holds unless another is asked for. When it throws, nothing has
    /// changed.
    public func apply(_ settings: LogSettings) throws(LogError) {
        let problems = settings.problems()
        guard problems.isEmpty else { throw .invalidSettings(problems) }
        let wanted = Logs.places(settings, console: console)
        try places.withLock { places throws(LogError) in
            let opened = try Logs.open(wanted.filter { !places.contains($0) }, settings)
            writer.change(
                LogLine(settings), repeatsPerSecondMax: settings.repeatsPerSecondMax,
                LogWriter.OutputChange(places: wanted, opened: opened))
            places = wanted
        }
        let isOther = asked.withLock { asked in
            defer { asked = settings.level }
            return asked != settings.level
        }
        if isOther { levels.set(settings.level) }
    }

    private static func places(_ settings: LogSettings, console: Int32) -> [LogOutput.Place] {
        (settings.console ? [.console(console)] : []) + (settings.file.map { [.file(path: $0)] } ?? [])
    }

    private static func open(
        _ places: [LogOutput.Place], _ settings: LogSettings
    ) throws(LogError) -> [LogOutput] {
        var outputs: [LogOutput] = []
        for place in places { outputs.append(try LogOutput(place, backlogByteCountMax: settings.queueByteCountMax)) }
        return outputs
    }

    /// A logger whose records carry this label.
    public func logger(_ label: String) -> Logger { Logger(label: label) { handler($0) } }

    /// A record of something that happened a little earlier, which `Logger` cannot say.
    /// - Parameter wallMicroseconds: when it happened; microseconds since 1970, UTC.
    public func log(
        _ level: Logger.Level, label: String, _ message: String, metadata: @autoclosure () -> Logger.Metadata,
        wallMicroseconds: UInt64
    ) {
        guard level >= levels.level(of: label) else { return }
        writer.log(level, label: label, message, metadata(), at: Int64(clamping: wallMicroseconds))
    }

    /// Let every `Logger(label:)` of the process write here: once in a process, before the first is made.
    public func bootstrap() {
        LoggingSystem.bootstrap({ self.handler($0, $1) }, metadataProvider: nil)
    }

    private func handler(_ label: String, _ provider: Logger.MetadataProvider? = nil) -> any LogHandler {
        QueuedLogHandler(label: label, writer, levels, provider)
    }

    /// Write this level and what is more severe, from now on.
    public func setLevel(_ level: Logger.Level) { levels.set(level) }

    /// The same by name; false when there is no level of that name.
    public func setLevel(named name: String) -> Bool {
        guard let level = Logger.Level(name: name) else { return false }
        levels.set(level)
        return true
    }

    /// Take the file by its name again, after it was moved away (SIGHUP).
    public func reopen() { writer.reopen() }

    /// Records that an output did not get.
    public var droppedCount: UInt64 { writer.droppedCount }

    /// Write what waits, for at most so long. Records that come later are dropped.
    /// - Returns: whether everything was written.
    @discardableResult
    public func close(within duration: Duration = .seconds(2)) -> Bool { writer.close(within: duration) }
}
