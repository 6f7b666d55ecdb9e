// How the connections of a listener are protected, as the embedder asks for it.

import ApusCompression
import ApusSecurity

public enum ListenerSecurity: Sendable {
    /// Plain bytes: for UNIX sockets and for networks that are trusted as a whole.
    case none
    /// NPRO's handshake and sealed packets (NPRO §2, §3). Version 1 by itself authenticates nobody; a pre-shared key or
    /// pinned identities do.
    case handshake(HandshakeSettings, CompressionSettings = .init())
    /// TLS over the stream, with client certificates if the material asks for them; inside it packets are plain.
    case tls(TLSMaterial)

    /// Every mistake, in words; empty when there is none.
    func problems() -> [String] {
        switch self {
        case .none: []
        case .handshake(let settings, let compression):
            ListenerSecurity.offering(compression, in: settings).problems() + compression.problems()
        case .tls(let material): material.settings.role == .server ? [] : ["the TLS material is a client's"]
        }
    }

    /// Whether connections would begin the same. What cannot be compared counts as different.
    func isSame(as other: ListenerSecurity) -> Bool {
        switch (self, other) {
        case (.none, .none): true
        case (.tls(let material), .tls(let otherMaterial)): material === otherMaterial
        case (.handshake(let settings, let compression), .handshake(let otherSettings, let otherCompression)):
            settings.isSame(as: otherSettings) && compression == otherCompression
        case (.none, _), (.handshake, _), (.tls, _): false
        }
    }

    /// The handshake's settings with what may be agreed on.
    static func offering(_ compression: CompressionSettings, in settings: HandshakeSettings) -> HandshakeSettings {
        var settings = settings
        settings.compression = compression.algorithms.map(\.rawValue)
        return settings
    }
}
