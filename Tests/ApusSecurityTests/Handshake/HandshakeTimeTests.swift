// The window of the timestamp, at its bounds (NPRO §2.3).

import ApusSecurity
import Testing

struct HandshakeTimeTests {
    private func refusal(timestamp: UInt64, wall: UInt64) -> HandshakeRefusal? {
        let replay = ReplayTable(handshakesPerSecond: 1)
        var client = ClientHandshake(.init())
        var server = ServerHandshake(.init())
        let moment = HandshakeMoment(wallMilliseconds: wall, monotonicNanoseconds: 0)
        do throws(HandshakeRefusal) {
            _ = try server.reply(to: client.start(wallMilliseconds: timestamp), at: moment, replay: replay)
            return nil
        } catch {
            return error
        }
    }

    @Test func boundsAreInside() {
        let wall = HandshakeRig.wall
        #expect(refusal(timestamp: wall, wall: wall) == nil)
        #expect(refusal(timestamp: wall - 30_000, wall: wall) == nil)
        #expect(refusal(timestamp: wall - 30_001, wall: wall) == .staleTimestamp)
        #expect(refusal(timestamp: wall + 2_000, wall: wall) == nil)
        #expect(refusal(timestamp: wall + 2_001, wall: wall) == .futureTimestamp)
    }

    /// Those that would overflow a careless difference.
    @Test func extremesAreRefused() {
        #expect(refusal(timestamp: 0, wall: HandshakeRig.wall) == .staleTimestamp)
        #expect(refusal(timestamp: .max, wall: HandshakeRig.wall) == .futureTimestamp)
        #expect(refusal(timestamp: .max, wall: .max) == nil)
        #expect(refusal(timestamp: 0, wall: .max) == .staleTimestamp)
        #expect(refusal(timestamp: 2_000, wall: 0) == nil)
        #expect(refusal(timestamp: 2_001, wall: 0) == .futureTimestamp)
        #expect(refusal(timestamp: 0, wall: 30_000) == nil)
        #expect(refusal(timestamp: 0, wall: 30_001) == .staleTimestamp)
    }

    /// What other clients send (NPRO §10).
    @Test func customaryClocksAreAccepted() {
        let wall = HandshakeRig.wall
        for (offset, expected) in [(-10_000, HandshakeRefusal?.none), (-31_000, .staleTimestamp), (1_000, nil),
            (3_000, .futureTimestamp), (-5_000, nil)]
        {
            let timestamp = UInt64(Int64(wall) + Int64(offset))
            #expect(refusal(timestamp: timestamp, wall: wall) == expected, "\(offset) ms")
        }
    }
}
