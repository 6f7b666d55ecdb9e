// A cancel and what it cancels: who comes first, and what the connection makes of it. The kernel allows every order.

import ApusReactor
import ApusServer
import Testing

@Suite struct CancelRaceTests {
    /// What happens to a receive between the shard's decision to cancel it and the cancel itself.
    enum ReceiveRace: CaseIterable {
        /// Nothing: ECANCELED.
        case cancelled
        /// More bytes come first, then ECANCELED.
        case moreBytes
        /// More bytes come, with which the receive ends: the cancel finds nothing.
        case endedByBytes
        case endedByStarvation
        case endedByFinish
        case endedByReset
    }

    /// A connection whose replies wait, with as many requests undecoded as it may keep: its receive is cancelled.
    private static func pausedRig(_ race: ReceiveRace) throws -> (Rig, HandPeer) {
        let rig = try Rig(bufferCount: 4, bufferByteCount: 16_384, inboundMax: 32_768, outboundMax: 4096) {
            $0.outstandingByteCountMax = 4096
        }
        let peer = rig.connect()
        rig.kernel.beforeCancel = { [kernel = rig.kernel] target in
            guard target.operation == .receive, let socket = peer.socket else { return }
            meddle(race, kernel, socket, peer)
        }
        return (rig, peer)
    }

    private static func meddle(
        _ race: ReceiveRace, _ kernel: SimulatedKernel, _ socket: SimulatedSocket, _ peer: HandPeer
    ) {
        switch race {
        case .cancelled: break
        case .moreBytes: kernel.receive(on: socket)
        case .endedByBytes:
            kernel.weather.endsReceives = 1000
            kernel.receive(on: socket)
            kernel.weather.endsReceives = 0
        case .endedByStarvation: kernel.endReceive(socket, -105)
        case .endedByFinish: peer.finish()
        case .endedByReset: peer.reset()
        }
    }

    private static let request = Wire.echo(Array(repeating: 0x61, count: 2000))
    private static let requestCount = 60

    @Test(arguments: ReceiveRace.allCases)
    func receiveOfAPausedConnection(_ race: ReceiveRace) throws {
        let (rig, peer) = try Self.pausedRig(race)
        for _ in 0..<Self.requestCount { peer.send(Self.request) }
        rig.settle()
        #expect(rig.kernel.violation == nil)
        guard race != .endedByReset else {
            #expect(rig.connection(of: peer) == nil)
            #expect(rig.counters.closed(.reset) == 1)
            return
        }
        let paused = try #require(rig.connection(of: peer))
        #expect(paused.isPaused && !paused.receiving)
        #expect(paused.inbound.byteCount < 65_536 + rig.kernel.buffers.totalByteCount)
        var received: [UInt8] = []
        while true {
            let bytes = peer.read()
            received += bytes
            rig.settle()
            if bytes.isEmpty, peer.socket?.outbound.isEmpty ?? true { break }
        }
        // Behind its FIN nothing counts: what was not in the socket before it was never sent.
        let answered = race == .endedByFinish ? received.count / Self.request.count : Self.requestCount
        #expect(isSame(received, Array(repeating: Self.request, count: answered).flatMap { $0 }))
        #expect(rig.kernel.violation == nil)
    }

    /// What happens to a send between the shard's decision to cancel it and the cancel itself.
    enum SendRace: CaseIterable {
        case cancelled, sent, sentShort, failed
    }

    /// The peer does not read, so the connection is closed with a send under way.
    @Test(arguments: SendRace.allCases)
    func sendOfAClosingConnection(_ race: SendRace) throws {
        let rig = try Rig(outboundMax: 1000) { $0.stalledWriteTimeout = .seconds(1) }
        let peer = rig.connect()
        peer.send(Wire.echo(Array(repeating: 0x61, count: 5000)))
        rig.settle()
        var found: [ApusReactor.Operation] = []
        rig.kernel.beforeCancel = { [kernel = rig.kernel] target in
            found.append(target.operation ?? .connect)
            guard target.operation == .send, let socket = peer.socket else { return }
            switch race {
            case .cancelled: break
            case .sent: socket.outbound.removeAll()
            case .sentShort: socket.outbound.drop(1)
            case .failed: peer.reset()
            }
            kernel.send(on: socket)
        }
        rig.run(until: 1100 * .millisecond)
        #expect(found == [.receive, .send])
        #expect(rig.connection(of: peer) == nil)
        #expect(rig.counters.closed(.stalledWrite) == 1)
        #expect(rig.byteCountInUse == 0)
        #expect(rig.kernel.violation == nil)
    }

    /// What happens to an accept between the shard's decision to stop accepting and the cancel itself.
    enum AcceptRace: CaseIterable {
        case cancelled, accepted, endedByAccept, exhausted
    }

    @Test(arguments: AcceptRace.allCases)
    func acceptOfADrainingServer(_ race: AcceptRace) throws {
        let rig = try Rig()
        var late: HandPeer?
        rig.kernel.beforeCancel = { [kernel = rig.kernel] target in
            guard target.operation == .accept else { return }
            kernel.isExhausted = race == .exhausted
            kernel.weather.endsAccepts = race == .endedByAccept ? 1000 : 0
            if race != .cancelled { late = HandPeer(kernel, from: nil) }
        }
        #expect(rig.inbox.post(.drain(.second)))
        rig.settle()
        #expect(rig.isDone)
        #expect(rig.kernel.listeners.allSatisfy { $0.isClosed })
        #expect(rig.counters.refused(.draining) == (race == .accepted || race == .endedByAccept ? 1 : 0))
        #expect(rig.counters.refused(.noDescriptor) == (race == .exhausted ? 1 : 0))
        #expect(late?.sawFinish ?? true || late?.sawReset ?? true)
        #expect(rig.kernel.violation == nil)
    }

    /// That the server ends is known to every shard at once, that its listeners were handed on only from the inbox. In
    /// between, a connection that the kernel has given to this process is answered and not reset.
    @Test func acceptBeforeTheShardHearsOfTheHandOver() throws {
        let rig = try Rig()
        rig.shared.handOnListeners()
        rig.shared.beginEnd()
        let peer = rig.connect()
        peer.send(Wire.ping)
        rig.settle()
        #expect(peer.read() == Wire.pong)
        #expect(rig.counters.refused(.draining) == 0)
        #expect(rig.kernel.violation == nil)
    }
}
