// Who a connection's peer is when something stands between: a PROXY header before everything else, or the HTTP fields
// of a proxy that is trusted. What is believed here counts in the limits of addresses, and in logs.

import ApusReactor
import ApusWire

extension Shard where IO: ~Copyable {
    /// The first bytes of a connection to a listener that is behind a proxy.
    mutating func receiveProxyHeader(
        _ bytes: UnsafeMutableRawBufferPointer, _ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>
    ) {
        if connection.pointee.inbound.isEmpty {
            return readProxyHeader(bytes, slot, connection)
        }
        keep(UnsafeRawBufferPointer(bytes), connection, slot)
        guard connection.pointee.phase == .open else { return }
        // What follows the header is received like any bytes, and may be kept: not where it lies now.
        var held = connection.pointee.inbound
        connection.pointee.inbound = Inbound()
        readProxyHeader(held.bytes, slot, connection)
        held.discard(to: &state.pointee.pool)
    }

    private mutating func readProxyHeader(
        _ bytes: UnsafeMutableRawBufferPointer, _ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>
    ) {
        switch ProxyHeaderDecoder().step(RawSpan(_unsafeBytes: UnsafeRawBufferPointer(bytes)), at: 0) {
        case .incomplete: keep(UnsafeRawBufferPointer(bytes), connection, slot)
        case .violation(let violation):
            state.pointee.note(.proxyRefused(violation), of: connection)
            abort(slot, connection, .proxyViolation)
        case .header(let header):
            connection.pointee.awaitsProxyHeader = false
            // Without a source the proxy speaks for itself: a health check.
            if let source = header.source, !state.pointee.believe(source, connection) {
                return abort(slot, connection, .addressLimit)
            }
            let rest = UnsafeMutableRawBufferPointer(rebasing: bytes[header.end...])
            if rest.count > 0 { receiveWire(rest, slot, connection) }
        }
    }
}

extension ShardState {
    /// The peer is at that address. False: whoever is there has all the connections one may have.
    mutating func believe(_ endpoint: IPEndpoint, _ connection: UnsafeMutablePointer<Connection>) -> Bool {
        let host = HostAddress(high: endpoint.address.high, low: endpoint.address.low)
        connection.pointee.forwarded = ForwardedAddress(host: host, port: endpoint.port)
        guard !addressPolicy.isOff, !addressPolicy.trusts(host) else { return true }
        guard case .admitted(let place) = shared.hosts.admit(host.site, addressPolicy.limits, at: now) else {
            return false
        }
        shared.hosts.release(connection.pointee.hostPlace)
        connection.pointee.hostPlace = place
        return true
    }

    /// Where a connection's peer is, as far as anybody knows.
    func peerAddress(of connection: UnsafeMutablePointer<Connection>) -> SocketAddress? {
        if let forwarded = connection.pointee.forwarded { return forwarded.address }
        return ApusReactor.peerAddress(of: connection.pointee.descriptor)
    }
}

/// An address that a proxy has told.
struct ForwardedAddress: BitwiseCopyable {
    let host: HostAddress
    /// 0: nobody knows.
    let port: UInt16

    var address: SocketAddress { SocketAddress(host: host, port: port) }
}
