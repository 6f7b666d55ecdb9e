// A value as it is written in a file. It knows no option.

extension SettingValue {
    /// As TOML; empty for what is not set.
    public var toml: String {
        switch self {
        case .none: ""
        case .off: "\"off\""
        case .auto: "\"auto\""
        case .flag(let flag): "\(flag)"
        case .integer(let integer): "\(integer)"
        case .duration(let duration): "\"\(DurationText.write(duration))\""
        case .byteCount(let byteCount):
            ByteCountText.write(byteCount) == "\(byteCount)" ? "\(byteCount)" : "\"\(ByteCountText.write(byteCount))\""
        case .text(let text): SettingValue.quoted(text)
        case .texts(let texts): "[\(texts.map(SettingValue.quoted).joined(separator: ", "))]"
        }
    }

    /// A basic string, with what must not stand in one escaped.
    static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\t": quoted += "\\t"
            case "\r": quoted += "\\r"
            case "\u{00}"..."\u{1F}", "\u{7F}": quoted += "\\u" + fourDigits(scalar.value)
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }

    private static func fourDigits(_ value: UInt32) -> String {
        let digits = String(value, radix: 16, uppercase: true)
        return String(repeating: "0", count: 4 - digits.count) + digits
    }
}

extension OptionRow {
    /// What may be shown of a value.
    func shown(_ value: SettingValue) -> String {
        guard isSecret, value != .none else { return value.toml }
        return "\"***\""
    }
}

/// Prose in lines of a terminal's or a man page's width.
enum Paragraph {
    static func lines(_ text: String, width: Int) -> [String] {
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ") {
            if !line.isEmpty, line.count + 1 + word.count > width {
                lines.append(line)
                line = ""
            }
            line += line.isEmpty ? String(word) : " \(word)"
        }
        return line.isEmpty ? lines : lines + [line]
    }
}
