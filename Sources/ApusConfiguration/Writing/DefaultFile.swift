// The file that `apus config default` prints: every option with its default, commented out, so that what is not changed
// follows the defaults of the version that reads it.

public enum DefaultFile {
    private static let width = 78

    public static var text: String {
        let sections = Section.allCases.filter { $0 != .listener }.map(section)
        return ([heading, listener] + sections).joined(separator: "\n\n") + "\n"
    }

    private static let heading = """
        # The configuration of Apus. Each line that begins with #key = shows a default;
        # remove the # and change the value. What is left out keeps its default.
        #
        # The order is: defaults, this file, the environment (APUS_SECTION_KEY), flags.
        # Durations are "250ms", "5s", "2m", "1h", or a bare number of milliseconds;
        # sizes are bytes, or "64KiB", "16MiB", "1GiB". Check a change before it is
        # used: apus check --config FILE. Every option in detail: apus config docs.
        """

    private static let listener: String = {
        var lines = comment(Section.listener.summary) + ["#"]
        lines += ["#[[listener]]"]
        lines += ListenerKeys.own.flatMap(listenerEntry)
        return lines.joined(separator: "\n")
    }()

    private static func section(_ section: Section) -> String {
        let options = OptionTable.options(of: section)
        return (comment(section.summary) + ["[\(section.rawValue)]"] + options.flatMap(entry)).joined(separator: "\n")
    }

    private static func entry(_ option: OptionRow) -> [String] {
        let summary = comment(option.summary + " \(option.boundsSentence)Changed by a reload: \(option.reload.words).")
        return [""] + summary + ["#\(option.name) = \(option.exampleText)"]
    }

    /// A listener's options have no defaults worth showing alone: an example is a whole listener.
    private static func listenerEntry(_ option: OptionRow) -> [String] {
        let examples = ["address": "\"127.0.0.1:9000\"", "security": "\"handshake\""]
        return comment(option.summary) + ["#\(option.name) = \(examples[option.name] ?? option.standard.toml)"]
    }

    private static func comment(_ text: String) -> [String] {
        Paragraph.lines(text, width: width - 2).map { "# \($0)" }
    }
}

extension OptionRow {
    /// The default, or where there is none what a value would look like.
    var exampleText: String {
        guard standard == .none else { return standard.toml }
        switch kind {
        case .file: return "\"/etc/apus/\(name)\""
        case .url: return "\"http://127.0.0.1:4318/v1/metrics\""
        case .relayURL: return "\"rels://relay.example.com:443\""
        case .flag, .integer, .integerOrAuto, .duration, .durationOrOff, .byteCount, .choice, .text, .address,
            .addressOrOff, .texts, .integerOrOff, .byteCountOrOff:
            return "\"\""
        }
    }

    /// `1 to 256. `, or empty where there is nothing that the value does not show.
    var boundsSentence: String {
        switch kind {
        case .integer(let bounds), .integerOrAuto(let bounds), .integerOrOff(let bounds): "\(bounds.words). "
        case .byteCount(let bounds), .byteCountOrOff(let bounds):
            "\(ByteCountText.write(bounds.lowerBound)) to \(ByteCountText.write(bounds.upperBound)). "
        case .duration(let bounds), .durationOrOff(let bounds): "\(bounds.words). "
        case .choice(let choices): "One of \(choices.joined(separator: ", ")). "
        case .flag, .text, .file, .address, .addressOrOff, .url, .relayURL, .texts: ""
        }
    }
}

extension ReloadClass {
    /// For the documents.
    public var words: String {
        switch self {
        case .live: "at once"
        case .newConnections: "for new connections"
        case .restart: "no, it needs a restart"
        case .eachRun: "read by each run of a client verb"
        }
    }
}
