// Accepting when the process has no descriptor left, and slots that have had other tenants.

import ApusReactor
import ApusServer
import Testing

@Suite struct AcceptTests {
    @Test func acceptingPausesWithoutDescriptorsAndGoesOn() throws {
        let rig = try Rig()
        rig.kernel.isExhausted = true
        let peer = rig.connect()
        #expect(rig.counters.refused(.noDescriptor) == 1)
        #expect(rig.kernel.listeners[0].isHeld == false)
        rig.run(until: 100 * .millisecond - 1)
        #expect(rig.counters.acceptPauses.count == 1)
        rig.run(until: 101 * .millisecond)
        #expect(rig.counters.acceptPauses.count == 2)
        rig.kernel.isExhausted = false
        rig.run(until: 199 * .millisecond)
        #expect(rig.connection(of: peer) == nil)
        rig.run(until: 203 * .millisecond)
        #expect(rig.connection(of: peer)?.phase == .open)
        #expect(rig.counters.refused(.noDescriptor) == 2)
        peer.send(Wire.ping)
        rig.settle()
        #expect(peer.read() == Wire.pong)
    }

    @Test func oneConnectionTooManyIsClosedAtOnce() throws {
        let rig = try Rig { $0.maxConnections = 2 }
        let peers = (0..<3).map { _ in rig.connect() }
        #expect(peers[2].sawFinish)
        #expect(rig.counters.refused(.connectionLimit) == 1)
        peers[0].finish()
        rig.settle()
        let next = rig.connect()
        next.send(Wire.ping)
        rig.settle()
        #expect(next.read() == Wire.pong)
        #expect(rig.kernel.violation == nil)
    }

    /// Whatever a completion says: when its connection is gone, the slot's next tenant must not hear of it.
    @Test func completionsOfAnEarlierTenantChangeNothing() throws {
        let rig = try Rig { $0.maxConnections = 1 }
        let first = rig.connect()
        let old = try #require(rig.token(of: first))
        first.finish()
        rig.settle()
        let second = rig.connect()
        let new = try #require(rig.token(of: second))
        #expect(old.slot == new.slot && old.generation != new.generation)
        second.send(Array(Wire.ping.prefix(5)))
        rig.settle()
        for operation in [ApusReactor.Operation.receive, .send, .shutdown, .close] {
            for result in [0, -104, -125] as [Int32] {
                rig.kernel.postStale(Token(operation, slot: old.slot, generation: old.generation), result)
            }
        }
        rig.settle()
        #expect(rig.counters.staleCompletions.count == 12)
        #expect(rig.connection(of: second)?.phase == .open)
        second.send(Array(Wire.ping.dropFirst(5)))
        rig.settle()
        #expect(second.read() == Wire.pong)
        #expect(rig.kernel.violation == nil)
    }

    /// While its close is under way a connection keeps its slot: the next one gets another.
    @Test func aSlotIsFreeOnlyWhenItsDescriptorIsClosed() throws {
        let rig = try Rig { $0.maxConnections = 2 }
        let first = rig.connect()
        let token = try #require(rig.token(of: first))
        rig.kernel.closeDelay = .second
        first.finish()
        rig.settle()
        #expect(rig.connection(of: first)?.closing == true)
        let second = rig.connect()
        #expect(rig.token(of: second)?.slot != token.slot)
        rig.run(until: 1001 * .millisecond)
        #expect(rig.connection(of: first) == nil)
        #expect(rig.shared.connectionCount == 1)
    }
}
