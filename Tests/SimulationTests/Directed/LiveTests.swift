// Listeners that come and go, limits that change and a drain that takes its time, to the nanosecond.

import ApusReactor
import ApusServer
import Testing

@Suite struct LiveTests {
    /// A peer whose listener goes on elsewhere is served; one that only waited to be accepted is too.
    @Test func whatWasConnectedBeforeAReloadIsServedAfterIt() throws {
        let rig = try Rig()
        let early = rig.connect()
        let other = rig.kernel.listen(inboundMax: 65_536, outboundMax: 65_536)
        #expect(rig.inbox.post(.reload(ShardReload(epoch: 1, rig.configuration, leaving: [0], in: rig.shared))))
        #expect(rig.inbox.post(.accept([ShardListener(other.descriptor, listener: 0, sharesOut: false)])))
        let late = HandPeer(rig.kernel)
        rig.settle()
        #expect(rig.kernel.listeners[0].isClosed && !other.isClosed)
        for peer in [early, late] {
            peer.send(Wire.ping)
            rig.settle()
            #expect(peer.read() == Wire.pong)
        }
        #expect(rig.kernel.violation == nil)
    }

    /// The kernel woke an accept that was then cancelled: what it was woken for is taken all the same.
    @Test func whoWaitsWhenTheListenersAreHandedOnIsServed() throws {
        let rig = try Rig()
        let listener = rig.kernel.listeners[0]
        var waiting: [HandPeer] = []
        rig.kernel.beforeCancel = { [unowned kernel = rig.kernel] _ in
            guard waiting.isEmpty else { return }
            let token = listener.acceptUnderWay
            listener.acceptUnderWay = nil
            waiting.append(HandPeer(kernel))
            listener.acceptUnderWay = token
        }
        #expect(rig.inbox.post(.releaseListeners))
        #expect(rig.inbox.post(.drain(10 * .second)))
        rig.settle()
        let peer = try #require(waiting.first)
        #expect(listener.isClosed && !rig.isDone)
        #expect(rig.counters.refused(.draining) == 0)
        peer.send(Wire.ping)
        peer.finish()
        rig.settle()
        #expect(peer.read() == Wire.disconnect + Wire.pong)
        #expect(rig.isDone)
        #expect(rig.kernel.violation == nil)
    }

    /// Nobody was late by the timeout before, so nobody is by the next one until it has passed.
    @Test func aShorterTimeoutCountsFromTheReload() throws {
        let rig = try Rig { $0.firstByteTimeout = .seconds(60) }
        let peer = rig.connect()
        rig.run(until: 10 * .second)
        var configuration = rig.configuration
        configuration.firstByteTimeout = .seconds(1)
        #expect(rig.inbox.post(.reload(ShardReload(epoch: 1, configuration, leaving: [], in: rig.shared))))
        rig.run(until: 11 * .second - .millisecond)
        #expect(rig.connection(of: peer)?.phase == .open)
        rig.run(until: 11 * .second + 2 * .millisecond)
        #expect(rig.counters.closed(.firstByteTimeout) == 1)
    }

    /// The same timeouts again leave every deadline where it was.
    @Test func aReloadWithoutChangesPutsNothingOff() throws {
        let rig = try Rig { $0.firstByteTimeout = .seconds(2) }
        let peer = rig.connect()
        for half in 1...3 {
            rig.run(until: UInt64(half) * 500 * .millisecond)
            let reload = ShardReload(epoch: UInt64(half), rig.configuration, leaving: [], in: rig.shared)
            #expect(rig.inbox.post(.reload(reload)))
        }
        rig.run(until: 2 * .second - .millisecond)
        #expect(rig.connection(of: peer)?.phase == .open)
        rig.run(until: 2 * .second + 2 * .millisecond)
        #expect(rig.counters.closed(.firstByteTimeout) == 1)
    }

    /// Four peers over four seconds: one a second, the first at once. Who is busy when its time comes is told later.
    @Test func aPacedDrainTellsOneAfterTheOther() throws {
        let rig = try Rig()
        let peers = (0..<4).map { _ in rig.connect() }
        peers[1].send(Wire.custom("ASYNC", []))
        rig.settle()
        let busy = try #require(rig.token(of: peers[1]))
        #expect(rig.inbox.post(.drain(60 * .second, over: 4 * .second)))
        rig.settle()
        #expect(told(peers) == [0])
        rig.run(until: 1002 * .millisecond)
        #expect(told(peers) == [])
        rig.run(until: 1999 * .millisecond)
        #expect(told(peers) == [])
        rig.run(until: 2002 * .millisecond)
        #expect(told(peers) == [2])
        #expect(rig.inbox.post(.asyncReply(busy, sequence: 0, packet: Wire.pong, failed: false)))
        rig.settle()
        #expect(peers[1].read() == Wire.pong + Wire.disconnect)
        // A peer whose turn has not come is served as ever.
        peers[3].send(Wire.ping)
        rig.settle()
        #expect(peers[3].read() == Wire.pong)
        rig.run(until: 3002 * .millisecond)
        #expect(told(peers) == [3])
        for peer in peers { peer.finish() }
        rig.settle()
        #expect(rig.isDone)
        #expect(rig.counters.closed(.drained) == 4)
        #expect(rig.kernel.violation == nil)
    }

    @Test func whoeverIsInAHurryTellsTheRestAtOnce() throws {
        let rig = try Rig()
        let peers = (0..<3).map { _ in rig.connect() }
        #expect(rig.inbox.post(.drain(60 * .second, over: 30 * .second)))
        rig.settle()
        #expect(told(peers) == [0])
        #expect(rig.inbox.post(.drain(60 * .second)))
        rig.settle()
        #expect(told(peers) == [1, 2])
    }

    private func told(_ peers: [HandPeer]) -> [Int] { peers.indices.filter { peers[$0].read() == Wire.disconnect } }
}
