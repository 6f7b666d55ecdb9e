// How a server ends: gently, by the deadline, at once.

import ApusReactor
import ApusServer
import Testing

@Suite struct DrainTests {
    /// One peer leaves when told, one does not, one does not even read: the deadline forces two, each counted once.
    @Test func theDeadlineForcesWhoeverHasNotFinished() throws {
        let rig = try Rig(outboundMax: 64) { $0.stalledWriteTimeout = .seconds(60) }
        let peers = (0..<3).map { _ in rig.connect() }
        for peer in peers { peer.send(Wire.ping) }
        rig.settle()
        peers[2].send(Wire.echo(Array(repeating: 0x64, count: 1000)))
        rig.settle()
        #expect(rig.inbox.post(.drain(.second)))
        rig.settle()
        #expect(peers[0].read() == Wire.pong + Wire.disconnect)
        #expect(peers[1].read() == Wire.pong + Wire.disconnect)
        peers[0].finish()
        rig.run(until: 999 * .millisecond)
        #expect(rig.counters.closed(.drained) == 1)
        #expect(rig.shared.forcedCount == 0)
        rig.run(until: 1002 * .millisecond)
        #expect(rig.shared.forcedCount == 2)
        #expect(peers[1].sawFinish)
        #expect(!rig.isDone)
        rig.run(until: 3010 * .millisecond)
        #expect(rig.isDone)
        #expect(rig.shared.forcedCount == 2)
        #expect(rig.counters.closed(.drainForced) == 2)
        #expect(rig.kernel.violation == nil)
    }

    /// A drain goes on answering: requests that arrive after it began are answered until the peer finishes.
    @Test func requestsAreAnsweredWhileDraining() throws {
        let rig = try Rig()
        let peer = rig.connect()
        #expect(rig.inbox.post(.drain(10 * .second)))
        rig.settle()
        #expect(peer.read() == Wire.disconnect)
        peer.send(Wire.echo([0x65]) + Wire.ping)
        peer.finish()
        rig.settle()
        #expect(peer.read() == Wire.echo([0x65]) + Wire.pong)
        #expect(peer.sawFinish)
        #expect(rig.isDone)
        #expect(rig.counters.closed(.drained) == 1)
        #expect(rig.shared.forcedCount == 0)
    }

    /// An asynchronous reply that comes after the deadline belongs to nobody: it is dropped, counted and not kept.
    @Test func aReplyAfterTheDeadlineIsDropped() throws {
        let rig = try Rig()
        let peer = rig.connect()
        peer.send(Wire.custom("ASYNC", []) + Wire.custom("ASYNC", []))
        rig.settle()
        let token = try #require(rig.token(of: peer))
        #expect(rig.inbox.post(.drain(.second)))
        rig.run(until: 1010 * .millisecond)
        #expect(rig.connection(of: peer)?.phase == .lingering)
        for sequence in [1, 0] as [UInt32] {
            #expect(rig.inbox.post(.asyncReply(token, sequence: sequence, packet: Wire.pong, failed: false)))
        }
        rig.settle()
        #expect(rig.asyncReplyCount == 0)
        #expect(rig.counters.dropped(.replyForGoneConnection) == 2)
        #expect(peer.read() == [])
        peer.finish()
        rig.settle()
        #expect(rig.isDone)
    }

    @Test func stopEndsEverythingAtOnce() throws {
        let rig = try Rig(outboundMax: 64)
        let peers = (0..<3).map { _ in rig.connect() }
        peers[0].send(Wire.echo(Array(repeating: 0x64, count: 1000)))
        peers[1].send(Wire.custom("ASYNC", []))
        rig.settle()
        #expect(rig.inbox.post(.stop))
        rig.settle()
        #expect(rig.isDone)
        #expect(rig.shared.forcedCount == 3)
        #expect(rig.counters.closed(.stopped) == 3)
        #expect(rig.byteCountInUse == 0)
        #expect(rig.kernel.violation == nil)
    }
}
