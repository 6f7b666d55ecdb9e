// Each option has an effect: changed alone, it changes what the server, the client verbs or the process are told. An
// option that is added without one fails here.

import ApusConfiguration
import ConfigurationSamples
import Foundation
import TestSupport
import Testing

@Suite struct EffectTests {
    @Test func everyOptionHasAnEffect() async throws {
        let files = try await SecurityFiles.make()
        for row in OptionTable.all {
            let (base, changed) = files.drafts(changing: row)
            let before = try Effects(of: try files.read(base.text)).text
            let after = try Effects(of: try files.read(changed.text)).text
            #expect(before != after, "\(row.path) changes nothing: \(changed.text)")
        }
    }
}

/// A configuration file in the making.
private struct Draft {
    typealias Line = (key: String, toml: String)

    var sections: [(name: String, lines: [Line])] = []

    mutating func set(_ section: Section, _ key: String, _ toml: String) {
        let name = section == .listener ? "[[listener]]" : "[\(section.rawValue)]"
        if !sections.contains(where: { $0.name == name }) { sections.append((name, [])) }
        for index in sections.indices where sections[index].name == name {
            sections[index].lines.removeAll { $0.key == key }
            sections[index].lines.append((key, toml))
        }
    }

    var text: String {
        sections.map { section in
            ([section.name] + section.lines.map { "\($0.key) = \($0.toml)" }).joined(separator: "\n") + "\n"
        }.joined(separator: "\n")
    }
}

/// Files that an option may name, and configurations in which it counts.
private struct SecurityFiles {
    private let folder: TemporaryFolder

    static func make() async throws -> SecurityFiles {
        let folder = try TemporaryFolder()
        let made = try await Command.run(
            "certs", "self-signed", "one", "--san", "localhost", "--out", folder.path)
        #expect(made.status == 0, "\(made.complaint)")
        let files = SecurityFiles(folder: folder)
        for name in ["one.pem", "one.key"] {
            try FileManager.default.copyItem(atPath: folder.file(name), toPath: folder.file("copy-of-\(name)"))
        }
        try files.write("psk", "0123456789abcdef0123456789abcdef")
        try files.write("identity", String(repeating: "ab", count: 32))
        return files
    }

    private func write(_ name: String, _ text: String) throws {
        let path = folder.file(name)
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
    }

    func read(_ text: String) throws -> Configuration {
        let path = folder.file("apus.toml")
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        return try Configuration.load(file: path)
    }

    private func file(_ name: String) -> String { "\"\(folder.file(name))\"" }

    /// One without the option and one with it, otherwise the same.
    func drafts(changing row: OptionRow) -> (base: Draft, changed: Draft) {
        let base = surroundings(of: row)
        var changed = base
        changed.set(row.section, row.name, values[row.path] ?? row.sample.toml)
        return (base, changed)
    }

    /// Where the sample of its kind would be invalid, or is no change.
    private var values: [String: String] {
        [
            "listener.security": "\"none\"", "server.memory_budget": "\"512MiB\"",
            "transport.max_payload_size": "\"1MiB\"", "tls.certificate": file("copy-of-one.pem"),
            "tls.key": file("copy-of-one.key"), "tls.ca": file("one.pem"), "tls.verify_client": "\"required\"",
            "tls.ciphers": "\"ECDHE-RSA-AES128-GCM-SHA256\"", "tls.suites": "\"TLS_AES_128_GCM_SHA256\"",
            "handshake.psk_file": file("psk"), "handshake.identity_file": file("identity"),
            "admin.control_socket": file("x").replacing("\"/", with: "\"unix:/"), "listener.protocol": "\"admin\"",
            "logging.log_file_path": file("other.log"), "logging.log_to_console": "false",
            "relay.auth_secret_file": file("psk"), "relay.previous_auth_secret_file": file("psk"),
            "relay.liveness_timeout": "\"60s\"", "relay.max_subscriptions": "2000000",
        ]
    }

    private func surroundings(of row: OptionRow) -> Draft {
        var draft = Draft()
        switch row.section {
        case .listener:
            draft.set(.listener, "address", "\"127.0.0.1:1\"")
            if row.name != "name" { draft.set(.listener, "name", "\"one\"") }
            if row.name == "answers" { draft.set(.listener, "protocol", "\"admin\"") }
            if row.name == "proxy_protocol" { setRelay(row, &draft) }
        case .tls: setTLS(row, &draft)
        case .relay: setRelay(row, &draft)
        case .admin where row.name != "enabled": draft.set(.admin, "enabled", "true")
        case .transport where row.name.hasPrefix("compression_") && row.name != "compression_enabled":
            draft.set(.transport, "compression_enabled", "true")
        case .metrics where row.name != "otlp_address": draft.set(.metrics, "otlp_address", "\"http://127.0.0.1:1/\"")
        case .logging:
            draft.set(.logging, "log_file_path", file("one.log"))
            if row.name != "log_to_file" { draft.set(.logging, "log_to_file", "true") }
        case .server, .client, .transport, .handshake, .admin, .metrics: break
        }
        return draft
    }

    private func setRelay(_ row: OptionRow, _ draft: inout Draft) {
        draft.set(.listener, "address", "\"127.0.0.1:1\"")
        draft.set(.listener, "protocol", "\"relay\"")
        draft.set(.relay, "exposed_address", "\"relay.example.com:1\"")
        if row.name == "auth_secret_file" {
            draft.set(.relay, "auth_secret_file", file("identity"))
        } else {
            draft.set(.relay, "auth_secret", "\"supersecret-supersecret\"")
        }
    }

    private func setTLS(_ row: OptionRow, _ draft: inout Draft) {
        draft.set(.listener, "address", "\"127.0.0.1:1\"")
        draft.set(.listener, "security", "\"tls\"")
        draft.set(.tls, "certificate", file("one.pem"))
        draft.set(.tls, "key", file("one.key"))
        guard ["ca", "verify_client", "pinned_sha256"].contains(row.name) else { return }
        draft.set(.tls, "verify_client", "\"optional\"")
        if row.name == "ca" {
            draft.set(.tls, "pinned_sha256", "[\"\(String(repeating: "cd", count: 32))\"]")
        } else {
            draft.set(.tls, "ca", file("one.pem"))
        }
    }
}
