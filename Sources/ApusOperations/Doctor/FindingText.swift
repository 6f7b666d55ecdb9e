// Findings as people read them: one line each, and below those that want mending, how. It does not know what it is
// printed on.

package struct FindingText {
    private let findings: [Finding]
    private let isColoured: Bool

    package init(_ findings: [Finding], isColoured: Bool) {
        self.findings = findings
        self.isColoured = isColoured
    }

    package var lines: [String] { findings.flatMap(lines(of:)) + [summary] }

    private func lines(of finding: Finding) -> [String] {
        let name = padded(finding.name, to: nameWidth)
        let verdict = coloured(padded(finding.verdict.rawValue, to: FindingText.verdictWidth), for: finding.verdict)
        return ["\(verdict)  \(name)  \(finding.seen)"] + finding.fixes.map(line(of:))
    }

    private func line(of fix: Fix) -> String {
        let indentation = String(repeating: " ", count: FindingText.verdictWidth + 2)
        return switch fix {
        case .command(let text): "\(indentation)run: \(text)"
        case .line(let text, let file): "\(indentation)in \(file): \(text)"
        case .step(let text): "\(indentation)do: \(text)"
        }
    }

    private var summary: String {
        let counts = Verdict.allCases.compactMap { verdict -> String? in
            let count = findings.count(of: verdict)
            return count > 0 ? "\(count) \(verdict.noun(for: count))" : nil
        }
        return "\(counted(findings.count, "check")): \(counts.joined(separator: ", "))"
    }

    private static let verdictWidth = Verdict.allCases.map(\.rawValue.count).max() ?? 0

    private var nameWidth: Int { findings.map(\.name.count).max() ?? 0 }

    private func padded(_ text: String, to width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private func coloured(_ text: String, for verdict: Verdict) -> String {
        isColoured ? "\u{1B}[\(verdict.colour)m\(text)\u{1B}[0m" : text
    }
}

extension Verdict {
    fileprivate func noun(for count: Int) -> String {
        switch self {
        case .ok, .unknown: rawValue
        case .warning, .failure: count == 1 ? rawValue : "\(rawValue)s"
        }
    }

    /// Of ECMA-48's "select graphic rendition".
    fileprivate var colour: String {
        switch self {
        case .ok: "32"
        case .warning: "33"
        case .failure: "1;31"
        case .unknown: "2"
        }
    }
}
