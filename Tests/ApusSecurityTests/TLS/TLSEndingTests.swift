// How sessions end, and what goes on while they live: close_notify, truncation, KeyUpdate.

import Testing

@testable import ApusSecurity

@Suite struct TLSEndingTests {
    private func openPair(_ version: TLSVersion, rooms: Rooms = Rooms()) throws -> TLSPair {
        let pair = try makePair(client: { $0.only(version) }, rooms: rooms)
        pair.run()
        #expect(pair.client.isComplete && pair.server.isComplete)
        return pair
    }

    @Test(arguments: TLSVersion.allCases, [true, false])
    func closingEitherWay(version: TLSVersion, clientFirst: Bool) throws {
        let pair = try openPair(version)
        let (first, second) = clientFirst ? (pair.client, pair.server) : (pair.server, pair.client)
        first.close()
        pair.run()
        #expect(second.state == .closedByPeer)
        #expect(second.session.receiveEnd() == .closedByPeer)
        #expect(first.state == .open)
        // TLS 1.3 closes one direction at a time, and so do we in TLS 1.2: what was under way still arrives.
        second.unsaid = Array("the last word".utf8)
        pair.run()
        #expect(first.heard == Array("the last word".utf8))
        second.close()
        pair.run()
        #expect(first.state == .closedByPeer)
        #expect(first.session.receiveEnd() == .closedByPeer)
    }

    @Test(arguments: TLSVersion.allCases)
    func truncationIsSeen(version: TLSVersion) throws {
        let pair = try openPair(version)
        pair.exchange()
        #expect(pair.server.session.receiveEnd() == .failed(.truncated))
        pair.client.unsaid = [1]
        pair.run()
        #expect(pair.server.failure == .truncated)
        #expect(pair.server.heard == Array("ping".utf8))
    }

    @Test func truncationOfAHandshake() throws {
        let pair = try makePair()
        _ = pair.client.turn()
        #expect(pair.client.session.receiveEnd() == .failed(.truncated))
        #expect(pair.server.session.receiveEnd() == .failed(.truncated))
    }

