// What a record looks like, against lines written by hand; and that whatever is logged, one line comes out, in valid
// UTF-8.

import Foundation
import Logging
import Testing

@testable import ApusLogging

struct LineTests {
    /// 2026-11-21T17:40:00.123456Z
    static let moment: Int64 = 1_795_282_800_123_456

    private func line(
        _ format: LogFormat, _ message: String, _ metadata: Logger.Metadata = [:], level: Logger.Level = .info
    ) -> String {
        let record = LogRecord(at: LineTests.moment, level, label: "apus.server", message, metadata)
        return String(decoding: LogLine(format: format, appName: "edge-1").bytes(of: record), as: UTF8.self)
    }

    private func object(_ message: String, _ metadata: Logger.Metadata = [:]) throws -> [String: Any] {
        let bytes = Data(line(.json, message, metadata).utf8)
        return try #require(try JSONSerialization.jsonObject(with: bytes) as? [String: Any])
    }

    @Test func logfmtIsWrittenAsByHand() {
        let metadata: Logger.Metadata = [
            "reason": "connection_limit", "peer": "127.0.0.1:4000", "count": .stringConvertible(3),
            "note": "two words", "empty": "", "nested": ["a": "1", "b": ["c": "x=y"]], "list": ["p", "q r"],
        ]
        #expect(
            line(.logfmt, "connection refused", metadata, level: .warning)
                == "time=2026-11-21T17:40:00.123456Z level=warning app=edge-1 label=apus.server"
                + " msg=\"connection refused\" count=3 empty=\"\" list=\"[\\\"p\\\",\\\"q r\\\"]\" nested.a=1"
                + " nested.b.c=\"x=y\" note=\"two words\" peer=127.0.0.1:4000 reason=connection_limit\n")
    }

    @Test func jsonIsWrittenAsByHand() {
        let metadata: Logger.Metadata = [
            "reason": "connection_limit", "count": .stringConvertible(3), "ratio": .stringConvertible(0.5),
            "isLast": .stringConvertible(true), "nested": ["a": "1"], "list": ["p", .stringConvertible(2)],
        ]
        #expect(
            line(.json, "connection refused", metadata, level: .warning)
                == #"{"time":"2026-11-21T17:40:00.123456Z","level":"warning","app":"edge-1","label":"apus.server","#
                + #""message":"connection refused","metadata":{"count":3,"isLast":true,"list":["p",2],"#
                + #""nested":{"a":"1"},"ratio":0.5,"reason":"connection_limit"}}"# + "\n")
        #expect(line(.json, "bare").hasSuffix(#""message":"bare"}"# + "\n"))
    }

    @Test(arguments: [
        "", "plain", "quote \" backslash \\ slash /", "line\nbreak\r\n", "tab\t bell\u{7} null\u{0} escape\u{1B}[31m",
        "delete\u{7F} csi\u{9B}2J", "separators \u{2028}\u{2029}", "turned \u{202E}txt.exe", "umläut 日本 🦅",
        "time=x level=critical", "{\"level\":\"critical\"}", String(repeating: "ä", count: 3000),
    ])
    func everyTextComesBackFromJSON(_ text: String) throws {
        let line = line(.json, text, [text: .string(text)])
        #expect(line.dropLast().allSatisfy { !$0.isNewline })
        #expect(line.hasSuffix("\n"))
        let object = try object(text, [text: .string(text)])
        guard text.utf8.count <= LineText.textByteCountMax else {
            let message = try #require(object["message"] as? String)
            #expect(message.hasSuffix("…[+\(text.utf8.count - LineText.textByteCountMax) bytes]"))
            return
        }
        #expect(object["message"] as? String == text)
        #expect(object["metadata"] as? [String: String] == [text: text])
    }

    /// A terminal that shows the log obeys nothing that is in it.
    @Test(arguments: [LogFormat.json, .logfmt])
    func noControlIsWrittenAsItIs(_ format: LogFormat) {
        let controls = (0...0x9F).compactMap { Unicode.Scalar($0) }.filter { $0.value < 0x20 || $0.value >= 0x7F }
        let text = String(String.UnicodeScalarView(controls))
        let line = line(format, text, ["key\n=\"\u{1B}": .string(text)])
        #expect(line.dropLast().unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) })
    }

    @Test func bytesThatAreNoUTF8AreReplaced() throws {
        let text = String(decoding: [0x61, 0xFF, 0xC3, 0x28, 0xED, 0xA0, 0x80, 0x62] as [UInt8], as: UTF8.self)
        let message = try #require(try object(text)["message"] as? String)
        #expect(message.hasPrefix("a\u{FFFD}") && message.hasSuffix("b"))
    }

    @Test func aKeyOfMetadataCannotPoseAsAField() {
        let line = line(.logfmt, "m", ["level": "critical", "time": "never", "a b": "1", "": "2"])
        #expect(line.contains(" metadata.level=critical") && line.contains(" metadata.time=never"))
        #expect(line.contains(" a_b=1") && line.contains(" _=2"))
        #expect(line.contains(" level=info "))
    }

    @Test(arguments: [LogFormat.json, .logfmt])
    func aLineHasALimit(_ format: LogFormat) throws {
        let value = Logger.MetadataValue.string(String(repeating: "v", count: 4000))
        let wide = Logger.Metadata(uniqueKeysWithValues: (0..<100).map { ("k\($0)", value) })
        let line = line(format, "wide", wide)
        #expect(line.utf8.count < 1000)
        #expect(line.contains("left out: too long"))
    }

    @Test(arguments: [LogFormat.json, .logfmt])
    func nestingHasALimit(_ format: LogFormat) throws {
        var value: Logger.MetadataValue = "bottom"
        for _ in 0..<1000 { value = ["deeper": value, "list": [value.isBottom ? value : "x"]] }
        let line = line(format, "deep", ["root": value])
        #expect(line.contains("left out: nested too deep"))
        if format == .json { _ = try JSONSerialization.jsonObject(with: Data(line.utf8)) }
    }

    /// Whatever is thrown at it, one valid line comes out. The seed is printed.
    @Test func randomRecordsAreValidLines() throws {
        let seed = UInt64.random(in: .min ... .max)
        print("random log lines: seed \(seed)")
        var generator = SplitMix(state: seed)
        for _ in 0..<500 {
            let (message, key, value) = (generator.text(), generator.text(), generator.text())
            let object = try object(message, [key: .string(value), "list": [.string(value), ["k": .string(key)]]])
            #expect(object["message"] as? String == message)
            let metadata = try #require(object["metadata"] as? [String: Any])
            #expect(
                metadata[key] as? String == value || key == "list",
                "seed \(seed): \(key.debugDescription): \(value.debugDescription)")
            let flat = line(.logfmt, message, [key: .string(value)])
            #expect(Logfmt.fields(flat)?["msg"] == message, "seed \(seed): \(flat)")
        }
    }
}

