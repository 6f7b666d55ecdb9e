// A listener as it will be: its own keys over those of the sections that they stand for. It binds nothing.

/// What a listener speaks.
public enum ListenerProtocol: String, CaseIterable, Sendable {
    case packet, admin
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
    public var listeners: [Listener] { packetListeners + adminListeners }

    private var packetListeners: [Listener] {
        var listeners = writtenListeners.map { Listener(configuration: self, settings: $0.settings, origin: $0.origin) }
        if !listeners.contains(where: { $0.speaks == .packet }) { listeners.insert(standardListener, at: 0) }
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
        var packet = written.filter { $0.speaks == .packet }
        if !overrides.addresses.isEmpty {
            let origin = Origin.flag(name: "--address")
            packet = overrides.addresses.enumerated().map { index, address in
                var listener = index < packet.count ? packet[index] : extraListener(index, origin)
                listener.set(ListenerKeys.address, to: .text(address), origin)
                return listener
            }
        }
        if let security = overrides.security {
            for index in packet.indices {
                packet[index].set(ListenerKeys.security, to: .text(security), .flag(name: "--security"))
            }
        }
        return packet + written.filter { $0.speaks == .admin }
    }

    private func extraListener(_ index: Int, _ origin: Origin) -> Listener {
        var listener = Listener(configuration: self, settings: [:], origin: origin)
        if index > 0 { listener.set(ListenerKeys.name, to: .text("edge-\(index + 1)"), origin) }
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
    fileprivate mutating func set<Content>(_ key: Key<Content>, to value: SettingValue, _ origin: Origin) {
        settings[key.option.name] = Setting(value: value, origin: origin)
    }
}
