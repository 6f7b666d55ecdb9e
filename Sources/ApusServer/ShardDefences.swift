// What a peer may take of time: an unfinished packet and replies that wait must get on at a least rate, and messages
// that ask for nothing must not come in floods. It closes nothing: who asks it does.

import ApusReactor
import ApusWire

extension Shard where IO: ~Copyable {
    /// A place for one more connection of this peer's address. A reason: it is refused.
    mutating func admitAddress(of descriptor: Descriptor, _ index: Int) -> Result<HostPlace, AddressRefusal> {
        // Admin connections have a limit of their own: whoever looks after a flooded server must get in.
        if state.pointee.addressPolicy.isOff || speaksAdmin(listeners[index]) { return .success(.none) }
        // The proxy's own address is everybody's: who comes is counted when the proxy has said who it is.
        if state.pointee.proxied.contains(listeners[index].listener) { return .success(.none) }
        // No host: a UNIX socket, or a peer that is gone already, as its first receive will say.
        guard let host = io.host(of: descriptor), !state.pointee.addressPolicy.trusts(host) else {
            return .success(.none)
        }
        if isTrustedProxy(host, index) { return .success(.none) }
        let limits = state.pointee.addressPolicy.limits
        return switch state.pointee.shared.hosts.admit(host.site, limits, at: state.pointee.now) {
        case .admitted(let place): .success(place)
        case .tooFast: .failure(AddressRefusal(reason: .addressRate))
        case .tooMany: .failure(AddressRefusal(reason: .addressLimit))
        }
    }

    /// Whoever comes through it is counted when it has said who that is.
    private func isTrustedProxy(_ host: HostAddress, _ index: Int) -> Bool {
        guard state.pointee.sessions[Int(listeners[index].listener)] == .relay else { return false }
        let proxies = state.pointee.relayShard.pointee.settings.trustedProxies
        return proxies.contains(IPAddress(high: host.high, low: host.low))
    }

    /// What is left of the received bytes is the beginning of a packet, whose rest is awaited from now on.
    mutating func awaitRest(_ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>) {
        connection.pointee.packetSince = state.pointee.now
        guard connection.pointee.isEstablished else { return }
        scheduleTimer(slot, connection, at: state.pointee.now + state.pointee.limits.slowPeerGrace.length)
    }

    /// The same of a TLS record, which holds OpenSSL's buffers.
    mutating func awaitRecord(
        _ tls: UnsafeMutablePointer<TLSConnection>, madeProgress: Bool, _ slot: UInt32,
        _ connection: UnsafeMutablePointer<Connection>
    ) {
        guard connection.pointee.isEstablished, tls.pointee.session.holdsPartialRecord else {
            tls.pointee.recordSince = .never
            return
        }
        guard madeProgress || tls.pointee.recordSince == .never else { return }
        tls.pointee.recordSince = state.pointee.now
        scheduleTimer(slot, connection, at: state.pointee.now + state.pointee.limits.slowPeerGrace.length)
    }

    /// When the packet, or the record, that has begun to arrive must have got further; `never` when none has, and while
    /// this side does not read.
    func restDue(_ connection: UnsafeMutablePointer<Connection>) -> Instant {
        let limits = state.pointee.limits
        if connection.pointee.isPaused { return .never }
        var due = Instant.never
        if !connection.pointee.inbound.isEmpty {
            due = limits.deadline(from: connection.pointee.packetSince, for: connection.pointee.inbound.byteCount)
        }
        if case .tls(let tls) = connection.pointee.protection, tls.pointee.recordSince != .never {
            due = min(due, limits.deadline(from: tls.pointee.recordSince, for: Limits.recordByteCountMin))
        }
        return due
    }

    /// When the replies that are on their way must all have been taken; those that gather meanwhile follow.
    func batchDue(_ connection: UnsafeMutablePointer<Connection>) -> Instant {
        state.pointee.limits.deadline(
            from: connection.pointee.batchSince, for: connection.pointee.outbound.batchByteCount)
    }
}

/// Why an accepted connection is closed again.
struct AddressRefusal: Error {
    let reason: RefusalReason
}

extension ShardState {
    /// One more message that asks for no work: PING, PONG, one that nobody handles, an empty packet. False: too many.
    @inline(never)
    mutating func admitControl(_ connection: UnsafeMutablePointer<Connection>) -> Bool {
        guard let full = limits.control.admit(connection.pointee.controlFull, at: now) else { return false }
        connection.pointee.controlFull = full
        return true
    }
}
