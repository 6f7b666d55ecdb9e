// Packets with an opaque payload: each goes to the raw packet handler, which answers with packets.

import ApusReactor
import ApusWire

enum PacketSession {
    static func answer(
        _ bytes: RawSpan, of slot: UInt32, _ connection: UnsafeMutablePointer<Connection>,
        in state: UnsafeMutablePointer<ShardState>
    ) -> SessionProgress {
        PacketLoop.run(bytes, with: connection.pointee.decoder, connection, in: state) { packet in
            let payload = bytes.extracting(packet).extracting(droppingFirst: PacketFormat.headerByteCount)
            return answer(payload: payload, of: slot, connection, in: state)
        }
    }

    /// Answer one payload.
    @inline(__always)
    static func answer(
        payload: RawSpan, of slot: UInt32, _ connection: UnsafeMutablePointer<Connection>,
        in state: UnsafeMutablePointer<ShardState>
    ) -> Verdict {
        // Without a handler every packet asks for nothing.
        let isIdle = payload.byteCount == 0 || state.pointee.routes.packetHandler == nil
        if isIdle, !state.pointee.admitControl(connection) { return .finish(.controlFlood) }
        guard let handler = state.pointee.routes.packetHandler else { return .next }
        var reply = Reply(to: connection, in: state)
        handler(payload, Context(connection, slot: slot, in: state), &reply)
        connection.pointee.lastMessage = state.pointee.now
        return reply.closing.map { .finish($0) } ?? .next
    }
}
