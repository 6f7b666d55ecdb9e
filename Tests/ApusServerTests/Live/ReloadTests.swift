// Every setting that a reload changes, as a peer or a counter sees it, and reloads that are refused whole.

import ApusReactor
import ApusSecurity
import ApusServer
import ApusWire
import TestSupport
import Testing

@Suite(.serialized) struct ReloadTests {
    @Test func nothingDifferentChangesNothing() async throws {
        try await withReloadable { $0.configuration.shards = 2 } _: { server, configuration in
            let peer = try server.connect()
            #expect(try peer.request(.ping) == .pong)
            let report = try server.handle.reload(configuration)
            #expect(report.isEmpty)
            #expect(server.metrics.reloadsApplied == 1)
            #expect(try peer.request(.ping) == .pong)
            let reply = try server.ask(.echo("new"))
            #expect(reply == .echo("new"))
        }
    }

    // MARK: Timeouts

    /// The peer has been silent for longer than the new timeout: it still gets all of it, from the reload on.
    @Test func theFirstByteTimeout() async throws {
        try await withReloadable { server, configuration in
            var configuration = configuration
            let peer = try server.connect()
            #expect(eventually { server.metrics.accepted == 1 })
            let report = try server.reload(&configuration) { $0.firstByteTimeout = .milliseconds(50) }
            #expect(report.applied == ["first_byte_timeout"])
            #expect(try peer.read() == nil)
            #expect(server.closed(.firstByteTimeout))
        }
    }

    @Test func theHandshakeTimeout() async throws {
        try await withReloadable { server in
            server.configuration.listeners[0].security = .handshake(HandshakeSettings())
            server.configuration.handshakeTimeout = .seconds(60)
        } _: { server, configuration in
            var configuration = configuration
            let peer = try server.connect()
            try peer.send(bytes: [PacketFormat.magic[0]])
            #expect(eventually { server.metrics.bytesReceived == 1 })
            let report = try server.reload(&configuration) { $0.handshakeTimeout = .milliseconds(50) }
            #expect(report.applied == ["handshake_timeout"])
            #expect(server.closed(.handshakeTimeout))
        }
    }

    @Test func theStalledWriteTimeout() async throws {
        try await withReloadable { server, configuration in
            var configuration = configuration
            let peer = try server.connect(receiveBufferByteCount: 4096)
            let echo = PacketEncoder.encode(.echo(String(repeating: "x", count: 1 << 20)))
            _ = try peer.sendUntilStalled((0..<32).flatMap { _ in echo })
            let report = try server.reload(&configuration) { $0.stalledWriteTimeout = .milliseconds(50) }
            #expect(report.applied == ["stalled_write_timeout"])
            #expect(server.closed(.stalledWrite))
        }
    }

    @Test func theIdleTimeout() async throws {
        try await withReloadable { server, configuration in
            var configuration = configuration
            let peer = try server.connect()
            #expect(try peer.request(.echo("1")) == .echo("1"))
            let report = try server.reload(&configuration) { $0.idleTimeout = .milliseconds(50) }
            #expect(report.applied == ["idle_timeout"])
            #expect(try peer.read() == nil)
            peer.close()
            #expect(server.closed(.idleTimeout))
            try server.reload(&configuration) { $0.idleTimeout = nil }
            let other = try server.connect()
            #expect(try other.request(.echo("1")) == .echo("1"))
        }
    }

    @Test func theHeartbeat() async throws {
        try await withReloadable { server, configuration in
            var configuration = configuration
            let peer = try server.connect()
            #expect(try peer.request(.echo("1")) == .echo("1"))
            let report = try server.reload(&configuration) { $0.heartbeatInterval = .milliseconds(50) }
            #expect(report.applied == ["heartbeat_interval"])
            #expect(try peer.read() == .ping)
            // From now on it is dead after four intervals.
            #expect(server.closed(.deadPeer))
        }
    }

