// What the tests of this module share: reading a text as if it were a file, and a seeded source of chance.

import ApusConfiguration
import Foundation
import TestSupport

/// `text` as apus.toml, with what is wrong.
func read(
    _ text: String, environment: [String: String] = [:], overrides: Overrides = Overrides()
) throws -> (configuration: Configuration, problems: [Problem]) {
    let folder = try TemporaryFolder()
    let path = folder.file("apus.toml")
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    let found = ConfigurationSources(file: path, environment: environment, overrides: overrides).read()
    // The folder's name is another in each run.
    return (found.configuration, found.problems.map { $0.relative(to: folder.path + "/") })
}

extension Problem {
    fileprivate func relative(to folder: String) -> Problem {
        guard case .file(let path, let line) = origin else { return self }
        let place = Origin.file(path: path.replacing(folder, with: ""), line: line)
        return Problem(severity, place, self.path, reason.replacing(folder, with: ""))
    }
}

extension [Problem] {
    var texts: [String] { map(\.description) }
    var errors: [Problem] { filter { $0.severity == .error } }
}
