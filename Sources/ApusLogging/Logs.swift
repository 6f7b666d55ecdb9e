// All of logging as one object: made from plain values at the start, asked for loggers, told of SIGHUP, closed at
// the end.

import Glibc
import Logging

///     let logs = try Logs.start(settings)
///     let logger = logs.logger("apus")
///     logger.notice("started", metadata: ["address": "\(address)"])
///     …
///     logs.close()
public final class Logs: Sendable {
    /// Which levels are written; may be changed at any time, from any thread.
    public let levels: LogLevels
    public let writer: LogWriter

    private init(_ levels: LogLevels, _ writer: LogWriter) {
        self.levels = levels
        self.writer = writer
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
        let line = LogLine(format: settings.json ? .json : .logfmt, appName: settings.appName)
        let writer = try LogWriter(
            LogWriter.Settings(
                line: line, repeatsPerSecondMax: settings.repeatsPerSecondMax,
                recordCountMax: settings.queueRecordCountMax, byteCountMax: settings.queueByteCountMax),
            clock: clock)
        try WriterThread.start(writer, try outputs(settings, console: console))
        return Logs(LogLevels(settings.level), writer)
    }

    private static func outputs(_ settings: LogSettings, console: Int32) throws(LogError) -> [LogOutput] {
        var outputs: [LogOutput] = []
        if settings.console {
            outputs.append(try LogOutput(.console(console), backlogByteCountMax: settings.queueByteCountMax))
        }
        if let path = settings.file {
            outputs.append(try LogOutput(.file(path: path), backlogByteCountMax: settings.queueByteCountMax))
        }
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
