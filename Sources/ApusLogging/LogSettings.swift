// What logging is asked to be, in plain values. It knows nothing of files of configuration, flags or environment:
// whoever reads those fills this in.

import Logging

/// Where records go, how they look, and how much of them is kept while they wait.
public struct LogSettings: Equatable, Sendable {
    /// The least severe level that is written.
    public var level = Logger.Level.info
    /// Write to standard error.
    public var console = true
    /// Append to this file; nil: to none. It is made with the mode 0640, in a folder that must exist.
    public var file: String?
    /// One JSON object a line; otherwise logfmt.
    public var json = false
    /// In every record, as `app`. 1 to 64 bytes.
    public var appName = "apus"
    /// Records of one label, level and message that are written in a second; one more is counted, and the count is
    /// written at the end of that second. For `trace` and `debug` fifty times as many.
    public var repeatsPerSecondMax = 20
    /// Records that may wait for the writer; one more is dropped and counted.
    public var queueRecordCountMax = 8192
    /// Bytes that may wait for the writer, and again as many for each output that takes nothing.
    public var queueByteCountMax = 4 << 20

    public init() {}

    /// Every mistake, in words; empty when there is none.
    public func problems() -> [String] {
        var problems: [String] = []
        if !console, file == nil { problems.append("logging: neither console nor file: name at least one") }
        if file == "" { problems.append("log_file_path: an empty path names no file") }
        if let file, file.utf8.contains(0) { problems.append("log_file_path: a path holds no zero bytes") }
        let counts: [(name: String, value: Int, range: ClosedRange<Int>)] = [
            ("app_name", appName.utf8.count, 1...64), ("repeats_per_second", repeatsPerSecondMax, 1...1_000_000),
            ("queue_records", queueRecordCountMax, 16...1_000_000),
            ("queue_bytes", queueByteCountMax, LogLine.byteCountMax...(1 << 30)),
        ]
        return problems
            + counts.filter { !$0.range.contains($0.value) }.map { name, value, range in
                "\(name): \(range.lowerBound) to \(range.upperBound), found \(value)"
            }
    }
}

extension Logger.Level {
    /// `trace`, `debug`, `info`, `notice`, `warning` (or `warn`), `error`, `critical`, in any case; nil for other
    /// words.
    public init?(name: String) {
        let name = name.lowercased()
        self.init(rawValue: name == "warn" ? "warning" : name)
    }
}
