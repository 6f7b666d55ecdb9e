// Idle connections of packets: each has exchanged one Echo.

import ApusReactor

struct IdlePackets: IdleConnections, ~Copyable {
    private static let textByteCount = 64

    private var connections: ConnectionSet

    init(_ configuration: IdleLoadConfiguration) throws(LoadError) {
        connections = try ConnectionSet(
            to: configuration.address, count: configuration.connections,
            from: SourceAddresses(for: configuration.address),
            requests: EchoRequests(
                connections: configuration.connections, textByteCount: IdlePackets.textByteCount, countPerSendMax: 1),
            outstandingMax: 0, security: configuration.security, tier: configuration.tier)
    }

    var address: SocketAddress { connections.address }
    var now: Instant { connections.now }
    var started: Int { connections.started }
    var failedCount: Int { connections.errors.connect }
    var openCount: Int { connections.openCount }

    mutating func open(upTo target: Int) throws(LoadError) { try connections.open(upTo: target) }

    mutating func beginExchange(_ range: Range<Int>) {
        for index in range { connections.request(1, on: index) }
        connections.flush()
    }

    func isExchanging(_ range: Range<Int>) -> Bool { range.contains { connections.waits(on: $0) } }

    /// A server answers everything.
    mutating func repeatExchange(_ range: Range<Int>) {}

    mutating func turn(until deadline: Instant) -> Bool {
        connections.wait(until: deadline)
        var hasArrived = false
        while connections.next() != nil { hasArrived = true }
        connections.flush()
        return hasArrived
    }

    mutating func close() { connections.close() }
}
