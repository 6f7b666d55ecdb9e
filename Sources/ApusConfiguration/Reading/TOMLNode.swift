// A TOML document as a Swift value. It knows no option; TOMLKit is seen in this file only.

import TOMLKit

/// One step from the root of a document to a value.
enum TOMLStep: Hashable {
    case key(String)
    case index(Int)
}

indirect enum TOMLNode: Hashable {
    case table([String: TOMLNode])
    case array([TOMLNode])
    case text(String)
    case integer(Int)
    case float(Double)
    case flag(Bool)
    /// A date, a time, or both: no option has one.
    case moment

    /// With its article, for sentences.
    var kindName: String {
        switch self {
        case .table: "a table"
        case .array: "an array"
        case .text: "a string"
        case .integer: "an integer"
        case .float: "a floating-point number"
        case .flag: "a boolean"
        case .moment: "a date or time"
        }
    }
}

/// Where a text is no TOML, and why.
struct TOMLSyntaxError: Error {
    let line: Int
    let reason: String
}

extension TOMLNode {
    /// More is no configuration.
    static let byteCountMax = 4 << 20

    /// The text's root table.
    static func parse(_ text: String, _ lines: TOMLLines) throws(TOMLSyntaxError) -> [String: TOMLNode] {
        // C would stop reading there, and what follows would be ignored in silence.
        if let zero = text.utf8.firstIndex(of: 0) {
            throw TOMLSyntaxError(line: 1 + text.utf8[..<zero].count { $0 == 0x0A }, reason: "a zero byte")
        }
        if let line = lines.nameless { throw TOMLSyntaxError(line: line, reason: "a table without a name") }
        do {
            return entries(of: try TOMLTable(string: text))
        } catch let error as TOMLParseError {
            throw TOMLSyntaxError(line: error.source.begin.line, reason: oneLine(error.description))
        } catch {
            throw TOMLSyntaxError(line: 1, reason: oneLine("\(error)"))
        }
    }

    private static func oneLine(_ text: String) -> String {
        String(text.map { $0.isNewline ? " " : $0 })
    }

    private static func entries(of table: TOMLTable) -> [String: TOMLNode] {
        var entries: [String: TOMLNode] = [:]
        // Not by its iterator, which insists on finding each key again.
        for key in table.keys {
            if let value = table[key] { entries[key] = TOMLNode(value) }
        }
        return entries
    }

    private init(_ value: TOMLValueConvertible) {
        switch value.type {
        case .table: self = .table(value.table.map(TOMLNode.entries(of:)) ?? [:])
        case .array:
            let array = value.array
            self = .array((0..<(array?.count ?? 0)).compactMap { index in array.map { TOMLNode($0[index]) } })
        case .string: self = .text(value.string ?? "")
        case .int: self = .integer(value.int ?? 0)
        case .double: self = .float(value.double ?? .nan)
        case .bool: self = .flag(value.bool ?? false)
        case .date, .time, .dateTime: self = .moment
        }
    }
}
