// Sealed packets (NPRO §3): each payload is opened where it lies, unpacked if it came packed, and answered as the
// session beneath answers payloads.

import ApusReactor
import ApusSecurity
import ApusWire

enum SealedSession {
    /// - Parameter bytes: packets, which are overwritten with their plaintext.
    static func answer(
        _ bytes: UnsafeMutableRawBufferPointer, with sealed: UnsafeMutablePointer<SealedConnection>, of slot: UInt32,
        _ connection: UnsafeMutablePointer<Connection>, in state: UnsafeMutablePointer<ShardState>
    ) -> SessionProgress {
        let span = RawSpan(_unsafeBytes: UnsafeRawBufferPointer(bytes))
        return PacketLoop.run(span, with: connection.pointee.decoder, connection, in: state) { packet in
            let payload = packet.lowerBound + PacketFormat.headerByteCount..<packet.upperBound
            return answer(
                payload: UnsafeMutableRawBufferPointer(rebasing: bytes[payload]), with: sealed, of: slot, connection,
                in: state)
        }
    }

    private static func answer(
        payload: UnsafeMutableRawBufferPointer, with sealed: UnsafeMutablePointer<SealedConnection>, of slot: UInt32,
        _ connection: UnsafeMutablePointer<Connection>, in state: UnsafeMutablePointer<ShardState>
    ) -> Verdict {
        let opened: Range<Int>
        do throws(SealedViolation) {
            opened = try sealed.pointee.open(payload, with: &state.pointee.aead)
        } catch {
            return .finish(CloseReason(error))
        }
        let plaintext = UnsafeRawBufferPointer(rebasing: payload[opened])
        guard let content = unpack(plaintext, sealed, connection, in: state) else {
            return .finish(.decompression)
        }
        let span = RawSpan(_unsafeBytes: content)
        let verdict =
            switch connection.pointee.session {
            case .message: MessageSession.answer(payload: span, of: slot, connection, in: state)
            case .packet: PacketSession.answer(payload: span, of: slot, connection, in: state)
            // Does not come: the configuration refuses it.
            case .admin, .relay: Verdict.finish(.malformedMessage)
            }
        if case .pause = verdict { sealed.pointee.isFrontOpened = true }
        return verdict
    }

    /// The payload itself; nil when it does not unpack within its limits.
    @inline(__always)
    private static func unpack(
        _ plaintext: UnsafeRawBufferPointer, _ sealed: UnsafeMutablePointer<SealedConnection>,
        _ connection: UnsafeMutablePointer<Connection>, in state: UnsafeMutablePointer<ShardState>
    ) -> UnsafeRawBufferPointer? {
        guard let algorithm = sealed.pointee.compression else { return plaintext }
        return state.pointee.unpack(plaintext, as: algorithm, for: connection)
    }
}
