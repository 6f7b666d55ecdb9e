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
    let configuration: Configuration
    /// What it says itself.
    var settings: [String: Setting]
    /// Where it was written.
    public let origin: Origin

    public subscript<Content>(key: Key<Content>) -> Content { key.content(of: setting(of: key.option).value) }

    public func origin<Content>(of key: Key<Content>) -> Origin { setting(of: key.option).origin }

    /// Its own, its section's, or the table's.
    public func setting(of option: Option) -> Setting {
        settings[option.name] ?? configuration.setting(of: option)
    }

    func isOwn(_ option: Option) -> Bool { settings[option.name] != nil }

    public var name: String { self[ListenerOptions.name] }

    /// Empty where there is none, which is a problem of its own.
    public var address: String { self[ListenerOptions.address] ?? "" }

    public var speaks: ListenerProtocol { ListenerProtocol(rawValue: self[ListenerOptions.protocol]) ?? .packet }

    public var security: SecurityKind {
        if let own = self[ListenerOptions.security].flatMap(SecurityKind.init) { return own }
        switch speaks {
        case .admin: return .none
        case .packet: return configuration[TransportOptions.encryptionEnabled] ? .handshake : .none
        }
    }

    /// What the handshake may agree on, best first.
    public var compression: [String] {
        let named = self[HandshakeOptions.compression]
        guard named.isEmpty, !isOwn(HandshakeOptions.compression.option) else { return named }
        return configuration[TransportOptions.compressionEnabled] ? ["lz4", "zstd"] : []
    }

    /// `listener edge: tls.certificate` reads better than a number.
    func path(of option: Option) -> String {
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
        let address = setting(of: ServerOptions.address.option)
        return Listener(
            configuration: self, settings: [ListenerOptions.address.option.name: address], origin: address.origin)
    }

    /// With the addresses and the security that flags give.
    private func overridden(_ written: [Listener]) -> [Listener] {
        var packet = written.filter { $0.speaks == .packet }
        if !overrides.addresses.isEmpty {
            let origin = Origin.flag(name: "--address")
            packet = overrides.addresses.enumerated().map { index, address in
                var listener = index < packet.count ? packet[index] : extraListener(index, origin)
                listener.set(ListenerOptions.address, to: .text(address), origin)
                return listener
            }
        }
        if let security = overrides.security {
            for index in packet.indices {
                packet[index].set(ListenerOptions.security, to: .text(security), .flag(name: "--security"))
            }
        }
        return packet + written.filter { $0.speaks == .admin }
    }

    private func extraListener(_ index: Int, _ origin: Origin) -> Listener {
        var listener = Listener(configuration: self, settings: [:], origin: origin)
        if index > 0 { listener.set(ListenerOptions.name, to: .text("edge-\(index + 1)"), origin) }
        return listener
    }

    private var adminListeners: [Listener] {
        guard self[AdminOptions.enabled] else { return [] }
        let addresses = [("admin", AdminOptions.address.option), ("control", AdminOptions.controlSocket.option)]
        return addresses.compactMap { name, option in
            let address = setting(of: option)
            guard case .text = address.value else { return nil }
            var listener = Listener(configuration: self, settings: [:], origin: address.origin)
            listener.set(ListenerOptions.name, to: .text(name), address.origin)
            listener.set(ListenerOptions.protocol, to: .text(ListenerProtocol.admin.rawValue), address.origin)
            listener.set(ListenerOptions.address, to: address.value, address.origin)
            return listener
        }
    }
}

extension Listener {
    fileprivate mutating func set<Content>(_ key: Key<Content>, to value: SettingValue, _ origin: Origin) {
        settings[key.option.name] = Setting(value: value, origin: origin)
    }
}
