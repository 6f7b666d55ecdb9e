// Where a verb's configuration comes from: a file, the environment, and the flags that it is given.

import ApusConfiguration
import ArgumentParser
import Foundation

struct ConfigurationArguments: ParsableArguments {
    @Option(help: "The configuration file, TOML. (default: what the variable APUS_CONFIG names, or none)")
    var config: String?

    func sources(_ overrides: Overrides = Overrides()) -> ConfigurationSources {
        let environment = ProcessInfo.processInfo.environment
        let variable = environment["APUS_CONFIG"].flatMap { $0.isEmpty ? nil : $0 }
        return ConfigurationSources(file: config ?? variable, environment: environment, overrides: overrides)
    }
}

extension Key {
    /// For the flag that sets it.
    var help: ArgumentHelp {
        let standard = option.standard
        let text = standard == .none || standard == .texts([]) ? "" : " (default: \(unquoted(standard.toml)))"
        return ArgumentHelp(stringLiteral: option.summary + text)
    }

    private func unquoted(_ text: String) -> String { text.filter { $0 != "\"" } }
}

extension Failure {
    /// Each problem on a line of its own.
    init(_ problems: [Problem]) {
        self.init(.invalidConfiguration, problems.map { "apus: \($0)" }.joined(separator: "\n"))
    }
}
