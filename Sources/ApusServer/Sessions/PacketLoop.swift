// The loop that both packet sessions share. It knows packets and how much may wait, not what a payload means.

import ApusReactor
import ApusWire

/// Decode one packet after the other, from `start` on, for as long as replies may be written, and hand on where each
/// lies, header first.
enum PacketLoop {
    @inline(__always)
    static func run(
        _ bytes: RawSpan, from start: Int = 0, with decoder: PacketDecoder,
        _ connection: UnsafeMutablePointer<Connection>, in state: UnsafeMutablePointer<ShardState>,
        answer: (Range<Int>) -> Verdict
    ) -> SessionProgress {
        var offset = start
        var packetCount: UInt64 = 0
        defer { state.pointee.count(messages: packetCount, of: connection.pointee.listener) }
        while true {
            switch decoder.step(bytes, at: offset) {
            case .incomplete(let byteCountNeeded):
                return SessionProgress(consumedByteCount: offset, stop: .incomplete(byteCountNeeded: byteCountNeeded))
            case .violation(let violation):
                return SessionProgress(consumedByteCount: offset, stop: .finish(CloseReason(violation)))
            case .packet(let payload):
                guard mayReply(connection, in: state) else {
                    return SessionProgress(consumedByteCount: offset, stop: .paused)
                }
                switch answer(offset..<payload.upperBound) {
                case .next: break
                case .pause: return SessionProgress(consumedByteCount: offset, stop: .paused)
                case .changed:
                    packetCount += 1
                    return SessionProgress(consumedByteCount: payload.upperBound, stop: .changed)
                case .finish(let reason):
                    return SessionProgress(consumedByteCount: payload.upperBound, stop: .finish(reason))
                }
                packetCount += 1
                offset = payload.upperBound
            }
        }
    }

    /// One message is always admitted; then replies may wait up to the limit, and while the shard's buffers run low a
    /// connection that has replies waiting gets no more.
    @inline(__always)
    static func mayReply(
        _ connection: UnsafeMutablePointer<Connection>, in state: UnsafeMutablePointer<ShardState>
    ) -> Bool {
        let waiting = connection.pointee.unsentByteCount
        if waiting == 0 { return true }
        return waiting < state.pointee.limits.outstandingByteCountMax
            && state.pointee.pool.byteCountInUse < state.pointee.limits.memoryHighWater
    }
}
