// One key of the option table, and what can be seen of it from outside the configuration: for each of two or more
// values, what a server or a client that was given it does.

import ApusConfiguration
import TestSupport
import Testing

struct KeyEffect: Sendable, CustomTestStringConvertible {
    typealias Probe = @Sendable (Scene) async throws -> String

    struct Case: Sendable {
        let toml: String
        let seen: String
    }

    let option: OptionRow
    let cases: [Case]
    private let surroundings: [(path: String, toml: String)]
    private let probe: Probe

    /// - Parameters:
    ///   - cases: TOML, in which `$/` is the test's folder, and what the probe must see.
    ///   - given: other keys, with which this one counts; an empty text leaves out one of the scene's own.
    ///   - probe: starts what reads the key, and says what it saw. It may block.
    init<Content>(
        _ key: Key<Content>, _ cases: KeyValuePairs<String, String>, given: KeyValuePairs<String, String> = [:],
        probe: @escaping Probe
    ) {
        self.init(key, cases, surroundings: given.map { ($0.key, $0.value) }, probe: probe)
    }

    init<Content>(
        _ key: Key<Content>, _ cases: KeyValuePairs<String, String>, surroundings: [(path: String, toml: String)],
        probe: @escaping Probe
    ) {
        option = key.option
        self.cases = cases.map { Case(toml: $0.key, seen: $0.value) }
        self.surroundings = surroundings
        self.probe = probe
    }

    var testDescription: String { option.path }

    func check() async throws {
        for each in cases {
            let seen = try await withTaskExecutorPreference(BlockingThreads.shared) {
                try await probe(try Scene(option, each.toml, surroundings))
            }
            #expect(seen == each.seen, "\(option.path) = \(each.toml)")
        }
    }
}
