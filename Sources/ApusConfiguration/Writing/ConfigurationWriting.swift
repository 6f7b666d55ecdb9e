// A configuration as a file, as lines with origins, and as a digest. Only the file holds secrets.

import ApusSecurity
import Foundation

/// One value as it may be shown.
public struct ShownSetting: Encodable, Sendable {
    /// `server.shards`, or `listener.edge.address`.
    public let path: String
    /// As TOML; secrets are `"***"`.
    public let value: String
    public let origin: String
}

extension Configuration {
    /// The effective configuration: every option, and of each listener what it has.
    public var shown: [ShownSetting] { shownSections(OptionTable.all) + listeners.flatMap(\.shown) }

    private func shownSections(_ options: [OptionRow]) -> [ShownSetting] {
        options.filter { $0.section != .listener }.map { option in
            let setting = setting(of: option)
            return ShownSetting(
                path: option.path, value: option.shown(setting.value), origin: setting.origin.description)
        }
    }

    /// What somebody set, as a file that means the same; secrets are in it.
    public var toml: String {
        var blocks = listenersToWrite.map { listener in
            (["[[listener]]"] + listener.written).joined(separator: "\n")
        }
        for section in Section.allCases {
            let lines = OptionTable.options(of: section).filter { isWritten($0) }.map { option in
                "\(option.name) = \(value(of: option).toml)"
            }
            if !lines.isEmpty { blocks.append((["[\(section.rawValue)]"] + lines).joined(separator: "\n")) }
        }
        return blocks.isEmpty ? "" : blocks.joined(separator: "\n\n") + "\n"
    }

    /// Listeners whose address is their own; the others come from `server.address` and `[admin]` again.
    private var listenersToWrite: [Listener] {
        let isStandard = writtenListeners.isEmpty && overrides.addresses.isEmpty && overrides.security == nil
        return listeners.filter { !isFromAdmin($0) && !(isStandard && $0.speaks == .packet) }
    }

    private func isFromAdmin(_ listener: Listener) -> Bool {
        guard self[AdminKeys.enabled], listener.speaks == .admin else { return false }
        let isWritten = writtenListeners.contains { $0.settings[ListenerKeys.name.option.name]?.value
            == .text(listener.name) }
        return !isWritten && ["admin", "control"].contains(listener.name)
    }

    private func isWritten(_ option: OptionRow) -> Bool {
        guard isSet(option), value(of: option) != .none else { return false }
        return option.path != ServerKeys.address.option.path || !listenersToWrite.contains { $0.speaks == .packet }
    }

    /// Write `toml`, readable by the owner alone, at once or not at all.
    public func save(to path: String) throws(ConfigurationError) {
        let place = Origin.file(path: path, line: nil)
        let target = URL(fileURLWithPath: path)
        let draft = target.deletingLastPathComponent().appendingPathComponent(".\(target.lastPathComponent).new")
        let attributes: [FileAttributeKey: Any] = [.posixPermissions: 0o600]
        guard
            FileManager.default.createFile(atPath: draft.path, contents: Data(toml.utf8), attributes: attributes)
        else { throw ConfigurationError([Problem(.error, place, "", "cannot be written: may you write there?")]) }
        guard rename(draft.path, path) == 0 else {
            unlink(draft.path)
            let reason = "cannot be replaced: \(String(cString: strerror(errno)))"
            throw ConfigurationError([Problem(.error, place, "", reason)])
        }
    }

    /// SHA-256 of the effective configuration in hexadecimal. Two servers with the same digest were told the same; of
    /// secrets it holds only whether there is one.
    public var digest: String {
        let text = shown.map { "\($0.path) = \($0.value)\n" }.joined()
        let bytes = Array(text.utf8)
        return SHA256.hash(bytes.span.bytes).map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 2 ? digits : "0" + digits
        }.joined()
    }
}

extension Listener {
    var shown: [ShownSetting] {
        var shown = [
            ("name", ListenerKeys.name.option), ("protocol", ListenerKeys.protocol.option),
            ("address", ListenerKeys.address.option),
        ].map { shownSetting($0.0, $0.1) }
        let stated = setting(of: ListenerKeys.security.option).origin
        shown.append(
            ShownSetting(
                path: "listener.\(name).security", value: SettingValue.text(security.rawValue).toml,
                origin: stated.description))
        shown += speechKeys.map { shownSetting($0.name, $0) }
        let overridden = OptionTable.all.filter { $0.isListenerOverridable && isOwn($0) }
        return shown + overridden.map { shownSetting($0.name, $0) }
    }

    /// What not every protocol's listeners have.
    private var speechKeys: [OptionRow] {
        switch speaks {
        case .packet: [ListenerKeys.session.option, ListenerKeys.proxyProtocol.option]
        case .relay: [ListenerKeys.proxyProtocol.option]
        case .admin: [ListenerKeys.answers.option]
        }
    }

    private func shownSetting(_ name: String, _ option: OptionRow) -> ShownSetting {
        let setting = setting(of: option)
        let origin = setting.origin == .standard ? self.origin : setting.origin
        return ShownSetting(
            path: "listener.\(self.name).\(name)", value: option.shown(setting.value), origin: origin.description)
    }

    /// Its lines in a file.
    var written: [String] {
        (ListenerKeys.own + OptionTable.all.filter(\.isListenerOverridable)).filter(isOwn).compactMap { option in
            let value = setting(of: option).value
            return value == .none ? nil : "\(option.name) = \(value.toml)"
        }
    }
}
