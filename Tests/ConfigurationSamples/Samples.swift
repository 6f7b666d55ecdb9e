// A value for every option that is not its default, one that is out of bounds, and one of another type. They come from
// the option's kind, so that an option that is added is tested without anybody thinking of it.

import ApusConfiguration

extension OptionRow {
    /// As TOML, and as a variable says it. Nil where the kind has but one value.
    package var sample: (toml: String, text: String) {
        switch kind {
        case .flag: ("\(standard != .flag(true))", "\(standard != .flag(true))")
        case .integer(let bounds), .integerOrAuto(let bounds), .integerOrOff(let bounds): number(bounds)
        case .byteCount(let bounds), .byteCountOrOff(let bounds): number(bounds)
        case .duration(let bounds), .durationOrOff(let bounds):
            standard == .duration(bounds.lowerBound) ? ("\"2s\"", "2s") : milliseconds(bounds.lowerBound)
        case .choice(let choices): quoted(choices.first { .text($0) != standard } ?? "")
        case .text: quoted("sixteen-and-more-bytes")
        case .file: quoted("/nonexistent/\(name)")
        case .address, .addressOrOff: quoted("127.0.0.1:4711")
        case .url: quoted("http://127.0.0.1:4318/v1/metrics")
        case .relayURL: quoted("rels://relay.example.com:443")
        case .texts(.choice(let choices)): list(choices.last ?? "")
        case .texts(.pin): list(String(repeating: "ab", count: 32))
        case .texts(.attribute): list("service.name=edge")
        case .texts(.network): list("10.0.0.0/8")
        case .texts(.hostName): list("edge.example")
        case .texts(.protocolName): list("npro")
        case .texts(.origin): list("https://app.example.com")
        }
    }

    private func number(_ bounds: ClosedRange<Int>) -> (String, String) {
        let isLowest = standard == .integer(bounds.lowerBound) || standard == .byteCount(bounds.lowerBound)
        let value = bounds.lowerBound + (isLowest ? 1 : 0)
        return ("\(value)", "\(value)")
    }

    private func milliseconds(_ duration: Duration) -> (String, String) {
        let text = "\(duration / .milliseconds(1))".split(separator: ".")[0]
        return (String(text), String(text))
    }

    private func quoted(_ text: String) -> (String, String) { ("\"\(text)\"", text) }

    private func list(_ text: String) -> (String, String) { ("[\"\(text)\"]", text) }

    /// TOML of its type beyond its bounds; nil where it has none.
    package var outOfBounds: String? {
        switch kind {
        case .integer(let bounds), .integerOrAuto(let bounds), .integerOrOff(let bounds), .byteCount(let bounds),
            .byteCountOrOff(let bounds):
            "\(bounds.upperBound + 1)"
        case .duration(let bounds), .durationOrOff(let bounds): "\"\(Int(bounds.upperBound / .seconds(1)) + 1)s\""
        case .choice: "\"no such choice\""
        case .text(let counts): "\"\(String(repeating: "x", count: counts.upperBound + 1))\""
        case .file: "\"\""
        case .address, .addressOrOff: "\"localhost\""
        case .url: "\"ftp://127.0.0.1:1\""
        case .relayURL: "\"http://relay.example.com\""
        case .texts(.choice): "[\"no such choice\"]"
        case .texts(.pin): "[\"abc\"]"
        case .texts(.attribute): "[\"no equals sign\"]"
        case .texts(.protocolName), .texts(.hostName): "[\"\"]"
        case .texts(.network): "[\"10.0.0.1/8\"]"
        case .texts(.origin): "[\"app.example.com\"]"
        case .flag: nil
        }
    }

    /// TOML that no option of its kind takes.
    package var wrongType: String {
        switch kind {
        case .flag, .integer, .integerOrAuto, .integerOrOff, .duration, .durationOrOff, .byteCount, .byteCountOrOff,
            .choice, .text, .file, .address, .addressOrOff, .url, .relayURL:
            "[1, 2]"
        case .texts: "true"
        }
    }

    /// A file in which the option stands in the third line.
    package func file(_ toml: String) -> String {
        let header = section == .listener ? "[[listener]]" : "[\(section.rawValue)]"
        return "# \(path)\n\(header)\n\(name) = \(toml)\n"
    }
}