    /// The shorter timeout would be over every time, were each reload to begin it anew.
    @Test func reloadingAgainAndAgainPutsNoTimeoutOff() async throws {
        try await withReloadable { server, configuration in
            var configuration = configuration
            let peer = try server.connect()
            #expect(eventually { server.metrics.accepted == 1 })
            try server.reload(&configuration) { $0.firstByteTimeout = .milliseconds(200) }
            #expect(
                eventually {
                    do throws(ServerError) {
                        _ = try server.handle.reload(configuration)
                    } catch {
                        Issue.record(error)
                    }
                    return server.metrics.closed[.firstByteTimeout] == 1
                })
            #expect(try peer.read() == nil)
        }
    }

    @Test func theShutdownTimeout() async throws {
        try await withReloadable { server, configuration in
            var configuration = configuration
            let peer = try server.connect()
            #expect(try peer.request(.ping) == .pong)
            let report = try server.reload(&configuration) { $0.shutdownTimeout = .milliseconds(50) }
            #expect(report.applied == ["shutdown_timeout"])
            server.handle.shutdown()
            #expect(try peer.readToEnd() == [.disconnect])
            peer.close()
            #expect(server.handle.wait() == .forced(connections: 1))
        }
    }

    // MARK: Limits

    @Test func theLimitOfConnections() async throws {
        try await withReloadable { $0.configuration.maxConnections = 2 } _: { server, configuration in
            var configuration = configuration
            let peers = try (0..<2).map { _ in try server.connect() }
            for peer in peers { #expect(try peer.request(.ping) == .pong) }
            let lower = try server.reload(&configuration) { $0.maxConnections = 1 }
            #expect(lower.applied == ["max_connections"] && lower.needsRestart.isEmpty)
            #expect(server.handle.maxConnections == 1)
            // Those that are there stay; one more is too many.
            for peer in peers { #expect(try peer.request(.ping) == .pong) }
            #expect(try server.connect().read() == nil)
            #expect(server.refused(.connectionLimit))
            let higher = try server.reload(&configuration) { $0.maxConnections = 3 }
            #expect(higher.applied == ["max_connections"] && higher.needsRestart.isEmpty)
            let reply = try server.ask(.ping)
            #expect(reply == .pong)
            let most = try server.reload(&configuration) { $0.maxConnections = 100 }
            #expect(most.needsRestart == ["max_connections"])
            #expect(server.handle.maxConnections == 8)
        }
    }

    @Test func theLongestPayloadIsThatOfNewConnections() async throws {
        try await withReloadable { server, configuration in
            var configuration = configuration
            let text = String(repeating: "x", count: 2000)
            let (old, packet) = (try server.connect(), PacketEncoder.encode(.echo(text)))
            // Half of a packet that was admitted by the limit before.
            try old.send(bytes: Array(packet.prefix(1000)))
            #expect(eventually { server.metrics.bytesReceived == 1000 })
            let report = try server.reload(&configuration) { $0.payloadByteCountMax = 1000 }
            #expect(report.applied == ["max_payload_size"])
            #expect(
                eventually {
                    do {
                        return try server.ask(.echo(text)) == nil
                    } catch {
                        return error as? PeerError == .reset
                    }
                })
            try old.send(bytes: Array(packet.dropFirst(1000)))
            #expect(try old.read() == .echo(text))
        }
    }

    @Test func aPayloadBeyondTheMemoryBudgetNeedsARestart() async throws {
        try await withReloadable { server in
            server.configuration.payloadByteCountMax = 1 << 20
            server.configuration.memoryBudgetPerShard = 8 << 20
        } _: { server, configuration in
            var configuration = configuration
            let report = try server.reload(&configuration) {
                $0.payloadByteCountMax = 16 << 20
                $0.memoryBudgetPerShard = 256 << 20
            }
            #expect(report.needsRestart == ["memory_budget", "max_payload_size"])
            #expect(report.applied.isEmpty)
        }
    }

    @Test func theBytesThatMayWait() async throws {
        try await withReloadable { server, configuration in
            var configuration = configuration
            let report = try server.reload(&configuration) { $0.outstandingByteCountMax = 4096 }
            #expect(report.applied == ["max_outstanding_bytes"])
            #expect(
                eventually {
                    do {
                        let peer = try server.connect()
                        try peer.send(echoes(3000))
                        let replies = try peer.read(3000)
                        return replies == echoes(3000) && server.metrics.pauses > 0
                    } catch {
                        return false
                    }
                })
        }
    }

    @Test func theAsynchronousRequestsAtOnce() async throws {
        let doors = Doors()
        try await withReloadable { server in
            server.configuration.backpressureLimit = 1
            server.dispatcher.registerAsync(.command("SLOW")) { message, _ in
                await doors.pass(message.contentText ?? "")
                return message
            }
        } _: { server, configuration in
            var configuration = configuration
            let peer = try server.connect()
            try peer.send((0..<4).map { .command("SLOW", "\($0)") })
            #expect(eventually { doors.isAwaited("0") })
            #expect(server.metrics.asyncRequests == 1)
            let report = try server.reload(&configuration) { $0.backpressureLimit = 3 }
            #expect(report.applied == ["backpressure_limit"])
            doors.open("0")
            #expect(eventually { doors.isAwaited("1") && doors.isAwaited("2") && doors.isAwaited("3") })
            for number in 1..<4 { doors.open("\(number)") }
            #expect(try peer.read(4) == (0..<4).map { .command("SLOW", "\($0)") })
        }
    }

    @Test func theHandshakesAtOnce() async throws {
        try await withReloadable { server in
            server.configuration.listeners[0].security = .handshake(HandshakeSettings())
            server.configuration.handshakeTimeout = .seconds(60)
        } _: { server, configuration in
            var configuration = configuration
            let first = try server.connect()
            #expect(eventually { server.metrics.accepted == 1 })
            let report = try server.reload(&configuration) { $0.handshakesAtOncePerShard = 1 }
            #expect(report.applied == ["max_handshakes_at_once"])
            #expect(
                eventually {
                    do {
                        try server.connect().close()
                    } catch {
                        Issue.record(error)
                    }
                    return server.metrics.refused[.handshakeLimit] != nil
                })
            first.close()
        }
    }

    @Test func whatHappensToAnUnknownCommand() async throws {
        try await withReloadable { server, configuration in
            var configuration = configuration
            let peer = try server.connect()
            try peer.send(.command("WHAT"))
            #expect(server.dropped(.unknownCommand))
            let report = try server.reload(&configuration) { $0.unknownCommand = .close }
            #expect(report.applied == ["unknown_command"])
            #expect(
                eventually {
                    do {
                        try peer.send(.command("WHAT"))
                    } catch {
                        return true
                    }
                    return server.metrics.closed[.unknownCommand] == 1
                })
        }
    }

    @Test func whatIsSizedAtStartNeedsARestart() async throws {
        try await withReloadable { server in
            server.configuration.listeners[0].security = .handshake(HandshakeSettings())
        } _: { server, configuration in
            var configuration = configuration
            let report = try server.reload(&configuration) {
                $0.shards = 2
                $0.memoryBudgetPerShard = 512 << 20
                $0.systemAliases = true
                $0.handshakesPerSecondMax = 100
            }
            #expect(report.needsRestart == ["shards", "memory_budget", "system_aliases", "max_handshake_rate"])
            #expect(report.applied.isEmpty && report.changed.isEmpty)
        }
    }

    // MARK: Refused whole

    /// What could have been done is not done either: no port is bound, no limit changed.
    @Test func aReloadThatFailsChangesNothing() async throws {
        try await withReloadable { server, configuration in
            let peer = try server.connect()
            #expect(try peer.request(.ping) == .pong)
            let free = try freeAddress()
            let busy = try Server(ServerConfiguration(address: "127.0.0.1:0")).start()
            defer {
                busy.stop()
                busy.wait()
            }
            let error = server.refusal(configuration) { changed in
                changed.unknownCommand = .close
                changed.listeners[0].security = .handshake(HandshakeSettings())
                changed.listeners.append(ListenerConfiguration(name: "free", address: free))
                // It would have the sockets that the first one leaves.
                changed.listeners.append(ListenerConfiguration(name: "heir", address: server.address))
                changed.listeners[0].address = "127.0.0.2:0"
                changed.listeners.append(ListenerConfiguration(name: "busy", address: busy.boundAddresses[0]))
            }
            guard case .cannotBind(let problem)? = error else {
                Issue.record("taken over, or refused otherwise: \(String(describing: error))")
                return
            }
            #expect(problem.hasPrefix("listener busy: "))
            try expectAsBefore(server, peer)
            #expect(throws: PeerError.cannotConnect(errno: 111)) { try Peer(to: free) }
        }
    }

    private func expectAsBefore(_ server: RunningServer, _ peer: Peer) throws {
        #expect(server.metrics.reloadsRefused == 1 && server.metrics.reloadsApplied == 0)
        #expect(server.handle.boundAddresses == [server.address])
        try peer.send(.command("WHAT"))
        #expect(try peer.request(.ping) == .pong)
        let reply = try server.ask(.echo("plain"))
        #expect(reply == .echo("plain"))
    }

    private func freeAddress() throws -> String {
        let server = try Server(ServerConfiguration(address: "127.0.0.1:0")).start()
        server.stop()
        server.wait()
        return server.boundAddresses[0]
    }

    @Test func everyMistakeOfAReloadIsNamed() async throws {
        try await withReloadable { server, configuration in
            let error = server.refusal(configuration) { changed in
                changed.listeners[0].address = "nowhere"
                changed.idleTimeout = .zero
            }
            guard case .invalidConfiguration(let problems)? = error else {
                Issue.record("taken over, or refused otherwise: \(String(describing: error))")
                return
            }
            #expect(problems.count == 2)
            #expect(server.metrics.reloadsRefused == 1)
        }
    }

    @Test func aServerThatEndsTakesNothingOver() async throws {
        try await withReloadable { server, configuration in
            let peer = try server.connect()
            #expect(try peer.request(.ping) == .pong)
            server.handle.shutdown()
            #expect(server.refusal(configuration) { $0.unknownCommand = .close } != nil)
            peer.close()
        }
    }
}
