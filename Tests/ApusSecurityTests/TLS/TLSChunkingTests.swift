// The wire in small and awkward pieces: whatever the pieces, the same is heard.

import Testing

@testable import ApusSecurity

@Suite struct TLSChunkingTests {
    @Test(arguments: TLSVersion.allCases)
    func awkwardRooms(version: TLSVersion) throws {
        let rooms = [
            Rooms(wire: 1), Rooms(wire: 1, plaintext: 1, records: TLSSession.recordRoomByteCountMin),
            Rooms(wire: 7, plaintext: 1), Rooms(plaintext: 1), Rooms(plaintext: 1000, records: 1200),
            Rooms(records: TLSSession.recordRoomByteCount), Rooms(wire: 4096, plaintext: 16 << 10, records: 4096),
        ]
        for room in rooms {
            let isSlow = room.wire < 10 || room.plaintext < 10
            let (question, answer) = (pattern(1200, seed: 1), pattern(isSlow ? 2500 : 40_000, seed: 2))
            let pair = try makePair(client: { $0.only(version) }, rooms: room)
            pair.run()
            #expect(pair.client.isComplete && pair.server.isComplete)
            pair.exchange(question, answer)
            pair.exchange(answer, [])
            pair.exchange([7], [8])
        }
    }

    /// The handshake goes on however few bytes there are for its records.
    @Test(arguments: TLSVersion.allCases, [1, 5, 100])
    func handshakeThroughATinyRoom(version: TLSVersion, room: Int) throws {
        let pair = try makePair(client: { $0.only(version) }, rooms: Rooms(records: room))
        pair.run()
        #expect(pair.client.isComplete && pair.server.isComplete)
        // A message takes a record's overhead, so it waits for room instead of being cut.
        pair.client.unsaid = [1]
        pair.run()
        #expect(pair.client.unsaid == (room > TLSSession.recordOverheadMax ? [] : [1]))
    }

    /// The server's first flight, cut in two at each byte.
    @Test(arguments: TLSVersion.allCases)
    func everySplitOfAFlight(version: TLSVersion) throws {
        let server = try serverContext()
        let client = try clientContext { $0.only(version) }
        var (split, flightByteCount) = (0, 1)
        while split < flightByteCount {
            let pair = TLSPair(client: try TLSEnd(client), server: try TLSEnd(server))
            _ = pair.client.turn()
            pair.carry(pair.client, to: pair.server)
            _ = pair.server.turn()
            let flight = pair.server.outbound
            pair.server.outbound = []
            flightByteCount = flight.count
            pair.client.inbound = Array(flight.prefix(split))
            while pair.client.turn() {}
            // The length of a signature varies by a byte or two, so the last cut may fall behind the end.
            #expect(pair.client.isComplete == (version == .tls13 && split >= flight.count))
            pair.client.inbound += flight.dropFirst(split)
            pair.run()
            #expect(pair.client.isComplete && pair.server.isComplete)
            split += 1
        }
        #expect(split > 500)
    }

    /// The last of the handshake, two messages and close_notify in one piece.
    @Test(arguments: TLSVersion.allCases)
    func coalescedRecords(version: TLSVersion) throws {
        let pair = try makePair(client: { $0.only(version) })
        while !pair.client.isComplete {
            _ = pair.client.turn()
            if pair.client.isComplete { break }
            pair.carry(pair.client, to: pair.server)
            _ = pair.server.turn()
            pair.carry(pair.server, to: pair.client)
        }
        pair.client.unsaid = Array("first".utf8)
        _ = pair.client.turn()
        pair.client.unsaid = Array("second".utf8)
        _ = pair.client.turn()
        pair.client.close()
        pair.carry(pair.client, to: pair.server)
        _ = pair.server.turn()
        #expect(pair.server.isHandshakeComplete)
        #expect(pair.server.heard == Array("firstsecond".utf8))
        #expect(pair.server.state == .closedByPeer)
    }

    @Test func aCertificateLargerThanARecord() throws {
        let identities = try TestIdentities.shared.get()
        for version in TLSVersion.allCases {
            for rooms in [Rooms(), Rooms(wire: 1000, records: 1500)] {
                let pair = try makePair(
                    client: { $0.only(version) }, server: { $0.use(identities.huge) }, rooms: rooms)
                _ = pair.client.turn()
                pair.carry(pair.client, to: pair.server)
                while pair.server.turn() {}
                #expect(pair.server.outbound.count > TLSSession.recordRoomByteCount)
                pair.carry(pair.server, to: pair.client)
                pair.run()
                #expect(pair.client.isComplete && pair.server.isComplete)
                pair.exchange()
            }
        }
    }

    @Test func aCertificateLargerThanTheLimit() throws {
        let identities = try TestIdentities.shared.get()
        let pair = try makePair(server: { $0.use(identities.monstrous) })
        pair.run()
        #expect(pair.client.failure?.label.description == "handshake_failed")
        #expect(!pair.server.isComplete)
    }

    /// Whole records only: what does not fit waits in plaintext.
    @Test func plaintextWaitsForRoom() throws {
        let pair = try makePair()
        pair.run()
        let said = pattern(100_000, seed: 3)
        var sealed = 0
        var records = [UInt8](repeating: 0, count: TLSSession.recordRoomByteCount)
        while sealed < said.count {
            let step = said[sealed...].withUnsafeBytes { said in
                records.withUnsafeMutableBytes { pair.client.session.send(said, records: $0) }
            }
            #expect(step.plaintextByteCount == min(16 << 10, said.count - sealed))
            #expect(step.state == (sealed + step.plaintextByteCount == said.count ? .open : .wantsRecordRoom))
            sealed += step.plaintextByteCount
            pair.server.inbound += records.prefix(step.recordByteCount)
        }
        pair.run()
        #expect(pair.server.heard == said)
    }
}

func pattern(_ count: Int, seed: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 * 31 + $0 / 251 + seed) }
}