    @Test func nothingIsSealedBeforeTheHandshake() throws {
        let pair = try makePair()
        var records = [UInt8](repeating: 0, count: 100)
        let step = records.withUnsafeMutableBytes { records in
            [UInt8(1), 2].withUnsafeBytes { pair.client.session.send($0, records: records) }
        }
        #expect(
            step
                == TLSStep(wireByteCount: 0, plaintextByteCount: 0, recordByteCount: 0, state: .handshaking))
        let closing = records.withUnsafeMutableBytes { pair.client.session.close(records: $0) }
        #expect(closing.state == .handshaking && closing.recordByteCount == 0)
        pair.run()
        pair.exchange()
    }

    // MARK: KeyUpdate

    /// The peer changes its key and asks for ours to change; the answer waits for room like everything else.
    @Test(arguments: [Rooms(), Rooms(wire: 1, plaintext: 1), Rooms(wire: 5, records: 1200)], [1, 2])
    func keysAreUpdatedOnRequest(rooms: Rooms, times: Int) throws {
        let pair = try openPair(.tls13, rooms: rooms)
        for _ in 0..<times {
            pair.client.session.updateKeys()
            pair.exchange()
            pair.server.session.updateKeys()
            pair.exchange(pattern(3000, seed: 1), pattern(rooms.wire < 10 ? 100 : 40_000, seed: 2))
        }
    }

    /// The answer to a KeyUpdate goes out before our next record, in the room that each record leaves for it.
    @Test func theAnswerRidesWithTheNextRecord() throws {
        let pair = try openPair(.tls13)
        pair.client.session.updateKeys()
        pair.client.unsaid = [1]
        _ = pair.client.turn()
        #expect(recordCount(pair.client.outbound) == 2)
        pair.carry(pair.client, to: pair.server)
        _ = pair.server.turn()
        #expect(pair.server.heard == [1] && pair.server.outbound.isEmpty)
        let said = pattern(TLSSession.fragmentByteCountMin, seed: 0)
        var records = [UInt8](repeating: 0, count: TLSSession.recordRoomByteCountMin)
        let step = said.withUnsafeBytes { said in
            records.withUnsafeMutableBytes { pair.server.session.send(said, records: $0) }
        }
        #expect(step.plaintextByteCount == said.count && step.state == .open)
        pair.client.inbound = Array(records.prefix(step.recordByteCount))
        #expect(recordCount(pair.client.inbound) == 2)
        pair.run()
        #expect(pair.client.heard == said)
        pair.exchange()
    }

    /// A ticket that holds a large client certificate takes two records. Between them OpenSSL seals nothing.
    @Test func halfAMessageHoldsUpSealing() throws {
        let identities = try TestIdentities.shared.get()
        let pair = try makePair(
            client: { $0.use(identities.huge) },
            server: {
                $0.clientVerification = .required
                $0.authorities = .pem(identities.authority.chain)
            }, rooms: Rooms(records: 100_000))
        while !pair.server.isHandshakeComplete {
            _ = pair.client.turn()
            pair.carry(pair.client, to: pair.server)
            _ = pair.server.turn()
            if !pair.server.isHandshakeComplete { pair.carry(pair.server, to: pair.client) }
        }
        let tickets = pair.server.outbound
        pair.server.outbound = []
        let firstByteCount = 5 + Int(tickets[3]) << 8 + Int(tickets[4])
        #expect(firstByteCount < tickets.count)
        pair.client.inbound = Array(tickets.prefix(firstByteCount))
        while pair.client.turn() {}
        var records = [UInt8](repeating: 0, count: TLSSession.recordRoomByteCount)
        for step in [sendOne(pair.client, into: &records), close(pair.client, into: &records)] {
            #expect(step.state == .wantsWire && step.recordByteCount == 0 && step.plaintextByteCount == 0)
        }
        pair.client.inbound = Array(tickets.dropFirst(firstByteCount))
        while pair.client.turn() {}
        pair.exchange()
    }

    private func sendOne(_ end: TLSEnd, into records: inout [UInt8]) -> TLSStep {
        records.withUnsafeMutableBytes { records in
            [UInt8(1)].withUnsafeBytes { end.session.send($0, records: records) }
        }
    }

    private func close(_ end: TLSEnd, into records: inout [UInt8]) -> TLSStep {
        records.withUnsafeMutableBytes { end.session.close(records: $0) }
    }

    /// Half a record is no message yet and holds up nothing.
    @Test func halfARecordHoldsUpNothing() throws {
        let pair = try openPair(.tls13)
        pair.client.session.updateKeys()
        pair.client.unsaid = [1]
        _ = pair.client.turn()
        let wire = pair.client.outbound
        pair.client.outbound = []
        pair.server.inbound = Array(wire.prefix(10))
        pair.server.unsaid = [2]
        while pair.server.turn() {}
        #expect(pair.server.unsaid.isEmpty)
        pair.server.inbound = Array(wire.dropFirst(10))
        pair.run()
        #expect(pair.server.heard == [1] && pair.client.heard == [2])
    }

    /// AES-GCM keys wear out (RFC 8446 §5.5).
    @Test func keysChangeByThemselves() throws {
        let pair = try openPair(.tls13)
        pair.client.session.keyRecordCountMax = 2
        var recordCounts: [Int] = []
        for byte in UInt8(0)..<6 {
            pair.client.unsaid = [byte]
            _ = pair.client.turn()
            recordCounts.append(recordCount(pair.client.outbound))
            pair.carry(pair.client, to: pair.server)
        }
        #expect(recordCounts == [1, 1, 2, 1, 2, 1])
        pair.run()
        #expect(pair.server.heard == [0, 1, 2, 3, 4, 5])
        pair.exchange()
    }

    @Test func keysOfTLS12DoNot() throws {
        let pair = try openPair(.tls12)
        pair.client.session.keyRecordCountMax = 1
        for byte in UInt8(0)..<4 {
            pair.client.unsaid = [byte]
            _ = pair.client.turn()
        }
        #expect(recordCount(pair.client.outbound) == 4)
        pair.run()
        #expect(pair.server.heard == [0, 1, 2, 3])
    }
}
