// How a connection gets its protection, and loses it.

import ApusReactor
import ApusSecurity

extension ShardState {
    /// What the listener asks for. A reason: this connection may not begin now.
    mutating func protect(_ connection: inout Connection) -> RefusalReason? {
        let start = guards[Int(connection.listener)].start
        // A relay's peer has to say who it is, whatever protects it.
        if case .plain = start, connection.session != .relay { return nil }
        guard handshakeCount < limits.handshakesAtOnce else { return .handshakeLimit }
        switch start {
        case .plain: break
        case .handshake(let settings):
            let handshake = UnsafeMutablePointer<ServerHandshake>.allocate(capacity: 1)
            handshake.initialize(to: ServerHandshake(settings))
            connection.protection = .handshake(handshake)
        case .tls:
            guard let tls = guards[Int(connection.listener)].makeTLS(at: now, tickets: shared.tickets)
            else { return .noSession }
            connection.protection = .tls(tls)
        }
        connection.isEstablished = false
        handshakeCount += 1
        return nil
    }

    /// Keys are agreed on: from here on every packet is sealed.
    mutating func establish(
        _ connection: UnsafeMutablePointer<Connection>, _ session: consuming EstablishedSession
    ) {
        connection.pointee.protection.release(to: &pool)
        let sealed = UnsafeMutablePointer<SealedConnection>.allocate(capacity: 1)
        sealed.initialize(to: SealedConnection(session))
        connection.pointee.protection = .sealed(sealed)
        counters.handshakes.add()
        established(connection)
    }

    /// The session may speak: there are keys, or a relay's peer has logged in.
    mutating func established(_ connection: UnsafeMutablePointer<Connection>) {
        connection.pointee.isEstablished = true
        handshakeCount -= 1
        note(.established, of: connection)
    }

    /// The connection ends, whether it had keys or not.
    mutating func unprotect(_ connection: UnsafeMutablePointer<Connection>) {
        if !connection.pointee.isEstablished {
            connection.pointee.isEstablished = true
            handshakeCount -= 1
        }
        connection.pointee.protection.release(to: &pool)
        connection.pointee.protection = .none
    }

    /// Handshakes that begin from now on use it. What was checked when it was made cannot fail here, short of memory;
    /// then the old one stays.
    mutating func replaceTLS(_ material: TLSMaterial, listener: Int) {
        let isReplaced = guards[listener].replaceTLS(material, tickets: shared.tickets)
        if isReplaced { counters.tlsReloads.add() } else { counters.tlsReloadsFailed.add() }
        note(isReplaced ? .certificateReplaced : .certificateKept, listener: listener)
    }
}
