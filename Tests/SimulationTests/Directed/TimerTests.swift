// What time does, to the millisecond of the timer wheel: never early, and late by less than a tick.

import ApusReactor
import ApusServer
import Testing

@Suite struct TimerTests {
    private static let tick: Nanoseconds = .millisecond

    /// Runs until just before `due`, then for a tick; says whether the peer's connection began to end in between.
    private func ends(_ rig: Rig, _ peer: HandPeer, at due: Nanoseconds, for reason: CloseReason) -> Bool {
        rig.run(until: due - 1)
        let before = rig.connection(of: peer)?.phase
        rig.run(until: due + Self.tick)
        let reasonAfter = rig.connection(of: peer)?.reason ?? reason
        let phaseAfter = rig.connection(of: peer)?.phase ?? .closed
        return before == .open && phaseAfter != .open && reasonAfter == reason
            && rig.counters.closed(reason) == (rig.connection(of: peer) == nil ? 1 : 0)
    }

    @Test func firstByteTimeout() throws {
        let rig = try Rig { $0.firstByteTimeout = .milliseconds(700) }
        rig.run(until: 3_456_789)
        let peer = rig.connect()
        #expect(ends(rig, peer, at: 3_456_789 + 700 * .millisecond, for: .firstByteTimeout))
        #expect(rig.kernel.violation == nil)
    }

    @Test func aByteInTimeIsEnough() throws {
        let rig = try Rig { $0.firstByteTimeout = .milliseconds(700) }
        let peer = rig.connect()
        rig.run(until: 699 * .millisecond)
        peer.send([0x4E])
        rig.run(until: 10 * .second)
        #expect(rig.connection(of: peer)?.phase == .open)
    }

    @Test func idleTimeoutCountsFromTheLastMessage() throws {
        let rig = try Rig { $0.idleTimeout = .seconds(3) }
        let peer = rig.connect()
        rig.run(until: 2 * .second)
        peer.send(Wire.echo([0x61]))
        rig.run(until: 3 * .second)
        peer.send(Wire.ping)
        #expect(ends(rig, peer, at: 5 * .second, for: .idleTimeout))
        #expect(peer.read() == Wire.echo([0x61]) + Wire.pong)
        #expect(peer.sawFinish)
    }

    /// The peer has the server's FIN and does not answer it: no shard may wait for that for ever, nor spin meanwhile.
    @Test func lingeringAfterAnIdleTimeoutEnds() throws {
        let rig = try Rig { $0.idleTimeout = .seconds(1) }
        let peer = rig.connect()
        peer.send(Wire.ping)
        rig.run(until: 1 * .second + Self.tick)
        #expect(rig.connection(of: peer)?.phase == .lingering)
        rig.run(until: 2999 * .millisecond)
        #expect(rig.connection(of: peer)?.phase == .lingering)
        rig.run(until: 3 * .second + 2 * Self.tick)
        #expect(rig.connection(of: peer) == nil)
        #expect(rig.counters.closed(.idleTimeout) == 1)
    }

    @Test func aSilentPeerIsPingedAndThenDead() throws {
        let rig = try Rig { $0.heartbeatInterval = .seconds(1) }
        let peer = rig.connect()
        peer.send(Wire.echo([0x61]))
        rig.settle()
        #expect(peer.read() == Wire.echo([0x61]))
        for second in 1...3 as ClosedRange<UInt64> {
            rig.run(until: second * .second - 1)
            #expect(peer.read() == [])
            rig.run(until: second * .second + 3 * Self.tick)
            #expect(peer.read() == Wire.ping)
        }
        #expect(ends(rig, peer, at: 4 * .second, for: .deadPeer))
    }

    @Test func whoAnswersPingsLives() throws {
        let rig = try Rig { $0.heartbeatInterval = .seconds(1) }
        let peer = rig.connect()
        peer.send(Wire.ping)
        for second in 1...20 as ClosedRange<UInt64> {
            rig.run(until: second * .second + 500 * .millisecond)
            if peer.read().contains(Wire.ping) { peer.send(Wire.pong) }
        }
        #expect(rig.connection(of: peer)?.phase == .open)
    }

    /// A send was under way when the PING was due. It must come all the same, or a peer that would answer is dead.
    @Test func aSendUnderWayPutsThePingOff() throws {
        let rig = try Rig(outboundMax: 10) {
            $0.heartbeatInterval = .seconds(1)
            $0.stalledWriteTimeout = .seconds(5)
        }
        let peer = rig.connect()
        rig.run(until: 990 * .millisecond)
        peer.send(Wire.echo(Array("abcdefghij".utf8)))
        rig.run(until: 1100 * .millisecond)
        var received: [UInt8] = []
        for _ in 0..<10 {
            received += peer.read()
            rig.settle()
        }
        #expect(received == Wire.echo(Array("abcdefghij".utf8)))
        for step in 12...80 as ClosedRange<UInt64> {
            rig.run(until: step * 100 * .millisecond)
            let bytes = peer.read()
            rig.settle()
            if (bytes + peer.read()) == Wire.ping { peer.send(Wire.pong) }
        }
        #expect(rig.counters.closed(.deadPeer) == 0)
        #expect(rig.connection(of: peer)?.phase == .open)
    }

