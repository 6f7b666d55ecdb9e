// What a check found: a verdict, what was seen, and how to mend it. It knows neither terminals nor files.

package enum Verdict: String, CaseIterable, Encodable, Sendable {
    case ok
    /// It serves, and less or worse than it is meant to.
    case warning
    /// It does not start, or cannot do what it is asked to.
    case failure
    /// It could not be looked at, which is not held against the host.
    case unknown
}

/// How a finding is mended, ready to be pasted.
package enum Fix: Equatable, Sendable {
    /// For a shell.
    case command(String)
    /// A line for a file, which stays in force after the next boot.
    case line(String, file: String)
    /// What no shell can do, in words.
    case step(String)
}

extension Fix: Encodable {
    private enum CodingKeys: String, CodingKey {
        case kind, text, file
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        switch self {
        case .command(let text):
            try container.encode("command", forKey: .kind)
            try container.encode(text, forKey: .text)
        case .line(let text, let file):
            try container.encode("line", forKey: .kind)
            try container.encode(text, forKey: .text)
            try container.encode(file, forKey: .file)
        case .step(let text):
            try container.encode("step", forKey: .kind)
            try container.encode(text, forKey: .text)
        }
    }
}

package struct Finding: Equatable, Encodable, Sendable {
    /// One word, the same in every run: scripts select by it.
    package let name: String
    package let verdict: Verdict
    /// What was seen, and against what it was held.
    package let seen: String
    package let fixes: [Fix]

    package static func ok(_ name: String, _ seen: String) -> Finding {
        Finding(name: name, verdict: .ok, seen: seen, fixes: [])
    }

    package static func warning(_ name: String, _ seen: String, _ fixes: [Fix]) -> Finding {
        Finding(name: name, verdict: .warning, seen: seen, fixes: fixes)
    }

    package static func failure(_ name: String, _ seen: String, _ fixes: [Fix]) -> Finding {
        Finding(name: name, verdict: .failure, seen: seen, fixes: fixes)
    }

    package static func unknown(_ name: String, _ seen: String) -> Finding {
        Finding(name: name, verdict: .unknown, seen: seen, fixes: [])
    }
}
