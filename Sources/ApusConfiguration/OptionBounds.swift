// An option's bounds in words, and whether a value lies within them. It knows no particular option.

import ApusWire

extension OptionKind {
    /// What is wanted: `an integer, 1 to 256`.
    public var shape: String {
        switch self {
        case .flag: "true or false"
        case .integer(let bounds): "an integer, \(bounds.words)"
        case .integerOrAuto(let bounds): "auto, or an integer, \(bounds.words)"
        case .integerOrOff(let bounds): "\"off\", or an integer, \(bounds.words)"
        case .duration(let bounds): "a duration such as \"250ms\", \"5s\" or milliseconds, \(bounds.words)"
        case .durationOrOff(let bounds):
            "\"off\", or a duration such as \"250ms\", \"5s\" or milliseconds, \(bounds.words)"
        case .byteCount(let bounds): "bytes, or a size such as \"64KiB\", \(bounds.words)"
        case .byteCountOrOff(let bounds): "\"off\", bytes, or a size such as \"64KiB\", \(bounds.words)"
        case .choice(let choices): "one of \(choices.map { "\"\($0)\"" }.joined(separator: ", "))"
        case .text(let counts): "a string of \(counts.words) bytes"
        case .file: "the path of a file"
        case .address(let use): use.shape
        case .addressOrOff(let use): "\"off\", or \(use.shape)"
        case .url: "an address http://HOST:PORT/PATH"
        case .relayURL: "an address: HOST:PORT, rel://HOST:PORT or rels://HOST:PORT"
        case .texts(let elements): "an array of strings: \(elements.shape)"
        }
    }

    /// What is wrong with the value; nil when nothing is.
    func problem(of value: SettingValue) -> String? {
        switch (self, value) {
        case (.integer(let bounds), .integer(let integer)), (.integerOrAuto(let bounds), .integer(let integer)),
            (.integerOrOff(let bounds), .integer(let integer)):
            bounds.contains(integer) ? nil : "\(bounds.words), found \(integer)"
        case (.byteCount(let bounds), .byteCount(let byteCount)),
            (.byteCountOrOff(let bounds), .byteCount(let byteCount)):
            bounds.contains(byteCount) ? nil : "\(bounds.words), found \(byteCount)"
        case (.duration(let bounds), .duration(let duration)), (.durationOrOff(let bounds), .duration(let duration)):
            bounds.contains(duration) ? nil : "\(bounds.words), found \(DurationText.write(duration))"
        case (.choice(let choices), .text(let text)): choiceProblem(choices, text)
        case (.text(let counts), .text(let text)):
            counts.contains(text.utf8.count) ? nil : "\(shape), found \(text.utf8.count)"
        case (.file, .text(let path)): path.isEmpty ? "names no file: write its path, or leave it out" : nil
        case (.address(let use), .text(let text)), (.addressOrOff(let use), .text(let text)):
            AddressText.problem(of: text, for: use)
        case (.url, .text(let text)): urlProblem(text)
        case (.relayURL, .text(let text)): RelayAddress.problem(of: text)
        case (.texts(let elements), .texts(let texts)): elements.problem(of: texts)
        default: nil
        }
    }

    private func choiceProblem(_ choices: [String], _ text: String) -> String? {
        guard !choices.contains(text) else { return nil }
        let hint = Suggestion.nearest(to: text, among: choices).map { ": did you mean \"\($0)\"?" } ?? ""
        return "\(shape), found \"\(text)\"\(hint)"
    }

    private func urlProblem(_ text: String) -> String? {
        let prefix = "http://"
        guard text.hasPrefix(prefix) else { return "\(shape), found \"\(text)\"" }
        let host = text.dropFirst(prefix.count).prefix { $0 != "/" }
        if host.contains("@") { return "\(shape), without a name or token before the host" }
        // Without a port it is OTLP's own, 4318.
        let hasPort = host.hasPrefix("[") ? host.contains("]:") : host.contains(":")
        return AddressText.problem(of: hasPort ? String(host) : "\(host):4318", for: .connect)
    }
}

extension AddressText.Use {
    var shape: String {
        switch self {
        case .listen: "an address: IP:PORT, [IPV6]:PORT or unix:PATH"
        case .connect: "an address: HOST:PORT, [IPV6]:PORT or unix:PATH"
        }
    }
}

extension ElementKind {
    var shape: String {
        switch self {
        case .choice(let choices): choices.joined(separator: ", ")
        case .pin: "64 hexadecimal digits each"
        case .network: "addresses, or networks such as 10.0.0.0/8 or 2001:db8::/32"
        case .hostName: "names of hosts"
        case .attribute: "NAME=VALUE each"
        case .protocolName: "1 to 255 bytes each"
        case .origin: "origins such as https://app.example.com, or same_host alone"
        }
    }

    func problem(of texts: [String]) -> String? {
        if let text = texts.first(where: { !allows($0) }) { return "\(shape), found \"\(text)\"" }
        if Set(texts).count != texts.count { return "each once" }
        if case .origin = self, texts.count > 1, texts.contains(ElementKind.sameHost) { return shape }
        return texts.count > countMax ? "at most \(countMax) of them, found \(texts.count)" : nil
    }

    /// Networks are compared one by one whenever a connection is accepted.
    private var countMax: Int {
        if case .network = self { 256 } else { 1024 }
    }

    private func allows(_ text: String) -> Bool {
        switch self {
        case .choice(let choices): choices.contains(text)
        case .pin: text.utf8.count == 64 && text.allSatisfy(\.isHexDigit)
        case .network: HostPrefix(parsing: text) != nil
        case .hostName:
            (1...253).contains(text.utf8.count) && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
        case .attribute: text.firstIndex(of: "=").map { $0 > text.startIndex } ?? false
        case .protocolName: (1...255).contains(text.utf8.count)
        case .origin: text == ElementKind.sameHost || AddressText.isOrigin(text)
        }
    }

    /// Instead of origins: the host that a request names.
    public static let sameHost = "same_host"
}

extension ClosedRange<Int> {
    var words: String { "\(lowerBound) to \(upperBound)" }
}

extension ClosedRange<Duration> {
    var words: String { "\(DurationText.write(lowerBound)) to \(DurationText.write(upperBound))" }
}
