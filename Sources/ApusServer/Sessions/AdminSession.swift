// HTTP requests to the admin endpoint: read here, answered off the loop in the order they came. It must never know what
// a path means.

import ApusReactor
import ApusWire

package enum AdminSession {
    private static let decoder = HTTPRequestDecoder()
    /// Requests of one connection that may wait for their answers; more stay unread.
    private static let requestsMax: UInt32 = 8

    static func answer(
        _ bytes: RawSpan, of slot: UInt32, _ connection: UnsafeMutablePointer<Connection>,
        in state: UnsafeMutablePointer<ShardState>
    ) -> SessionProgress {
        var offset = 0
        while true {
            switch decoder.step(bytes, at: offset) {
            case .incomplete(let byteCountNeeded):
                return SessionProgress(consumedByteCount: offset, stop: .incomplete(byteCountNeeded: byteCountNeeded))
            case .violation(let violation):
                state.pointee.sayLast(AdminResponse.encodeRefusal(violation), to: slot, connection)
                return SessionProgress(consumedByteCount: bytes.byteCount, stop: .finish(.badRequest))
            case .request(let layout):
                guard mayAnswer(connection, in: state) else {
                    return SessionProgress(consumedByteCount: offset, stop: .paused)
                }
                start(layout, bytes, of: slot, connection, in: state)
                if !layout.keepsAlive {
                    return SessionProgress(consumedByteCount: bytes.byteCount, stop: .finish(.disconnect))
                }
                offset = layout.end
            }
        }
    }

    private static func mayAnswer(
        _ connection: UnsafeMutablePointer<Connection>, in state: UnsafeMutablePointer<ShardState>
    ) -> Bool {
        connection.pointee.asyncOutstanding < requestsMax && PacketLoop.mayReply(connection, in: state)
    }

    private static func start(
        _ layout: HTTPRequestLayout, _ bytes: RawSpan, of slot: UInt32,
        _ connection: UnsafeMutablePointer<Connection>, in state: UnsafeMutablePointer<ShardState>
    ) {
        let listener = connection.pointee.listener
        let isLocal = isUnixSocket(connection.pointee.descriptor)
        connection.pointee.lastMessage = state.pointee.now
        state.pointee.counters.listeners[listener].pointee.messages.add()
        guard let desk = state.pointee.admin else { preconditionFailure("an admin listener without its desk") }
        let token = ConnectionToken(
            shard: state.pointee.index, generation: connection.pointee.generation, slot: slot)
        let request = AsyncRequest(
            token: token, sequence: connection.pointee.asyncRequested, byteCount: 0, inbox: state.pointee.inbox)
        request.start(desk, AdminRequest(layout, of: bytes, listener: listener, isLocal: isLocal))
        // Wraps, as the count of answers does.
        connection.pointee.asyncRequested &+= 1
    }
}

extension ShardState {
    /// A response to what was no request, behind the answers that are still being made.
    mutating func sayLast(
        _ response: [UInt8], to slot: UInt32, _ connection: UnsafeMutablePointer<Connection>
    ) {
        guard connection.pointee.asyncOutstanding > 0 else {
            // Without a buffer the peer sees the connection end, which says as much.
            _ = append(packets: response.span.bytes, to: connection)
            return
        }
        let token = ConnectionToken(shard: index, generation: connection.pointee.generation, slot: slot)
        asyncReplies.keep(response, for: token, sequence: connection.pointee.asyncRequested)
        connection.pointee.asyncRequested &+= 1
    }
}
