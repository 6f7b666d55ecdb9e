// What a value must look like to be taken for an option, from a file or from a text, and its bounds. Each complaint
// says what is wanted and what was found, and never shows a secret.

import Foundation

/// Why a value was not taken. It begins behind the option's path and a colon.
struct Unreadable: Error {
    let reason: String
}

extension OptionRow {
    /// A value of a file.
    func read(_ node: TOMLNode) throws(Unreadable) -> SettingValue {
        switch (kind, node) {
        case (.flag, .flag(let flag)): return .flag(flag)
        case (.integer, .integer(let integer)), (.integerOrAuto, .integer(let integer)),
            (.integerOrOff, .integer(let integer)):
            return try checked(.integer(integer))
        case (.duration, .integer(let milliseconds)), (.durationOrOff, .integer(let milliseconds)):
            guard milliseconds >= 0 else { throw Unreadable(reason: "\(shape), found \(milliseconds)") }
            return try checked(.duration(.milliseconds(milliseconds)))
        case (.byteCount, .integer(let byteCount)), (.byteCountOrOff, .integer(let byteCount)):
            return try checked(.byteCount(byteCount))
        case (.flag, .text), (.integer, .text): throw wrong(node)
        case (.texts(let elements), .array(let nodes)): return try .texts(texts(of: nodes, elements))
        case (_, .text(let text)):
            guard !isList else { throw wrong(node) }
            return try read(text)
        default: throw wrong(node)
        }
    }

    /// A value of the environment, or of what is not a number in a file.
    func read(_ text: String) throws(Unreadable) -> SettingValue {
        switch kind {
        case .flag: .flag(try flag(text))
        case .integer: try checked(.integer(try number(text)))
        case .integerOrAuto: try text == "auto" ? .auto : checked(.integer(try number(text)))
        case .integerOrOff: try text == "off" ? .off : checked(.integer(try number(text)))
        case .duration: try checked(.duration(try duration(text)))
        case .durationOrOff: try text == "off" ? .off : checked(.duration(try duration(text)))
        case .byteCount: try checked(.byteCount(try byteCount(text)))
        case .byteCountOrOff: try text == "off" ? .off : checked(.byteCount(try byteCount(text)))
        case .addressOrOff where text == "off": .off
        case .choice, .text, .file, .address, .addressOrOff, .url, .relayURL: try checked(.text(text))
        case .texts: try checked(.texts(OptionRow.list(text)))
        }
    }

    /// The value, if it lies within the option's bounds.
    func checked(_ value: SettingValue) throws(Unreadable) -> SettingValue {
        if let reason = kind.problem(of: value) { throw Unreadable(reason: isSecret ? shape : reason) }
        return value
    }

    /// What is wanted, in words.
    private var shape: String { kind.shape }

    private var isList: Bool {
        if case .texts = kind { true } else { false }
    }

    private func wrong(_ node: TOMLNode) -> Unreadable { Unreadable(reason: "\(shape), found \(node.kindName)") }

    private func wrong(_ text: String) -> Unreadable {
        Unreadable(reason: isSecret ? shape : "\(shape), found \"\(text)\"")
    }

    private func texts(of nodes: [TOMLNode], _ elements: ElementKind) throws(Unreadable) -> [String] {
        var texts: [String] = []
        for node in nodes {
            guard case .text(let text) = node else {
                throw Unreadable(reason: "\(shape), found \(node.kindName) in it")
            }
            texts.append(text)
        }
        _ = try checked(.texts(texts))
        return texts
    }

    private func flag(_ text: String) throws(Unreadable) -> Bool {
        switch text.lowercased() {
        case "true", "1", "yes", "on": true
        case "false", "0", "no", "off": false
        default: throw wrong(text)
        }
    }

    private func number(_ text: String) throws(Unreadable) -> Int {
        guard let number = Int(text) else { throw wrong(text) }
        return number
    }

    private func duration(_ text: String) throws(Unreadable) -> Duration {
        guard let duration = DurationText.read(text) else { throw wrong(text) }
        return duration
    }

    private func byteCount(_ text: String) throws(Unreadable) -> Int {
        guard let byteCount = ByteCountText.read(text) else { throw wrong(text) }
        return byteCount
    }

    /// Elements between commas, as an environment variable has them.
    private static func list(_ text: String) -> [String] {
        text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
    }
}
