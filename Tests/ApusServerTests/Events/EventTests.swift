// What a running server tells of what happens to it: each kind in a real run, with its particulars.

import ApusReactor
import ApusSecurity
import ApusServer
import ApusWire
import Glibc
import TestSupport
import Testing

/// A server that tells a sink everything.
private func withEvents(
    _ change: (inout Server) -> Void = { _ in }, _ body: (RunningServer, KeptEvents) throws -> Void
) async throws {
    let kept = KeptEvents()
    try await withServer(.newest) { server in
        change(&server)
        server.configuration.eventSink = kept
    } _: { server in
        // The sink was asked once before any shard ran, so nothing is missed.
        try body(server, kept)
    }
}

private struct Broken: Error {}

@Suite(.serialized) struct EventTests {
    @Test func aConnectionsLifeIsTold() async throws {
        try await withEvents { server, kept in
            #expect(kept.first(.listening)?.listener == "edge")
            let peer = try server.connect()
            let address = peer.localAddress
            #expect(try peer.request(.echo("hello")) == .echo("hello"))
            let opened = try #require(kept.first(.opened))
            #expect(opened.peer == address && opened.listener == "edge" && opened.shard == 0)
            peer.finishSending()
            #expect(try peer.read() == nil)
            let closed = try #require(kept.first(.closed))
            guard case .closed(let reason, let received, let sent, _) = closed.kind else { return }
            let byteCount = UInt64(PacketEncoder.encode(.echo("hello")).count)
            #expect(reason == .peerFinished && received == byteCount && sent == byteCount)
            // The socket has no address any more; the events know it.
            #expect(closed.peer == address && closed.connection == opened.connection)
            #expect(closed.wallMicroseconds >= opened.wallMicroseconds)
            server.handle.stop()
            server.handle.wait()
            #expect(kept.events.map(\.kind.name) == [.listening, .opened, .closed, .drainBegun, .ended])
        }
    }

    @Test func everyConnectionIsToldOnceOverAllShards() async throws {
        try await withEvents {
            $0.configuration.shards = 3
        } _: { server, kept in
            for _ in 0..<60 {
                let reply = try server.ask(.ping)
                #expect(reply == .pong)
            }
            #expect(eventually { server.metrics.openConnections == 0 })
            server.handle.stop()
            server.handle.wait()
            let (opened, closed) = (kept.named(.opened), kept.named(.closed))
            #expect(opened.count == 60 && closed.count == 60)
            #expect(Set(opened.map(\.connection)).count == 60)
            #expect(Set(opened.map(\.connection)) == Set(closed.map(\.connection)))
        }
    }

    @Test func aRefusedConnectionIsTold() async throws {
        try await withEvents {
            $0.configuration.maxConnections = 1
        } _: { server, kept in
            let first = try server.connect()
            #expect(try first.request(.ping) == .pong)
            let second = try server.connect()
            let address = second.localAddress
            let refused = try #require(kept.first(.refused))
            #expect(refused.kind == .refused(.connectionLimit) && refused.peer == address)
            #expect(refused.severity == .warning)
        }
    }

    @Test func aRefusedHandshakeIsTold() async throws {
        try await withEvents {
            $0.configuration.listeners[0].security = .handshake(.init(), .init())
        } _: { server, kept in
            let peer = try server.connect()
            let address = peer.localAddress
            try peer.send(.ping)
            #expect(try peer.read() == nil)
            let refused = try #require(kept.first(.handshakeRefused))
            #expect(refused.kind == .handshakeRefused(.unexpectedMessage) && refused.peer == address)
            let closed = try #require(kept.first(.closed))
            #expect(closed.connection == refused.connection)
            try SecurePeer(to: server.address, .handshake(HandshakeSettings())).establish()
            #expect(kept.first(.established)?.connection != nil)
        }
    }

    @Test func tlsFailuresAndNewCertificatesAreTold() async throws {
        let certificates = try TestCertificates()
        let material = try certificates.server()
        try await withEvents {
            $0.configuration.listeners[0].security = .tls(material)
        } _: { server, kept in
            let peer = try server.connect()
            try peer.send(bytes: Array("GET / HTTP/1.1\r\n\r\n".utf8))
            while try !peer.readSome().isEmpty {}
            #expect(kept.first(.tlsFailed)?.kind == .tlsFailed(.notTLS))
            try server.handle.replaceTLS(material, of: "edge")
            #expect(kept.first(.certificateReplaced)?.listener == "edge")
            try SecurePeer(to: server.address, try certificates.client()).establish()
            #expect(kept.first(.established) != nil)
        }
    }

