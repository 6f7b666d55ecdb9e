// A listener as it will be: its own keys over those of the sections that they stand for. It binds nothing.

/// What a listener speaks.
public enum ListenerProtocol: String, CaseIterable, Sendable {
    case packet, relay, admin
}

/// How a listener's connections are protected.
public enum SecurityKind: String, CaseIterable, Sendable {
    case none, handshake, tls
}

public struct Listener: Sendable {
    public let configuration: Configuration
    /// What it says itself.
    var settings: [String: Setting]
    /// Where it was written.
    public let origin: Origin

    public subscript<Content>(key: Key<Content>) -> Content { key.content(of: setting(of: key.option).value) }

    public func origin<Content>(of key: Key<Content>) -> Origin { setting(of: key.option).origin }

    /// Its own, its section's, or the table's.
    public func setting(of option: OptionRow) -> Setting {
        settings[option.name] ?? configuration.setting(of: option)
    }

    func isOwn(_ option: OptionRow) -> Bool { settings[option.name] != nil }

    public var name: String { self[ListenerKeys.name] }

    /// Empty where there is none, which is a problem of its own.
    public var address: String { self[ListenerKeys.address] ?? "" }

    public var speaks: ListenerProtocol { ListenerProtocol(rawValue: self[ListenerKeys.protocol]) ?? .packet }

    public var security: SecurityKind {
        if let own = self[ListenerKeys.security].flatMap(SecurityKind.init) { return own }
        switch speaks {
        case .admin: return .none
        case .relay: return self[TLSKeys.certificate] == nil && self[TLSKeys.key] == nil ? .none : .tls
        case .packet: return configuration[TransportKeys.encryptionEnabled] ? .handshake : .none
        }
    }

    /// What the handshake may agree on, best first.
    public var compression: [String] {
        let named = self[HandshakeKeys.compression]
        guard named.isEmpty, !isOwn(HandshakeKeys.compression.option) else { return named }
        return configuration[TransportKeys.compressionEnabled] ? ["lz4", "zstd"] : []
    }

    public func path<Content>(of key: Key<Content>) -> String { path(of: key.option) }

    /// `listener edge: certificate`: a name reads better than a number.
    func path(of option: OptionRow) -> String {
        guard option.section == .listener || isOwn(option) else { return option.path }
        return "listener \(name): \(option.name)"
    }
}

extension Configuration {
    /// Every listener there will be, those of `[admin]` last.
    public var listeners: [Listener] { ownListeners + adminListeners }

    private var ownListeners: [Listener] {
        var listeners = writtenListeners.map { Listener(configuration: self, settings: $0.settings, origin: $0.origin) }
        if let mode = overrides.relay {
            listeners = relayModeListeners(listeners, hasIPv6: mode.hasIPv6)
        } else if listeners.allSatisfy({ $0.speaks == .admin }) {
            listeners.insert(standardListener, at: 0)
        }
        return overridden(listeners)
    }

    /// What there is without a packet listener of one's own: `server.address`.
    private var standardListener: Listener {
        let address = setting(of: ServerKeys.address.option)
        return Listener(
            configuration: self, settings: [ListenerKeys.address.option.name: address], origin: address.origin)
    }

    /// With the addresses and the security that flags give.
    private func overridden(_ written: [Listener]) -> [Listener] {
        let kind = written.contains { $0.speaks == .packet } ? ListenerProtocol.packet : .relay
        var meant = written.filter { $0.speaks == kind }
        if !overrides.addresses.isEmpty {
            let origin = Origin.flag(name: "--address")
            meant = overrides.addresses.enumerated().map { index, address in
                var listener = index < meant.count ? meant[index] : extraListener(index, kind, origin)
                listener.set(ListenerKeys.address, to: .text(address), origin)
                return listener
            }
        }
        if let security = overrides.security {
            for index in meant.indices {
                meant[index].set(ListenerKeys.security, to: .text(security), .flag(name: "--security"))
            }
        }
        let others = written.filter { $0.speaks != kind }
        return meant + others.filter { $0.speaks != .admin } + others.filter { $0.speaks == .admin }
    }

    private func extraListener(_ index: Int, _ kind: ListenerProtocol, _ origin: Origin) -> Listener {
        var listener = Listener(configuration: self, settings: [:], origin: origin)
        let name = kind == .packet ? "edge" : kind.rawValue
        listener.set(ListenerKeys.protocol, to: .text(kind.rawValue), origin)
        listener.set(ListenerKeys.name, to: .text(index > 0 ? "\(name)-\(index + 1)" : name), origin)
        return listener
    }

    private var adminListeners: [Listener] {
        guard self[AdminKeys.enabled] else { return [] }
        let addresses = [("admin", AdminKeys.address.option), ("control", AdminKeys.controlSocket.option)]
        return addresses.compactMap { name, option in
            let address = setting(of: option)
            guard case .text = address.value else { return nil }
            var listener = Listener(configuration: self, settings: [:], origin: address.origin)
            listener.set(ListenerKeys.name, to: .text(name), address.origin)
            listener.set(ListenerKeys.protocol, to: .text(ListenerProtocol.admin.rawValue), address.origin)
            listener.set(ListenerKeys.address, to: address.value, address.origin)
            return listener
        }
    }
}

extension Listener {
    mutating func set<Content>(_ key: Key<Content>, to value: SettingValue, _ origin: Origin) {
        settings[key.option.name] = Setting(value: value, origin: origin)
    }
}
