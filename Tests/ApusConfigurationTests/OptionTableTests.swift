// Each option of the table, by what its row says: read from a file, refused with its line, set by its variables, by a
// flag, and documented.

import ApusConfiguration
import ConfigurationSamples
import Testing

@Suite struct OptionTableTests {
    static let rows = OptionTable.all
    static let sectionRows = rows.filter { $0.section != .listener }

    @Test func pathsAndFlagsAreUnique() {
        #expect(Set(OptionTable.all.map(\.path)).count == OptionTable.all.count)
        for section in Section.allCases { #expect(!OptionTable.options(of: section).isEmpty, "\(section)") }
    }

    @Test(arguments: sectionRows.map(\.path))
    func aFileSetsIt(path: String) throws {
        let row = try row(path)
        let (configuration, problems) = try read(row.file(row.sample.toml))
        let complaints = problems.filter { $0.path == path && $0.severity == .error && !Self.isMutual($0) }
        #expect(complaints.isEmpty)
        let setting = configuration.setting(of: row)
        #expect(setting.value != row.standard)
        guard case .file(_, let line) = setting.origin else {
            Issue.record("its origin is \(setting.origin)")
            return
        }
        #expect(line == 3)
    }

    /// What is wrong between values is no complaint about the sample.
    private static func isMutual(_ problem: Problem) -> Bool {
        ["nothing would be logged", "needs log_file_path", "does not exist", "above transport", "agreed on in",
            "who may open", "above relay.", "without auth_secret"]
            .contains { problem.reason.contains($0) }
    }

    @Test(arguments: rows.map(\.path))
    func outOfBoundsIsToldWithItsLine(path: String) throws {
        let row = try row(path)
        guard let toml = row.outOfBounds else { return }
        let problems = try read(row.file(toml)).problems
        #expect(problems.texts.contains { $0.hasPrefix("apus.toml:3: \(path): ") }, "\(problems.texts)")
    }

    @Test(arguments: rows.map(\.path))
    func anotherTypeIsToldWithItsLine(path: String) throws {
        let row = try row(path)
        let problems = try read(row.file(row.wrongType)).problems
        let found = problems.texts.first { $0.hasPrefix("apus.toml:3: \(path): ") }
        #expect(found?.contains(", found ") == true, "\(problems.texts)")
    }

    @Test(arguments: sectionRows.map(\.path))
    func eachVariableSetsIt(path: String) throws {
        let row = try row(path)
        #expect(row.environment.last == "APUS_" + path.replacing(".", with: "_").uppercased())
        for name in row.environment {
            let (configuration, _) = ConfigurationSources(environment: [name: row.sample.text]).read()
            #expect(configuration.setting(of: row).origin == .environment(name: name))
            #expect(configuration.value(of: row) != row.standard)
        }
    }

    @Test(arguments: sectionRows.map(\.path))
    func aBadVariableIsToldByItsName(path: String) throws {
        let row = try row(path)
        switch row.kind {
        case .text, .file, .texts: return  // Almost any text is one.
        case .flag, .integer, .integerOrAuto, .integerOrOff, .duration, .durationOrOff, .byteCount, .byteCountOrOff,
            .choice, .address, .addressOrOff, .url, .relayURL:
            let name = "APUS_" + path.replacing(".", with: "_").uppercased()
            let problems = ConfigurationSources(environment: [name: "?!"]).read().problems
            #expect(problems.errors.texts.contains { $0.hasPrefix("\(name): \(path): ") }, "\(problems.texts)")
        }
    }

    @Test(arguments: rows.map(\.path))
    func itIsDocumented(path: String) throws {
        let row = try row(path)
        #expect(!row.summary.isEmpty && row.summary.last == ".")
        #expect(Documentation.markdown.contains("| `\(row.name)` | "))
        #expect(DefaultFile.text.contains("\n#\(row.name) = "))
        if let flag = row.flag { #expect(Documentation.markdown.contains("Flag: `\(flag)`.")) }
        for name in row.environment.dropLast() where !name.hasPrefix("NETWORK_PROTOCOL_\(row.section)".uppercased()) {
            #expect(Documentation.markdown.contains(name))
        }
    }

    @Test func aListenerOverridesEachOptionOfItsSecurity() throws {
        for row in Self.rows where row.isListenerOverridable {
            let text = "[[listener]]\naddress = \"127.0.0.1:1\"\n\(row.name) = \(row.sample.toml)\n"
            let (configuration, _) = try read(text)
            #expect(configuration.listeners[0].setting(of: row).value != row.standard, "\(row.path)")
            #expect(configuration.value(of: row) == row.standard, "\(row.path)")
        }
    }

    @Test func theDefaultFileSetsNothing() throws {
        let (configuration, problems) = try read(DefaultFile.text)
        #expect(problems.isEmpty)
        #expect(configuration.toml.isEmpty)
    }

    /// Uncommented, it holds the defaults.
    @Test func theDefaultFileHoldsTheDefaults() throws {
        let lines = DefaultFile.text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            let isEntry = line.hasPrefix("#") && !line.hasPrefix("# ") && line != "#"
            return isEntry ? String(line.dropFirst()) : String(line)
        }
        let (configuration, problems) = try read(lines.joined(separator: "\n"))
        for row in Self.sectionRows where row.standard != .none && row.standard != .texts([]) {
            #expect(configuration.isSet(row), "\(row.path)")
            #expect(configuration.value(of: row) == row.standard, "\(row.path)")
        }
        #expect(!problems.contains { $0.reason.hasPrefix("not TOML") || $0.reason.hasPrefix("no such") }, "\(problems)")
    }

    private func row(_ path: String) throws -> OptionRow {
        try #require(OptionTable.all.first { $0.path == path })
    }
}
