// What a shard keeps of one relay connection beside the connection itself. Values only; it never sends.

import ApusReactor
import ApusRelay
import ApusWire

/// How far a relay connection is.
package enum RelayStage: UInt8, BitwiseCopyable {
    /// The HTTP request that asks for a WebSocket is awaited.
    case upgrade
    /// The first message is awaited, which says who the peer is.
    case auth
    /// Others reach it by its id.
    case peer
    /// The connection ends, and whoever must know of it does.
    case gone
}

package struct RelayPeer: BitwiseCopyable {
    /// A peer that sends nothing for so long rests, as dashboards count (relay.md §3.7).
    static let activityLength: Nanoseconds = 30 * .second

    package var stage = RelayStage.upgrade
    /// News wait for room on its connection.
    var hasNews = false
    /// It was interested in others at some time, so homes know of it.
    var hasSubscribed = false
    /// Meaningful from `peer` on.
    package private(set) var id = PeerID.zero
    var conversation = WebSocketConversation(messageByteCountMax: RelayFormat.authByteCountMax)
    /// A message that comes in fragments, unmasked.
    package var fragments = Inbound()
    /// When it was last asked whether it is there.
    var lastProbed = Instant(nanoseconds: 0)
    /// It is counted as one that sends, and when it last did.
    private(set) var isActive = false
    private var lastSent = Instant(nanoseconds: 0)

    mutating func become(_ id: PeerID, at now: Instant) {
        self.id = id
        stage = .peer
        conversation = WebSocketConversation(messageByteCountMax: RelayFormat.messageByteCountMax)
        lastProbed = now
    }

    /// It has sent a message. True: for the first time, or after a rest.
    @inline(__always)
    mutating func becomeActive(at now: Instant) -> Bool {
        lastSent = now
        if isActive { return false }
        isActive = true
        return true
    }

    /// True: it was counted as one that sends, and has not for so long.
    mutating func rest(after quiet: Nanoseconds, at now: Instant) -> Bool {
        guard isActive, now >= lastSent + quiet else { return false }
        isActive = false
        return true
    }
}