extension Logger.MetadataValue {
    fileprivate var isBottom: Bool { self == "bottom" }
}

/// A reader of logfmt that shares nothing with the writer. It goes by bytes: characters may join across a quote.
enum Logfmt {
    /// Nil when the line is malformed.
    static func fields(_ line: String) -> [String: String]? {
        guard line.utf8.last == UInt8(ascii: "\n") else { return nil }
        var rest = Array(line.utf8.dropLast())[...]
        var fields: [String: String] = [:]
        while !rest.isEmpty {
            guard let equals = rest.firstIndex(of: UInt8(ascii: "=")) else { return nil }
            let key = String(decoding: rest[..<equals], as: UTF8.self)
            rest = rest[(equals + 1)...]
            guard let value = rest.first == UInt8(ascii: "\"") ? quoted(&rest) : bare(&rest) else { return nil }
            fields[key] = value
            if rest.first == UInt8(ascii: " ") { rest = rest.dropFirst() }
        }
        return fields
    }

    private static func bare(_ rest: inout ArraySlice<UInt8>) -> String? {
        let value = rest.prefix { $0 != UInt8(ascii: " ") }
        rest = rest[value.endIndex...]
        return value.contains(UInt8(ascii: "\"")) ? nil : String(decoding: value, as: UTF8.self)
    }

    /// A quoted value is a string of JSON.
    private static func quoted(_ rest: inout ArraySlice<UInt8>) -> String? {
        var isEscaped = false
        for index in rest.indices.dropFirst() {
            if rest[index] == UInt8(ascii: "\""), !isEscaped {
                let text = Data(rest[...index])
                rest = rest[(index + 1)...]
                return unescaped(text)
            }
            isEscaped = rest[index] == UInt8(ascii: "\\") && !isEscaped
        }
        return nil
    }

    private static func unescaped(_ text: Data) -> String? {
        do {
            return try JSONDecoder().decode(String.self, from: text)
        } catch {
            return nil
        }
    }
}

/// Reproducible randomness.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        // Wraps: that is the generator (Steele, Lea, Flood: "Fast splittable pseudorandom number generators").
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// Any scalars, many of them awkward.
    mutating func text() -> String {
        let awkward: [Unicode.Scalar] = [
            "\"", "\\", "\n", "\r", "\t", "\0", "\u{1B}", "\u{9B}", "=", " ", "{", "\u{2028}",
        ]
        var text = ""
        for _ in 0..<Int.random(in: 0..<40, using: &self) {
            if Bool.random(using: &self) {
                text.unicodeScalars.append(awkward[Int.random(in: 0..<awkward.count, using: &self)])
            } else if let scalar = Unicode.Scalar(UInt32.random(in: 0...0x10FFFF, using: &self)) {
                // JSONSerialization takes U+FEFF behind an escaped character for a byte order mark, and drops it.
                text.unicodeScalars.append(scalar == "\u{FEFF}" ? "?" : scalar)
            }
        }
        return text
    }
}
