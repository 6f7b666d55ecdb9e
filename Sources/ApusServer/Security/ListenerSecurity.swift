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
}
