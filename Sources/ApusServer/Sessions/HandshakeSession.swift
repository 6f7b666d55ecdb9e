// The packets before the first sealed one: NPRO's handshake, server side (NPRO §2).

import ApusReactor
import ApusSecurity
import ApusWire

enum HandshakeSession {
    /// Longer than any handshake message with its extension, so that a stranger cannot have more gathered.
    private static let decoder = PacketDecoder(payloadByteCountMax: HandshakeFormat.payloadByteCountMax)

    static func answer(
        _ bytes: RawSpan, with handshake: UnsafeMutablePointer<ServerHandshake>,
        _ connection: UnsafeMutablePointer<Connection>, in state: UnsafeMutablePointer<ShardState>
    ) -> SessionProgress {
        PacketLoop.run(bytes, with: decoder, connection, in: state) { packet in
            let payload = bytes.extracting(packet).extracting(droppingFirst: PacketFormat.headerByteCount)
            return step(payload, handshake, connection, in: state)
        }
    }

    @inline(never)
    private static func step(
        _ payload: RawSpan, _ handshake: UnsafeMutablePointer<ServerHandshake>,
        _ connection: UnsafeMutablePointer<Connection>, in state: UnsafeMutablePointer<ShardState>
    ) -> Verdict {
        do throws(HandshakeRefusal) {
            let moment = HandshakeMoment(
                wallMilliseconds: WallClock.milliseconds(), monotonicNanoseconds: state.pointee.now.nanoseconds)
            let step = try handshake.pointee.receive(
                payload, from: peerHostKey(of: connection.pointee.descriptor), at: moment,
                replay: state.pointee.replay)
            switch consume step {
            case .reply(let reply):
                return state.pointee.append(payload: reply.span.bytes, to: connection) ? .next : .finish(.memoryBudget)
            case .established(let session):
                state.pointee.establish(connection, session)
                return .changed
            }
        } catch {
            state.pointee.counters.count(error)
            state.pointee.note(.handshakeRefused(error), of: connection)
            return .finish(.handshakeRefused)
        }
    }
}