    @Test func aHandlerThatThrowsIsTold() async throws {
        try await withEvents {
            $0.dispatcher.registerAsync(.command("BREAK")) { _, _ in throw Broken() }
        } _: { server, kept in
            let peer = try server.connect()
            try peer.send(.command("BREAK"))
            #expect(kept.first(.handlerFailed)?.severity == .error)
        }
    }

    @Test func aForcedDrainIsTold() async throws {
        try await withEvents { server, kept in
            let peer = try server.connect()
            #expect(try peer.request(.ping) == .pong)
            server.handle.shutdown(timeout: .milliseconds(1))
            #expect(server.handle.wait() == .forced(connections: 1))
            #expect(kept.named(.drainBegun).map(\.kind) == [.drainBegun(connections: 1)])
            #expect(kept.named(.drainForced).map(\.kind) == [.drainForced(connections: 1)])
            #expect(kept.events.last?.kind == .ended(forced: 1))
            #expect(kept.events.last?.severity == .warning)
        }
    }

    @Test func aReloadIsTold() async throws {
        try await withEvents { server, kept in
            var configuration = ServerConfiguration(address: "127.0.0.1:0")
            configuration.eventSink = kept
            configuration.listeners.append(ListenerConfiguration(name: "second", address: "127.0.0.1:0"))
            _ = try server.handle.reload(configuration)
            guard case .reloadApplied(let added, let removed, _) = kept.first(.reloadApplied)?.kind else { return }
            #expect(added == 1 && removed == 0)
            let reply = try server.ask(.ping, at: server.handle.boundAddresses[1])
            #expect(reply == .pong)
            #expect(kept.first(.opened)?.listener == "second")
            #expect(kept.named(.listening).map(\.listener) == ["edge", "second"])
            configuration.listeners[1].name = "edge"
            #expect(throws: ServerError.self) { _ = try server.handle.reload(configuration) }
            #expect(kept.first(.reloadRefused)?.severity == .warning)
        }
    }

    /// No descriptor is left: accepting pauses, and goes on when one is free again.
    @Test func aPauseForDescriptorsIsTold() async throws {
        try await withEvents { server, kept in
            var plugs: [Int32] = []
            defer { plugs.forEach { close($0) } }
            // Up to the hard limit, to which the server has raised the soft one.
            while plugs.count < 200_000, case let plug = dup(0), plug >= 0 { plugs.append(plug) }
            guard plugs.count < 200_000 else {
                return print("left out: running out of descriptors, since there are too many to take")
            }
            // One for the peer, none for the server.
            close(plugs.removeLast())
            let peer = try server.connect()
            let paused = try #require(kept.first(.acceptPaused))
            #expect(paused.kind == .acceptPaused(.noDescriptor, errno: EMFILE) && paused.listener == "edge")
            plugs.forEach { close($0) }
            plugs = []
            #expect(try peer.request(.ping) == .pong)
            #expect(kept.first(.acceptResumed)?.listener == "edge")
        }
    }
}

// MARK: Levels and floods

