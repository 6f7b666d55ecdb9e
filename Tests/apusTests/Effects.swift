// Everything that a configuration becomes, as one text: two configurations whose texts differ are told apart by the
// server, the client verbs, or what runs beside the server.

import ApusConfiguration
import ApusServer

@testable import apus

struct Effects {
    let text: String

    init(of configuration: Configuration) throws {
        var text = ""
        // Of listeners that speak HTTP the place is enough: the session is the server's.
        for listener in configuration.listeners { text += "\(listener.name) \(listener.address) \(listener.speaks)\n" }
        if configuration.listeners.contains(where: { $0.speaks == .admin }) {
            dump(try serverConfiguration(from: configuration).listeners.map(\.adminPaths), to: &text)
        } else {
            let server = try serverConfiguration(from: configuration)
            dump(server, to: &text)
            for listener in server.listeners { dump(Self.secrets(of: listener), to: &text) }
        }
        dump(LoggingSettings(from: configuration), to: &text)
        dump(ExportSettings(from: configuration), to: &text)
        dump(DrainSettings(from: configuration), to: &text)
        dump(DefenceSettings(from: configuration), to: &text)
        dump(AdminLimits(from: configuration), to: &text)
        dump(UpgradeSettings(from: configuration), to: &text)
        dump(configuration.listeners.map(SocketSettings.init(from:)), to: &text)
        let security = try ClientSecurityOptions.parse([])
        dump(try ClientSettings(from: configuration, security), to: &text)
        // Objects show their addresses.
        self.text = text.replacing(/@[0-9a-fx]+|#[0-9]+|0x[0-9a-f]+/, with: "")
    }

    /// Keys do not show themselves; how long they are does.
    private static func secrets(of listener: ListenerConfiguration) -> String {
        switch listener.security {
        case .none, .tls: ""
        case .handshake(let settings, _): "\(settings.presharedKey?.byteCount ?? 0) \(settings.identity == nil)"
        }
    }
}
