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
    /// When the ticket keys were last told the time: they lock.
    private var ticketMinute = UInt64.max

    init(
        _ security: ListenerSecurity, tickets: TicketKeys, payloadByteCountMax: Int
    ) throws(TLSConfigurationError) {
        var compression = CompressionSettings()
        switch security {
        case .none: start = .plain
        case .handshake(let settings, let agreed):
            compression = agreed
            start = .handshake(ListenerSecurity.offering(agreed, in: settings))
        case .tls(let material):
            start = .tls
            tls = try TLSContext(server: material, tickets: tickets)
        }
        packer = PayloadPacker(
            compression, byteCountMax: PacketFormat.payloadByteCountMax, unpackedByteCountMax: payloadByteCountMax)
    }

    /// One for each listener; the caller deinitialises and deallocates them.
    static func allocate(
        _ securities: [ListenerSecurity], tickets: TicketKeys, payloadByteCountMax: Int
    ) throws(TLSConfigurationError) -> UnsafeMutablePointer<ListenerGuard> {
        let guards = UnsafeMutablePointer<ListenerGuard>.allocate(capacity: max(securities.count, 1))
        for (index, security) in securities.enumerated() {
            do throws(TLSConfigurationError) {
                (guards + index).initialize(
                    to: try ListenerGuard(
                        security, tickets: tickets, payloadByteCountMax: payloadByteCountMax))
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
        let minute = now.nanoseconds / (60 * .second)
        if minute != ticketMinute {
            ticketMinute = minute
            tickets.advance(to: now.nanoseconds / .second)
        }
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
