// Idle peers of a relay: each has sent its partner one datagram.

import ApusReactor

struct IdlePeers: IdleConnections, ~Copyable {
    private static let datagramByteCount = 64

    private var peers: RelayPeers
    private var book = RelayBook(countsDepartures: false)

    init(_ access: RelayAccess, _ configuration: IdleLoadConfiguration) throws(LoadError) {
        try access.validate()
        peers = try RelayPeers(
            access, count: configuration.connections, datagramByteCount: IdlePeers.datagramByteCount,
            from: SourceAddresses(for: access.address))
    }

    var address: SocketAddress { peers.access.address }
    var now: Instant { peers.now }
    var started: Int { peers.started }
    var failedCount: Int { peers.errors.connect }
    var openCount: Int { peers.openCount }

    mutating func open(upTo target: Int) throws(LoadError) { try peers.open(upTo: target, &book) }

    /// In pairs; where the last is alone, with itself.
    mutating func beginExchange(_ range: Range<Int>) {
        for first in stride(from: range.lowerBound, to: range.upperBound, by: 2) {
            peers.pair(first, min(first + 1, range.upperBound - 1))
        }
        for index in range { peers.request(1, from: index) }
        peers.flush(&book)
    }

    /// Where one of a pair is gone there is nothing to wait for.
    func isExchanging(_ range: Range<Int>) -> Bool {
        range.contains { index in
            let partner = peers.peers[index].partner
            let isPair = peers.peers[index].state == .open && peers.peers[partner].state == .open
            return isPair && (peers.peers[partner].owed > 0 || peers.missing(at: index) > 0)
        }
    }

    /// A relay may drop: a shard hears of another's new peers a moment after these are let in.
    mutating func repeatExchange(_ range: Range<Int>) {
        for index in range where peers.missing(at: index) > 0 {
            peers.request(peers.giveUp(at: index), from: peers.peers[index].partner)
        }
        peers.flush(&book)
    }

    mutating func turn(until deadline: Instant) -> Bool {
        peers.wait(until: deadline)
        var hasArrived = false
        while peers.next(&book) != nil { hasArrived = true }
        peers.flush(&book)
        return hasArrived
    }

    mutating func close() { peers.close(&book) }
}
