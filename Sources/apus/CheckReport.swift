// What `apus check` found, as text and as JSON.

import ApusConfiguration

struct CheckReport: Encodable {
    let file: String?
    var problems: [Problem]
    var addresses: [AddressCheck] = []
    /// Nil where the configuration could not be used so far.
    var limits: LimitSums?
    var digest: String?
    var settings: [ShownSetting] = []

    init(file: String?, problems: [Problem]) {
        self.file = file
        self.problems = problems
    }

    var errors: [Problem] { problems.filter { $0.severity == .error } }

    /// What was found in order; what is wrong goes elsewhere.
    var text: String {
        let places = addresses.filter { !$0.isUnusable }.map(\.sentence)
        return (places + (limits?.lines ?? []) + ["digest \(digest ?? "")", verdict]).joined(separator: "\n")
    }

    private var verdict: String {
        let warnings = problems.count - errors.count
        let bad = errors.count + addresses.count(where: \.isUnusable)
        let name = file ?? "the configuration"
        if bad > 0 { return "\(name): \(bad == 1 ? "1 error" : "\(bad) errors")" }
        return warnings == 0 ? "\(name): ok" : "\(name): ok, \(warnings == 1 ? "1 warning" : "\(warnings) warnings")"
    }

    // MARK: JSON

    private struct ShownProblem: Encodable {
        let severity, origin, path, reason: String
    }

    enum CodingKeys: String, CodingKey {
        case kind, file, ok, problems, addresses, limits, digest, settings
    }

    func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: CodingKeys.self)
        try object.encode("check", forKey: .kind)
        try object.encodeIfPresent(file, forKey: .file)
        try object.encode(errors.isEmpty && !addresses.contains(where: \.isUnusable), forKey: .ok)
        let shown = problems.map { problem in
            ShownProblem(
                severity: problem.severity.rawValue, origin: problem.origin.description, path: problem.path,
                reason: problem.reason)
        }
        try object.encode(shown, forKey: .problems)
        try object.encode(addresses, forKey: .addresses)
        try object.encodeIfPresent(limits, forKey: .limits)
        try object.encodeIfPresent(digest, forKey: .digest)
        try object.encode(settings, forKey: .settings)
    }
}
