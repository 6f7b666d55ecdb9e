// What a shard keeps of one relay connection beside the connection itself. Values only; it never sends.

import ApusReactor
import ApusRelay
import ApusWire

/// How far a relay connection is.
enum RelayStage: UInt8, BitwiseCopyable {
    /// The HTTP request that asks for a WebSocket is awaited.
    case upgrade
    /// The first message is awaited, which says who the peer is.
    case auth
    /// Others reach it by its id.
    case peer
    /// The connection ends, and whoever must know of it does.
    case gone
}

struct RelayPeer: BitwiseCopyable {
    var stage = RelayStage.upgrade
    /// News wait for room on its connection.
    var hasNews = false
    /// It was interested in others at some time, so homes know of it.
    var hasSubscribed = false
    /// Meaningful from `peer` on.
    private(set) var id = PeerID.zero
    var conversation = WebSocketConversation(messageByteCountMax: RelayFormat.authByteCountMax)
    /// A message that comes in fragments, unmasked.
    var fragments = Inbound()
    /// When it was last asked whether it is there.
    var lastProbed = Instant(nanoseconds: 0)

    mutating func become(_ id: PeerID, at now: Instant) {
        self.id = id
        stage = .peer
        conversation = WebSocketConversation(messageByteCountMax: RelayFormat.messageByteCountMax)
        lastProbed = now
    }
}
