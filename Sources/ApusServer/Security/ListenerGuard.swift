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

    init(_ security: ListenerSecurity, tickets: TicketKeys) throws(TLSConfigurationError) {
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
        packer = PayloadPacker(compression, byteCountMax: PacketFormat.payloadByteCountMax)
    }

    /// One for each slot of a listener, those without one plain; the caller deinitialises and deallocates them.
    static func allocate(
        _ securities: [ListenerSecurity], tickets: TicketKeys
    ) throws(TLSConfigurationError) -> UnsafeMutablePointer<ListenerGuard> {
        let guards = UnsafeMutablePointer<ListenerGuard>.allocate(capacity: Limits.listenersMax)
        for index in 0..<Limits.listenersMax {
            let security = index < securities.count ? securities[index] : .none
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

/// A guard on its way from the thread that made it to the shard that it is for.
///
/// `@unchecked`: it is handed over through the shard's inbox, and only one thread has it at a time.
final class PreparedGuard: @unchecked Sendable {
    private let memory: UnsafeMutablePointer<ListenerGuard>
    private var isTaken = false

    init(_ security: ListenerSecurity, tickets: TicketKeys) throws(TLSConfigurationError) {
        let value = try ListenerGuard(security, tickets: tickets)
        memory = .allocate(capacity: 1)
        memory.initialize(to: value)
    }

    deinit {
        if !isTaken { memory.deinitialize(count: 1) }
        memory.deallocate()
    }

    /// Put it in the place of another; once.
    func replace(_ place: UnsafeMutablePointer<ListenerGuard>) {
        precondition(!isTaken, "a guard was taken twice")
        isTaken = true
        place.deinitialize(count: 1)
        place.moveInitialize(from: memory, count: 1)
    }
}
