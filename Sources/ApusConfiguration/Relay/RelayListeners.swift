// The listeners of `apus serve --relay`: those of the file, at the places that this mode says, and those that the file
// lacks.

import ApusWire

extension Configuration {
    /// - Parameter written: the file's, admin listeners among them.
    func relayModeListeners(_ written: [Listener], hasIPv6: Bool) -> [Listener] {
        var listeners = written
        for place in RelayPlace.allCases {
            guard let setting = relayPlaces[place], case .text(let text) = setting.value else { continue }
            let index = listeners.firstIndex { $0.isAt(place) }
            // The file beats the defaults, and is beaten by the environment and by flags.
            if index != nil, setting.origin == .flag(name: "--relay") { continue }
            let base = index.map { listeners[$0] } ?? relayModeListener(at: place, setting.origin)
            let placed = base.placed(at: RelayPlaceAddress.addresses(of: text, hasIPv6: hasIPv6), setting.origin)
            if let index { listeners.replaceSubrange(index...index, with: placed) } else { listeners += placed }
        }
        return listeners
    }

    private func relayModeListener(at place: RelayPlace, _ origin: Origin) -> Listener {
        var listener = Listener(configuration: self, settings: [:], origin: origin)
        listener.set(ListenerKeys.name, to: .text(place.rawValue), origin)
        switch place {
        case .relay: listener.set(ListenerKeys.protocol, to: .text(ListenerProtocol.relay.rawValue), origin)
        case .metrics, .health:
            listener.set(ListenerKeys.protocol, to: .text(ListenerProtocol.admin.rawValue), origin)
            listener.set(ListenerKeys.answers, to: .text(place.rawValue), origin)
        }
        return listener
    }
}

extension Listener {
    fileprivate func isAt(_ place: RelayPlace) -> Bool {
        switch place {
        case .relay: speaks == .relay
        case .metrics, .health: speaks == .admin && name == place.rawValue
        }
    }

    /// One for each address, the others than the first with a name of their own.
    fileprivate func placed(at addresses: [String], _ origin: Origin) -> [Listener] {
        addresses.enumerated().map { index, address in
            var listener = self
            listener.set(ListenerKeys.address, to: .text(address), origin)
            if index > 0 { listener.set(ListenerKeys.name, to: .text("\(name)-ipv6"), origin) }
            return listener
        }
    }
}

/// Where the relatives listen when they are told an address.
enum RelayPlaceAddress {
    /// Every interface is two listeners, since one for IPv6 takes IPv6 alone here. What is no address is left as it is,
    /// and found when listeners are checked.
    static func addresses(of text: String, hasIPv6: Bool) -> [String] {
        if let port = portOfEveryInterface(text) {
            return ["0.0.0.0:\(port)"] + (hasIPv6 ? ["[::]:\(port)"] : [])
        }
        let local = "localhost:"
        return [text.hasPrefix(local) ? "127.0.0.1:\(text.dropFirst(local.count))" : text]
    }

    /// Of `:443`, `0.0.0.0:443` and `[::]:443`, which to Go are the same: it listens for both families on each. Nil for
    /// all else.
    private static func portOfEveryInterface(_ text: String) -> Substring? {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let host = text[..<colon]
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        let number = String(isBracketed ? host.dropFirst().dropLast() : host)
        guard number.isEmpty || IPAddress(parsing: number)?.isUnspecified == true else { return nil }
        // Without brackets it is no address.
        return isBracketed || !number.contains(":") ? text[text.index(after: colon)...] : nil
    }
}
