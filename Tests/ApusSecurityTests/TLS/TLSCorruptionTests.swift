// Bytes that no conforming peer sends: damaged flights and records, other protocols, noise.

import Testing

@testable import ApusSecurity

@Suite struct TLSCorruptionTests {
    /// Which message of the handshake is damaged.
    enum Flight: CaseIterable, Sendable {
        case clientHello, serverFlight, clientFlight
    }

    /// One bit of one byte, for every byte: no handshake whose two sides saw different bytes is completed by both.
    @Test(arguments: TLSVersion.allCases, Flight.allCases)
    func everyByteOfAFlight(version: TLSVersion, flight: Flight) throws {
        let server = try serverContext()
        let client = try clientContext { $0.only(version) }
        var (offset, count, harmless) = (0, 1, 0)
        while offset < count {
            let pair = TLSPair(client: try TLSEnd(client), server: try TLSEnd(server))
            count = run(pair, damaging: flight, at: offset)
            if pair.client.isComplete && pair.server.isComplete {
                harmless += 1
                pair.exchange()
            }
            offset += 1
        }
        // The version in the header of an unencrypted record is not looked at (RFC 8446 §5.1): two bytes a record.
        #expect(harmless <= 8)
        #expect(offset > 40)
    }

    /// Runs the handshake and returns the length of the damaged flight.
    private func run(_ pair: TLSPair, damaging flight: Flight, at offset: Int) -> Int {
        _ = pair.client.turn()
        if flight == .clientHello { return damage(pair, from: pair.client, to: pair.server, at: offset) }
        pair.carry(pair.client, to: pair.server)
        _ = pair.server.turn()
        if flight == .serverFlight { return damage(pair, from: pair.server, to: pair.client, at: offset) }
        pair.carry(pair.server, to: pair.client)
        _ = pair.client.turn()
        return damage(pair, from: pair.client, to: pair.server, at: offset)
    }

    private func damage(_ pair: TLSPair, from source: TLSEnd, to target: TLSEnd, at offset: Int) -> Int {
        let count = source.outbound.count
        if offset < count { source.outbound[offset] ^= 1 << UInt8(offset % 8) }
        pair.carry(source, to: target)
        pair.run()
        return count
    }

    /// A record of a session, damaged at each byte: refused, with an alert, and nothing of it heard.
    @Test(arguments: TLSVersion.allCases)
    func everyByteOfARecord(version: TLSVersion) throws {
        let server = try serverContext()
        let client = try clientContext { $0.only(version) }
        var (offset, count) = (0, 1)
        while offset < count {
            let pair = TLSPair(client: try TLSEnd(client), server: try TLSEnd(server))
            pair.run()
            pair.client.unsaid = Array("attack at dawn".utf8)
            _ = pair.client.turn()
            count = pair.client.outbound.count
            pair.client.outbound[offset] ^= 0x10
            pair.carry(pair.client, to: pair.server)
            pair.run()
            #expect(pair.server.heard.isEmpty)
            // A length that grew, only, leaves the record incomplete.
            if pair.server.failure == nil {
                #expect(offset == 3 || offset == 4)
            } else {
                #expect(pair.server.session.receiveEnd().isFailure)
                #expect(pair.client.failure != nil)
            }
            offset += 1
        }
        #expect(offset > 30)
    }

    @Test func aDamagedRecordIsABadRecord() throws {
        for version in TLSVersion.allCases {
            let pair = try makePair(client: { $0.only(version) })
            pair.run()
            pair.client.unsaid = [1]
            _ = pair.client.turn()
            let last = pair.client.outbound.count - 1
            pair.client.outbound[last] ^= 1
            pair.carry(pair.client, to: pair.server)
            pair.run()
            #expect(pair.server.failure == .badRecord)
            #expect(pair.client.failure == .alertReceived(20))
            // The session says so again, whatever is asked of it.
            pair.server.inbound = [1, 2, 3]
            _ = pair.server.turn()
            #expect(pair.server.failure == .badRecord)
            #expect(pair.server.session.receiveEnd() == .failed(.badRecord))
        }
    }

    /// A replayed record, and one that is left out, are damaged ones: the sequence number is in the nonce.
    @Test(arguments: TLSVersion.allCases)
    func recordsOutOfOrder(version: TLSVersion) throws {
        for isReplay in [true, false] {
            let pair = try makePair(client: { $0.only(version) })
            pair.run()
            pair.client.unsaid = [1]
            _ = pair.client.turn()
            let first = pair.client.outbound
            pair.client.outbound = []
            pair.client.unsaid = [2]
            _ = pair.client.turn()
            pair.server.inbound = isReplay ? first + first : pair.client.outbound
            pair.client.outbound = []
            pair.run()
            #expect(pair.server.failure == .badRecord)
            #expect(pair.server.heard == (isReplay ? [1] : []))
        }
    }

    @Test func otherProtocols() throws {
        let strangers = [
            "GET / HTTP/1.1\r\nHost: relay.test\r\n\r\n", "CONNECT relay.test:443 HTTP/1.1\r\n\r\n",
            "NPRO\u{1}\0\0\0\u{4}\u{1}\0\0\0", "SSH-2.0-OpenSSH_9.2\r\n", "\0\0\0\0\0\0\0\0\0\0\0",
        ]
        for stranger in strangers {
            let server = try TLSEnd(serverContext())
            server.inbound = Array(stranger.utf8)
            while server.turn() {}
            #expect(server.failure == .notTLS, "\(stranger.prefix(8)): \(String(describing: server.failure))")
        }
    }

    @Test func alertsAreTold() throws {
        let pair = try makePair()
        _ = pair.client.turn()
        pair.client.inbound = [21, 3, 3, 0, 2, 2, 80]
        _ = pair.client.turn()
        #expect(pair.client.failure == .alertReceived(80))
        #expect(pair.client.failure?.description.contains("internal error") == true)
        // close_notify instead of a hello.
        pair.server.inbound = [21, 3, 3, 0, 2, 1, 0]
        _ = pair.server.turn()
        #expect(!pair.server.isComplete)
    }

    /// Noise in front of, inside and after the handshake never does more than fail.
    @Test func noise() throws {
        var generator = SystemRandomNumberGenerator()
        let seed = UInt64.random(in: 0 ... .max, using: &generator)
        print("noise: seed \(seed)")
        var state = seed
        func byte() -> UInt8 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407  // wraps: Knuth's MMIX generator
            return UInt8(truncatingIfNeeded: state >> 56)
        }
        let server = try serverContext()
        let client = try clientContext()
        for round in 0..<300 {
            let pair = TLSPair(client: try TLSEnd(client), server: try TLSEnd(server))
            let target = round.isMultiple(of: 2) ? pair.server : pair.client
            if round % 3 == 1 { _ = pair.client.turn() }
            if round % 3 == 2 { pair.run() }
            let header: [UInt8] = round.isMultiple(of: 5) ? [] : [20 + byte() % 5, 3, 3, 0, 80]
            target.inbound = header + (0..<Int(byte())).map { _ in byte() }
            pair.run()
            #expect(target.heard.isEmpty)
            #expect(target.failure != nil || !target.session.receiveEnd().isFailure || target.inbound.isEmpty)
        }
    }
}