@Suite(.serialized) struct EventVolumeTests {
    @Test func onlyWhatIsWantedIsTold() async throws {
        let kept = KeptEvents(.warning)
        try await withServer(.newest) { server in
            server.configuration.eventSink = kept
            server.configuration.maxConnections = 1
        } _: { server in
            let first = try server.connect()
            #expect(try first.request(.ping) == .pong)
            _ = try server.connect()
            #expect(kept.first(.refused) != nil)
            #expect(kept.events.allSatisfy { $0.severity >= .warning })
            // Asked again within a quarter of a second.
            kept.want(.debug)
            #expect(eventually {
                do {
                    _ = try server.ask(.ping)
                } catch {
                    // Refused: the one place is taken.
                }
                first.close()
                return !kept.named(.opened).isEmpty
            })
            kept.want(nil)
        }
    }

    @Test func aFloodIsSummed() async throws {
        let kept = KeptEvents(.info)
        let count = 400
        try await withServer(.newest) { server in
            server.configuration.eventSink = kept
            server.configuration.maxConnections = 1
        } _: { server in
            let first = try server.connect()
            #expect(try first.request(.ping) == .pong)
            for _ in 0..<count { _ = try server.connect() }
            #expect(server.refused(.connectionLimit, UInt64(count)))
            server.handle.stop()
            server.handle.wait()
            let told = kept.named(.refused).count
            let held = kept.events.reduce(0) { sum, event in
                if case .heldBack(.refused, let count) = event.kind { sum + Int(count) } else { sum }
            }
            #expect(told + held == count)
            // The shard admits fifty a second; a slow machine spreads the flood over several seconds.
            #expect(told >= 50)
        }
    }

    /// A sink that does not return costs events, which are counted, and no loop.
    @Test func aBlockedSinkHoldsNoLoopUp() async throws {
        let stuck = StuckSink()
        let count = 3000
        try await withServer(.newest) { server in
            server.configuration.eventSink = stuck
        } _: { server in
            for _ in 0..<count { _ = try server.connect() }
            #expect(eventually { server.metrics.accepted == UInt64(count) && server.metrics.openConnections == 0 })
            stuck.free()
            server.handle.stop()
            server.handle.wait()
            #expect(stuck.lostCount > 0 && server.metrics.eventsLost == UInt64(stuck.lostCount))
            #expect(stuck.count + stuck.lostCount == 2 * count + 3)
        }
    }

    /// Called as a shard calls it, with an allocator that counts.
    @Test func notingDownAllocatesNothing() throws {
        if let count = AllocationCount.function {
            let shard = try NotingShard()
            shard.noteAll()
            for _ in 0..<3 {
                let before = count()
                shard.noteAll()
                #expect(count() == before)
            }
        } else {
            try AllocationCount.runAgain(filter: "notingDownAllocatesNothing")
        }
    }

    @Test func aFullLaneDropsAndCounts() throws {
        let shard = try NotingShard()
        for _ in 0..<5000 { shard.state.pointee.note(.opened) }
        let lost = shard.events.lostCount
        #expect(lost > 0 && lost < 5000)
        #expect(shard.drained() + lost == 5000)
        shard.state.pointee.note(.opened)
        #expect(shard.events.lostCount == lost)
        #expect(shard.drained() == 1)
    }

    @Test func aSecondHasItsBudget() throws {
        let shard = try NotingShard()
        for _ in 0..<200 { shard.state.pointee.note(.refused(.connectionLimit)) }
        #expect(shard.drained() == 50)
        shard.state.pointee.now = shard.state.pointee.now + .second
        shard.state.pointee.note(.refused(.connectionLimit))
        #expect(shard.drained() == 1)
    }
}

/// A shard's state without its loop.
private final class NotingShard {
    let events: ServerEvents
    let state: UnsafeMutablePointer<ShardState>

    init() throws {
        events = try ServerEvents(sink: KeptEvents(), shardCount: 1)
        var configuration = ServerConfiguration(address: "127.0.0.1:0")
        configuration.maxConnections = 4
        let shared = try SharedState(shardCount: 1, connectionsMax: 4, events: events)
        let settings = ShardSettings(
            configuration, Dispatcher(), index: 0, shared: shared, inbox: try Inbox(countMax: 16))
        state = try ShardState.allocate(settings, at: Instant(nanoseconds: 10 * .second))
    }

    deinit {
        state.deinitialize(count: 1)
        state.deallocate()
    }

    /// Of every kind that a shard notes.
    func noteAll() {
        state.pointee.note(.opened, socket: Descriptor(0))
        state.pointee.note(.established)
        state.pointee.note(.closed(.reset, receivedByteCount: 1, sentByteCount: 2, milliseconds: 3))
        state.pointee.note(.refused(.connectionLimit), listener: 0, socket: Descriptor(0))
        state.pointee.note(.handshakeRefused(.replayed))
        state.pointee.note(.tlsFailed(.alertReceived(40)))
        state.pointee.note(.acceptPaused(.noDescriptor, errno: 24), listener: 0)
        state.pointee.note(.acceptResumed, listener: 0)
        state.pointee.note(.starved)
        state.pointee.note(.handlerFailed)
        state.pointee.note(.certificateReplaced, listener: 0)
        state.pointee.note(.certificateKept, listener: 0)
        state.pointee.note(.drainForced(connections: 5))
    }

    /// How many events the lane held.
    func drained() -> UInt64 {
        var count: UInt64 = 0
        events.lanes[0].drain { _ in count += 1 }
        return count
    }
}

/// Does not return before it is freed; then it counts.
private final class StuckSink: ServerEventSink {
    private let gate = Gate<Void>()
    private let told = Counts()

    var severityMin: ServerEvent.Severity? { .debug }

    func receive(_ event: ServerEvent) {
        gate.wait()
        if case .lost(let count) = event.kind { told.add(lost: Int(count)) } else { told.add(told: 1) }
    }

    func free() { gate.open(with: ()) }

    var count: Int { told.values.told }
    var lostCount: Int { told.values.lost }
}
