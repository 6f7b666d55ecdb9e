// Why TLS cannot be set up. What goes wrong on a connection is a `TLSFailure`.

public struct TLSConfigurationError: Error, Equatable, Sendable {
    /// The setting, and the file it names: `private key (node.key)`.
    public let subject: String
    /// What is wrong and what to do, one sentence each mistake.
    public let problems: [String]

    init(_ subject: String, _ problem: String) {
        self.subject = subject
        problems = [problem]
    }

    init(_ problems: [String]) {
        subject = "TLS settings"
        self.problems = problems
    }
}

extension TLSConfigurationError: CustomStringConvertible {
    public var description: String { "\(subject): \(problems.joined(separator: "; "))" }
}