    /// Pushes keep the line busy from this side: nothing would ask the peer whether it is there.
    @Test func whoOnlyListensIsPingedAndLives() throws {
        let rig = try Rig { $0.heartbeatInterval = .seconds(1) }
        let peer = rig.connect()
        peer.send(Wire.ping)
        rig.settle()
        let token = try #require(rig.token(of: peer))
        var pings = 0
        for step in 1...60 as ClosedRange<UInt64> {
            #expect(rig.inbox.post(.push(token, packet: Wire.echo([0x66]))))
            rig.run(until: step * 300 * .millisecond)
            guard peer.read().suffix(13).starts(with: Wire.ping) else { continue }
            peer.send(Wire.pong)
            pings += 1
        }
        #expect(rig.connection(of: peer)?.phase == .open)
        #expect((8...18).contains(pings))
    }

    /// And who is pushed to and answers nothing is dead all the same.
    @Test func whoIsPushedToAndSilentIsDead() throws {
        let rig = try Rig { $0.heartbeatInterval = .seconds(1) }
        let peer = rig.connect()
        peer.send(Wire.ping)
        rig.settle()
        let token = try #require(rig.token(of: peer))
        for step in 1...20 as ClosedRange<UInt64> {
            #expect(rig.inbox.post(.push(token, packet: Wire.echo([0x66]))))
            rig.run(until: step * 300 * .millisecond)
        }
        #expect(rig.counters.closed(.deadPeer) == 1)
    }

    /// It takes a long reply in its own time, and cannot answer a PING that stands behind it.
    @Test func whoReadsALongReplySlowlyLives() throws {
        let rig = try Rig(outboundMax: 1000) {
            $0.heartbeatInterval = .seconds(1)
            $0.stalledWriteTimeout = .seconds(2)
        }
        let peer = rig.connect()
        let request = Wire.echo(Array(repeating: 0x67, count: 100_000))
        peer.send(request)
        rig.settle()
        var received: [UInt8] = []
        for step in 1...130 as ClosedRange<UInt64> {
            rig.run(until: step * 100 * .millisecond)
            received += peer.read()
            guard received.count > request.count, received.suffix(13).starts(with: Wire.ping) else { continue }
            received.removeLast(13)
            peer.send(Wire.pong)
        }
        #expect(isSame(received, request))
        #expect(rig.connection(of: peer)?.phase == .open)
    }

    /// Its PONGs were in the socket, unread, for as long as its requests waited: that silence is not its own.
    @Test func whoWasNotReadIsNotDead() throws {
        let rig = try Rig(bufferCount: 4, bufferByteCount: 4096, inboundMax: 8192) {
            $0.heartbeatInterval = .seconds(1)
            $0.backpressureLimit = 1
        }
        let peer = rig.connect()
        let request = Wire.echo(Array(repeating: 0x68, count: 1000))
        peer.send(Wire.custom("ASYNC", []))
        for _ in 0..<100 { peer.send(request) }
        rig.settle()
        let token = try #require(rig.token(of: peer))
        #expect(rig.connection(of: peer)?.receiving == false)
        rig.run(until: 10 * .second)
        #expect(peer.read().starts(with: Wire.ping))
        #expect(rig.inbox.post(.asyncReply(token, sequence: 0, packet: Wire.pong, failed: false)))
        rig.run(until: 12 * .second)
        #expect(rig.connection(of: peer)?.phase == .open)
        #expect(rig.counters.packetsReceived.count == 101)
    }

    @Test func stalledWriteCountsFromTheSend() throws {
        let rig = try Rig(outboundMax: 100) { $0.stalledWriteTimeout = .seconds(2) }
        let peer = rig.connect()
        rig.run(until: 500 * .millisecond)
        peer.send(Wire.echo(Array(repeating: 0x61, count: 500)))
        rig.run(until: 2400 * .millisecond)
        // The rest of the reply begins its send here.
        #expect(peer.read(countMax: 1).count == 1)
        #expect(ends(rig, peer, at: 4400 * .millisecond, for: .stalledWrite))
    }

    /// A timer that has nothing to do yet must not ask again in every millisecond.
    @Test func waitingCostsNoTurns() throws {
        let rig = try Rig {
            $0.firstByteTimeout = .seconds(5)
            $0.idleTimeout = .milliseconds(300)
            $0.heartbeatInterval = .seconds(1)
        }
        let peer = rig.connect()
        let before = rig.counters.turns.count
        rig.run(until: 4900 * .millisecond)
        #expect(rig.connection(of: peer)?.phase == .open)
        #expect(rig.counters.turns.count - before < 40)
    }
}
