// A request answered off the loop: started here, its reply comes back through the shard's inbox. This is the only file
// of the server that makes tasks; the loop itself never waits for one.

import ApusReactor
import ApusSecurity
import ApusWire

/// What other threads tell a shard.
package enum ShardEvent: Sendable {
    /// The reply to the `sequence`th asynchronous request of a connection, encoded; nil: there is none. `byteCount` is
    /// what the request held.
    case asyncReply(ConnectionToken, sequence: UInt32, packet: [UInt8]?, failed: Bool, byteCount: Int = 0)
    /// The handler's reply is longer than a packet can be: the connection ends.
    case asyncReplyTooLarge(ConnectionToken, sequence: UInt32, byteCount: Int)
    case push(ConnectionToken, packet: [UInt8])
    /// New connections of this listener get this certificate and what belongs to it.
    case replaceTLS(listener: Int, TLSMaterial)
    /// Other limits and listeners from now on.
    case reload(ShardReload)
    /// Accept here too. Posted when every inbox holds the reload that belongs to it.
    case accept([ShardListener])
    /// Stop accepting; somebody else goes on.
    case releaseListeners
    /// Finish what is under way; force what is left after so long. Idle peers are told to leave one by one over `over`.
    case drain(Nanoseconds, over: Nanoseconds = 0)
    case stop
}

struct AsyncRequest: Sendable {
    let token: ConnectionToken
    let sequence: UInt32
    let byteCount: Int
    let inbox: Inbox<ShardEvent>

    func start(_ handler: @escaping AsyncHandler, _ message: Message, _ context: AsyncContext) {
        Task {
            do {
                answer(try await handler(message, context))
            } catch {
                post(packet: nil, failed: true)
            }
        }
    }

    private func answer(_ message: Message?) {
        guard let message else { return post(packet: nil, failed: false) }
        guard let packet = PacketEncoder.encodeIfFits(message) else {
            // As below: a closed inbox means that the connection has ended.
            return _ = inbox.post(.asyncReplyTooLarge(token, sequence: sequence, byteCount: byteCount))
        }
        post(packet: packet, failed: false)
    }

    /// A closed inbox means the shard has ended, and the connection with it.
    private func post(packet: [UInt8]?, failed: Bool) {
        _ = inbox.post(
            .asyncReply(token, sequence: sequence, packet: packet, failed: failed, byteCount: byteCount))
    }
}

extension PacketEncoder {
    /// The message's packet; nil when it is longer than a packet can be.
    static func encodeIfFits(_ message: Message) -> [UInt8]? {
        MessageEncoder.byteCount(of: message) <= PacketFormat.payloadByteCountMax ? encode(message) : nil
    }
}

/// Asynchronous replies that came before those of earlier requests, until it is their turn. At most the backpressure
/// limit of each connection stands here.
package struct AsyncReplies: ~Copyable {
    private struct Place: Hashable {
        let token: ConnectionToken
        let sequence: UInt32
    }

    private var waiting: [Place: [UInt8]?] = [:]

    package init() {}

    package var count: Int { waiting.count }

    mutating func keep(_ packet: [UInt8]?, for token: ConnectionToken, sequence: UInt32) {
        waiting[Place(token: token, sequence: sequence)] = .some(packet)
    }

    /// The reply whose turn it is: `.some(nil)` when that request has none, `nil` when it has not come.
    mutating func take(_ token: ConnectionToken, sequence: UInt32) -> [UInt8]?? {
        waiting.removeValue(forKey: Place(token: token, sequence: sequence))
    }

    /// The connection is gone. `outstanding` replies may stand here.
    mutating func drop(_ token: ConnectionToken, from sequence: UInt32, outstanding: UInt32) -> UInt64 {
        guard !waiting.isEmpty else { return 0 }
        var dropped: UInt64 = 0
        for step in 0..<outstanding
        where waiting.removeValue(forKey: Place(token: token, sequence: sequence &+ step)) != nil { dropped += 1 }
        return dropped
    }
}
