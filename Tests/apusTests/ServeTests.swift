// `apus serve`: what it announces, how it ends, and with which code.

import Glibc
import TestSupport
import Testing

@Suite struct ServeTests {
    @Test func everyListenerIsAnnounced() async throws {
        let folder = try TemporaryFolder()
        let path = folder.file("apus.sock")
        let serving = try await blocking { try ServingCommand("--address", "unix:\(path)", shards: 2) }
        #expect(serving.announcement.hasSuffix(" (packet, none, 2 shards)"))
        #expect(await onLines(of: serving, 2).last == "listening on unix:\(path) (packet, none, 2 shards)")
        #expect(access(path, F_OK) == 0)
        let finished = try await blocking { serving.stop(SIGINT) }
        #expect(finished.status == 0)
        #expect(finished.complaint.contains("SIGINT: draining for at most 30s"))
        #expect(access(path, F_OK) != 0)
    }

    private func onLines(of serving: ServingCommand, _ count: Int) async -> [String] {
        do {
            return try await blocking { serving.command.lines(count) }
        } catch {
            preconditionFailure("reading lines does not throw: \(error)")
        }
    }

    @Test func oneShardIsOneShard() async throws {
        let serving = try await blocking { try ServingCommand() }
        #expect(serving.announcement == "listening on \(serving.address) (packet, none, 1 shard)")
        #expect(try await blocking { serving.stop() }.status == 0)
    }

    // MARK: Drain

    @Test func aPeerThatLeavesMakesACleanDrain() async throws {
        try await blocking {
            let serving = try ServingCommand()
            let peer = try Peer(to: serving.address)
            #expect(try peer.request(.echo("a")) == .echo("a"))
            serving.command.signal(SIGTERM)
            // It is told to leave, and does.
            #expect(try peer.read() == .disconnect)
            peer.close()
            #expect(serving.command.finish().status == 0)
        }
    }

    @Test func aPeerThatStaysIsCutOff() async throws {
        try await blocking {
            let serving = try ServingCommand("--shutdown-timeout", "50ms")
            let peer = try Peer(to: serving.address)
            #expect(try peer.request(.echo("a")) == .echo("a"))
            let finished = serving.stop()
            #expect(finished.status == 6)
            #expect(finished.complaint.hasSuffix("apus: stopped; 1 connection was cut off\n"))
            peer.close()
        }
    }

    @Test func aSecondSignalStopsAtOnce() async throws {
        try await blocking {
            let serving = try ServingCommand("--shutdown-timeout", "1440m")
            let peer = try Peer(to: serving.address)
            #expect(try peer.request(.echo("a")) == .echo("a"))
            serving.command.signal(SIGTERM)
            #expect(try peer.read() == .disconnect)
            let finished = serving.stop(SIGINT)
            #expect(finished.status == 6)
            #expect(finished.complaint.contains("SIGINT: stopping at once"))
            peer.close()
        }
    }

    @Test func aHangUpIsNoEnd() async throws {
        try await blocking {
            let serving = try ServingCommand()
            serving.command.signal(SIGHUP)
            let peer = try Peer(to: serving.address)
            #expect(try peer.request(.ping) == .pong)
            peer.close()
            // Long enough to read everything again: a server that ends meanwhile refuses to, or says nothing at all.
            usleep(500_000)
            let finished = serving.stop()
            #expect(finished.status == 0)
            #expect(finished.complaint.contains("SIGHUP: "), "\(finished.complaint)")
        }
    }

    // MARK: Limits

    @Test func theFlagsReachTheServer() async throws {
        try await blocking {
            let serving = try ServingCommand("--max-connections", "1", "--max-payload-size", "1KiB")
            let peer = try Peer(to: serving.address)
            #expect(try peer.request(.ping) == .pong)
            let second = try Peer(to: serving.address)
            #expect(try second.readToEnd() == [])
            second.close()
            try peer.send(.echo(String(repeating: "x", count: 1024)))
            #expect(try peer.readToEnd() == [])
            peer.close()
            #expect(serving.stop().status == 0)
        }
    }

    @Test func theFirstByteHasADeadline() async throws {
        try await blocking {
            let serving = try ServingCommand("--connection-timeout", "20ms")
            let peer = try Peer(to: serving.address)
            #expect(try peer.readToEnd() == [])
            peer.close()
            #expect(serving.stop().status == 0)
        }
    }

    @Test func silenceIsAnsweredWithPings() async throws {
        try await blocking {
            let serving = try ServingCommand("--heartbeat-interval", "500ms")
            let peer = try Peer(to: serving.address)
            try peer.send(.ping)
            #expect(try peer.read() == .pong)
            #expect(try peer.read() == .ping)
            peer.close()
            #expect(serving.stop().status == 0)
        }
    }

    // MARK: What cannot be served

    @Test func anAddressInUseCannotBeBound() async throws {
        let serving = try await blocking { try ServingCommand() }
        let second = try await Command.run("serve", "--address", serving.address)
        #expect((second.status, second.text) == (4, ""))
        #expect(second.complaint.contains("Cannot bind \(serving.address)"))
        #expect(try await blocking { serving.stop() }.status == 0)
    }

    @Test func aHostWithoutARingIsNotFit() async throws {
        let serve = try await Command.run(
            "serve", "--address", "127.0.0.1:0", environment: ["APUS_RING_TIER": "7.99"])
        #expect((serve.status, serve.text) == (5, ""))
        #expect(serve.complaint.split(separator: "\n").count == 1)
        #expect(serve.complaint.contains("APUS_RING_TIER=7.99"))
        let ping = try await Command.run("ping", environment: ["APUS_RING_TIER": "7.99"])
        #expect(ping.status == 5)
        #expect(ping.complaint == serve.complaint)
    }

    @Test func itServesOnTheOldestKernelsRing() async throws {
        let address = "127.0.0.1:0"
        try await blocking {
            let command = try RunningCommand(
                ["serve", "--address", address, "--shards", "1", "--security", "none"],
                environment: ["APUS_RING_TIER": "6.1"])
            let bound = command.lines(1).first?.split(separator: " ").dropFirst(2).first.map(String.init) ?? ""
            let peer = try Peer(to: bound)
            #expect(try peer.request(.ping) == .pong)
            peer.close()
            command.signal(SIGTERM)
            #expect(command.finish().status == 0)
        }
    }
}
