// A row of the option table whose value has a Swift type, so that a reader cannot take a duration for a number.

/// `configuration[ServerKeys.maxConnections]` is an `Int`.
public struct Key<Content: Sendable>: Sendable {
    public let option: OptionRow
    private let convert: @Sendable (SettingValue) -> Content?

    init(_ option: OptionRow, _ convert: @escaping @Sendable (SettingValue) -> Content?) {
        self.option = option
        self.convert = convert
    }

    /// Values are checked against the option's kind before they are stored, so a mismatch is a mistake in the table.
    func content(of value: SettingValue) -> Content {
        guard let content = convert(value) else {
            preconditionFailure("\(option.path) holds \(value), which its kind does not allow")
        }
        return content
    }
}

/// What most rows leave as it is.
struct OptionTraits {
    var flag: String?
    var isSecret = false
    var earlierEnvironment: [String] = []
}

extension OptionRow {
    init(
        _ path: String, _ kind: OptionKind, _ standard: SettingValue, _ reload: ReloadClass, _ traits: OptionTraits,
        _ summary: String
    ) {
        let parts = path.split(separator: ".", maxSplits: 1).map(String.init)
        guard parts.count == 2, let section = Section(rawValue: parts[0]) else {
            preconditionFailure("\(path) is no path of an option: write section.name")
        }
        self.init(
            section: section, name: parts[1], kind: kind, standard: standard, reload: reload, flag: traits.flag,
            summary: summary, isSecret: traits.isSecret, earlierEnvironment: traits.earlierEnvironment)
    }
}

// MARK: Rows by type

extension Key where Content == Bool {
    static func flag(
        _ path: String, _ standard: Bool, _ reload: ReloadClass, traits: OptionTraits = .init(), _ summary: String
    ) -> Key {
        Key(OptionRow(path, .flag, .flag(standard), reload, traits, summary)) {
            if case .flag(let flag) = $0 { flag } else { nil }
        }
    }
}

extension Key where Content == Int {
    static func integer(
        _ path: String, _ standard: Int, in bounds: ClosedRange<Int>, _ reload: ReloadClass,
        traits: OptionTraits = .init(), _ summary: String
    ) -> Key {
        Key(OptionRow(path, .integer(bounds), .integer(standard), reload, traits, summary)) {
            if case .integer(let integer) = $0 { integer } else { nil }
        }
    }

    static func byteCount(
        _ path: String, _ standard: Int, in bounds: ClosedRange<Int>, _ reload: ReloadClass,
        traits: OptionTraits = .init(), _ summary: String
    ) -> Key {
        Key(OptionRow(path, .byteCount(bounds), .byteCount(standard), reload, traits, summary)) {
            if case .byteCount(let byteCount) = $0 { byteCount } else { nil }
        }
    }
}

extension Key where Content == Int? {
    /// Nil: found out when it is needed.
    static func integerOrAuto(
        _ path: String, in bounds: ClosedRange<Int>, _ reload: ReloadClass, traits: OptionTraits = .init(),
        _ summary: String
    ) -> Key {
        Key(OptionRow(path, .integerOrAuto(bounds), .auto, reload, traits, summary)) {
            if case .integer(let integer) = $0 { integer } else { $0 == .auto ? .some(nil) : nil }
        }
    }
}

extension Key where Content == Int? {
    /// Nil: off.
    static func integerOrOff(
        _ path: String, _ standard: Int?, in bounds: ClosedRange<Int>, _ reload: ReloadClass,
        traits: OptionTraits = .init(), _ summary: String
    ) -> Key {
        let value = standard.map { SettingValue.integer($0) } ?? .off
        return Key(OptionRow(path, .integerOrOff(bounds), value, reload, traits, summary)) {
            if case .integer(let integer) = $0 { integer } else { $0 == .off ? .some(nil) : nil }
        }
    }

    /// Nil: off.
    static func byteCountOrOff(
        _ path: String, _ standard: Int?, in bounds: ClosedRange<Int>, _ reload: ReloadClass,
        traits: OptionTraits = .init(), _ summary: String
    ) -> Key {
        let value = standard.map { SettingValue.byteCount($0) } ?? .off
        return Key(OptionRow(path, .byteCountOrOff(bounds), value, reload, traits, summary)) {
            if case .byteCount(let byteCount) = $0 { byteCount } else { $0 == .off ? .some(nil) : nil }
        }
    }
}

extension Key where Content == Duration {
    static func duration(
        _ path: String, _ standard: Duration, in bounds: ClosedRange<Duration> = .sensible, _ reload: ReloadClass,
        traits: OptionTraits = .init(), _ summary: String
    ) -> Key {
        Key(OptionRow(path, .duration(bounds), .duration(standard), reload, traits, summary)) {
            if case .duration(let duration) = $0 { duration } else { nil }
        }
    }
}

extension Key where Content == Duration? {
    /// Nil: off.
    static func durationOrOff(
        _ path: String, _ standard: Duration?, in bounds: ClosedRange<Duration> = .sensible, _ reload: ReloadClass,
        traits: OptionTraits = .init(), _ summary: String
    ) -> Key {
        let value = standard.map { SettingValue.duration($0) } ?? .off
        return Key(OptionRow(path, .durationOrOff(bounds), value, reload, traits, summary)) {
            if case .duration(let duration) = $0 { duration } else { $0 == .off ? .some(nil) : nil }
        }
    }
}

extension Key where Content == String {
    static func text(
        _ path: String, _ kind: OptionKind, _ standard: String, _ reload: ReloadClass,
        traits: OptionTraits = .init(), _ summary: String
    ) -> Key {
        Key(OptionRow(path, kind, .text(standard), reload, traits, summary)) {
            if case .text(let text) = $0 { text } else { nil }
        }
    }
}

extension Key where Content == String? {
    /// Nil: none, or off.
    static func optionalText(
        _ path: String, _ kind: OptionKind, standard: SettingValue = .none, _ reload: ReloadClass,
        traits: OptionTraits = .init(), _ summary: String
    ) -> Key {
        Key(OptionRow(path, kind, standard, reload, traits, summary)) {
            switch $0 {
            case .text(let text): .some(text)
            case .none, .off: .some(nil)
            case .auto, .flag, .integer, .duration, .byteCount, .texts: nil
            }
        }
    }
}

extension Key where Content == [String] {
    static func texts(
        _ path: String, _ elements: ElementKind, _ reload: ReloadClass,
        traits: OptionTraits = .init(), _ summary: String
    ) -> Key {
        Key(OptionRow(path, .texts(elements), .texts([]), reload, traits, summary)) {
            if case .texts(let texts) = $0 { texts } else { nil }
        }
    }
}

extension ClosedRange<Duration> {
    /// One millisecond to one day.
    static var sensible: ClosedRange<Duration> { .milliseconds(1) ... .seconds(86_400) }
}
