// One record as one line: logfmt or JSON. Pure: values in, bytes out.

import Logging

/// What a line is made of.
struct LogRecord {
    let wallMicroseconds: Int64
    let level: Logger.Level
    let label: String
    let message: String
    let metadata: Logger.Metadata

    init(
        at wallMicroseconds: Int64, _ level: Logger.Level, label: String, _ message: String,
        _ metadata: Logger.Metadata = [:]
    ) {
        self.wallMicroseconds = wallMicroseconds
        self.level = level
        self.label = label
        self.message = message
        self.metadata = metadata
    }
}

enum LogFormat: Sendable {
    case logfmt, json
}

struct LogLine {
    /// A line with more loses its metadata; so many bytes hold every line without.
    static let byteCountMax = 64 << 10
    /// Metadata nested deeper is left out.
    private static let depthMax = 8

    let format: LogFormat
    let appName: String

    init(format: LogFormat, appName: String) {
        self.format = format
        self.appName = appName
    }

    init(_ settings: LogSettings) {
        self.init(format: settings.json ? .json : .logfmt, appName: settings.appName)
    }

    /// The line with its newline.
    func bytes(of record: LogRecord) -> [UInt8] {
        let whole = write(record, record.metadata)
        return whole.count <= LogLine.byteCountMax ? whole : write(record, ["metadata": "left out: too long"])
    }

    private func write(_ record: LogRecord, _ metadata: Logger.Metadata) -> [UInt8] {
        var text = LineText()
        switch format {
        case .logfmt: writeLogfmt(record, metadata, &text)
        case .json: writeJSON(record, metadata, &text)
        }
        text.append(plain: "\n")
        return text.bytes
    }
}

// MARK: logfmt

extension LogLine {
    private static let reservedKeys: Set<String> = ["time", "level", "app", "label", "msg"]

    private func writeLogfmt(_ record: LogRecord, _ metadata: Logger.Metadata, _ text: inout LineText) {
        text.append(plain: "time=\(TimeText(wallMicroseconds: record.wallMicroseconds)) level=\(record.level) app=")
        text.append(logfmt: appName)
        text.append(plain: " label=")
        text.append(logfmt: record.label)
        text.append(plain: " msg=")
        text.append(quoted: record.message)
        writeFields(metadata, prefix: "", depth: 0, &text)
    }

    /// Dictionaries in dictionaries become keys with dots.
    private func writeFields(_ metadata: Logger.Metadata, prefix: String, depth: Int, _ text: inout LineText) {
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            if text.bytes.count > LogLine.byteCountMax { return }
            let isReserved = prefix.isEmpty && LogLine.reservedKeys.contains(key)
            let path = isReserved ? "metadata.\(key)" : prefix + key
            if case .dictionary(let nested) = value, depth < LogLine.depthMax {
                writeFields(nested, prefix: path + ".", depth: depth + 1, &text)
            } else {
                text.append(plain: " ")
                text.append(key: path)
                text.append(plain: "=")
                text.append(logfmt: LogLine.flat(value, depth: depth))
            }
        }
    }

    /// An array as JSON text.
    private static func flat(_ value: Logger.MetadataValue, depth: Int) -> String {
        switch value {
        case .string(let string): return string
        case .stringConvertible(let convertible): return "\(convertible)"
        case .array, .dictionary:
            var text = LineText()
            LogLine.writeValue(value, depth: depth, &text)
            return String(decoding: text.bytes, as: UTF8.self)
        }
    }
}

// MARK: JSON

extension LogLine {
    private func writeJSON(_ record: LogRecord, _ metadata: Logger.Metadata, _ text: inout LineText) {
        text.append(plain: "{\"time\":\"\(TimeText(wallMicroseconds: record.wallMicroseconds))\"")
        text.append(plain: ",\"level\":\"\(record.level)\",\"app\":")
        text.append(quoted: appName)
        text.append(plain: ",\"label\":")
        text.append(quoted: record.label)
        text.append(plain: ",\"message\":")
        text.append(quoted: record.message)
        if !metadata.isEmpty {
            text.append(plain: ",\"metadata\":")
            LogLine.writeObject(metadata, depth: 0, &text)
        }
        text.append(plain: "}")
    }

    private static func writeObject(_ metadata: Logger.Metadata, depth: Int, _ text: inout LineText) {
        text.append(plain: "{")
        var separator = ""
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) where text.bytes.count <= byteCountMax {
            text.append(plain: separator)
            text.append(quoted: key)
            text.append(plain: ":")
            writeValue(value, depth: depth + 1, &text)
            separator = ","
        }
        text.append(plain: "}")
    }

    private static func writeValue(_ value: Logger.MetadataValue, depth: Int, _ text: inout LineText) {
        guard depth <= depthMax else { return text.append(quoted: "left out: nested too deep") }
        switch value {
        case .string(let string): text.append(quoted: string)
        case .stringConvertible(let convertible): writeConvertible(convertible, &text)
        case .dictionary(let nested): writeObject(nested, depth: depth, &text)
        case .array(let values): writeArray(values, depth: depth, &text)
        }
    }

    private static func writeArray(_ values: [Logger.MetadataValue], depth: Int, _ text: inout LineText) {
        text.append(plain: "[")
        var separator = ""
        for value in values where text.bytes.count <= byteCountMax {
            text.append(plain: separator)
            writeValue(value, depth: depth + 1, &text)
            separator = ","
        }
        text.append(plain: "]")
    }

    /// Numbers and truth values stay what they are.
    private static func writeConvertible(_ value: any CustomStringConvertible & Sendable, _ text: inout LineText) {
        switch value {
        case let number as any BinaryInteger: text.append(plain: "\(number)")
        case let truth as Bool: text.append(plain: truth ? "true" : "false")
        case let number as Double where number.isFinite: text.append(plain: "\(number)")
        default: text.append(quoted: "\(value)")
        }
    }
}
