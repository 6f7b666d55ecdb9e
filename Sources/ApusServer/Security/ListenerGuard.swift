// What one shard holds for one listener's security: the TLS context of new connections, and what packs payloads.

import ApusCompression
import ApusReactor
import ApusSecurity
import ApusWire

struct ListenerGuard: ~Copyable {
    enum Start {
        case plain
        case handshake(HandshakeSettings)
        case tls
    }

    /// What a new connection begins with.
    let start: Start
    var packer: PayloadPacker
    /// Connections that stand keep the one they began with.
    private var tls: TLSContext?

    init(_ security: ListenerSecurity, tickets: TicketKeys) throws(TLSConfigurationError) {
        var compression = CompressionSettings()
        switch security {
        case .none: start = .plain
        case .handshake(var settings, let agreed):
            settings.compression = agreed.algorithms.map(\.rawValue)
            compression = agreed
            start = .handshake(settings)
        case .tls(let material):
            start = .tls
            tls = try TLSContext(server: material, tickets: tickets)
        }
        packer = PayloadPacker(compression, byteCountMax: PacketFormat.payloadByteCountMax)
    }

    /// One for each listener; the caller deinitialises and deallocates them.
    static func allocate(
        _ securities: [ListenerSecurity], tickets: TicketKeys
    ) throws(TLSConfigurationError) -> UnsafeMutablePointer<ListenerGuard> {
        let guards = UnsafeMutablePointer<ListenerGuard>.allocate(capacity: max(securities.count, 1))
        for (index, security) in securities.enumerated() {
            do throws(TLSConfigurationError) {
                (guards + index).initialize(to: try ListenerGuard(security, tickets: tickets))
            } catch {
                guards.deinitialize(count: index)
                guards.deallocate()
                throw error
            }
        }
        return guards
    }

    /// A session for a new connection. Nil: OpenSSL has no memory for one.
    mutating func makeTLS(at now: Instant, tickets: TicketKeys) -> UnsafeMutablePointer<TLSConnection>? {
        tickets.advance(to: now.nanoseconds / .second)
        do throws(TLSConfigurationError) {
            guard let session = try makeSession() else { return nil }
            let connection = UnsafeMutablePointer<TLSConnection>.allocate(capacity: 1)
            connection.initialize(to: TLSConnection(session))
            return connection
        } catch {
            return nil
        }
    }

    private func makeSession() throws(TLSConfigurationError) -> TLSSession? {
        switch tls {
        case .some(let context): try TLSSession(context)
        case nil: nil
        }
    }

    /// False: OpenSSL has no memory for another context; the old one stays.
    mutating func replaceTLS(_ material: TLSMaterial, tickets: TicketKeys) -> Bool {
        do throws(TLSConfigurationError) {
            tls = try TLSContext(server: material, tickets: tickets)
            return true
        } catch {
            return false
        }
    }
}
