// The relay end to end on a real kernel: peers log in, reach one another, hear of one another and leave (relay.md §4).

import ApusReactor
import ApusSecurity
import ApusServer
import ApusWire
import TestSupport
import Testing

/// A server whose listener speaks `relay`.
func withRelay(
    _ tier: RingTier = .newest, shards: Int = 1, _ change: (inout ServerConfiguration) -> Void = { _ in },
    _ body: (RunningServer) throws -> Void
) async throws {
    try await withServer(tier) { server in
        server.configuration.shards = shards
        server.configuration.listeners[0].session = .relay
        server.configuration.relay = RelayConfiguration(
            instanceURL: "rel://relay.example.com:80", secrets: [RelayClient.secret])
        change(&server.configuration)
    } _: { try body($0) }
}

@Suite(.serialized) struct RelayTests {
    @Test(arguments: RingTier.allCases)
    func datagramsReachTheirPeer(_ tier: RingTier) async throws {
        try await withRelay(tier) { server in
            let alice = try RelayClient("alice", to: server.address)
            try alice.send(alice.auth())
            #expect(try alice.read() == .authResponse("rel://relay.example.com:80"))
            let bob = try RelayClient.peer("bob", to: server.address)
            for byteCount in [0, 1, 4, 87, 88, 1200, 8782] {
                let datagram = (0..<byteCount).map { UInt8(truncatingIfNeeded: $0) }
                try alice.send(datagram, to: bob.id)
                #expect(try bob.read() == .transport(alice.id, datagram))
                try bob.send(datagram, to: alice.id)
                #expect(try alice.read() == .transport(bob.id, datagram))
            }
            #expect(server.metrics.relay.messagesDelivered == 14)
            #expect(server.metrics.relay.peers == 2)
        }
    }

    /// Wherever the bytes of a frame are cut on their way.
    @Test func aFrameMayComeInPieces() async throws {
        try await withRelay { server in
            let alice = try RelayClient.peer("alice", to: server.address)
            let bob = try RelayClient.peer("bob", to: server.address)
            let frame = RelayClient.frame(RelayClient.transport(to: bob.id, Array("datagram".utf8)))
            for cut in 1..<frame.count {
                try alice.peer.send(bytes: Array(frame[..<cut]))
                try alice.peer.send(bytes: Array(frame[cut...]))
                #expect(try bob.read() == .transport(alice.id, Array("datagram".utf8)))
            }
        }
    }

    /// RFC 6455 §5.4: accepted, though no client of theirs does it; what goes on is one frame.
    @Test func fragmentsBecomeOneMessage() async throws {
        try await withRelay { server in
            let alice = try RelayClient.peer("alice", to: server.address)
            let bob = try RelayClient.peer("bob", to: server.address)
            let message = RelayClient.transport(to: bob.id, Array("fragments".utf8))
            try alice.send(Array(message[..<1]), isFinal: false)
            try alice.send(Array("in between".utf8), as: .ping)
            try alice.send(Array(message[1..<20]), as: .continuation, isFinal: false, key: 0)
            try alice.send(Array(message[20...]), as: .continuation)
            #expect(try bob.read() == .transport(alice.id, Array("fragments".utf8)))
            #expect(try alice.read() == .pong(Array("in between".utf8)))
        }
    }

    /// Who has not logged in and does not read what it asks for: the kernel's buffers are all that it fills.
    @Test func aStrangersPingsHoldNoBuffers() async throws {
        try await withRelay { configuration in
            configuration.listeners[0].sendBufferByteCount = 16 << 10
            configuration.controlRateMax = 1_000_000
        } _: { server in
            let stranger = try RelayClient("stranger", to: server.address)
            let pings = (0..<50).flatMap { _ in RelayClient.frame([UInt8](repeating: 1, count: 125), as: .ping) }
            // The server closes at some time, whatever is being sent then.
            for _ in 0..<2000 where server.metrics.closed[.slowConsumer] ?? 0 == 0 {
                do { try stranger.peer.send(bytes: pings) } catch { break }
            }
            #expect(server.closed(.slowConsumer))
        }
    }

    @Test func whatIsForNobodyIsDroppedAndCounted() async throws {
        try await withRelay { server in
            let alice = try RelayClient.peer("alice", to: server.address)
            try alice.send([1, 2, 3], to: PeerID(hashing: "nobody"))
            #expect(server.dropped(.unknownPeer))
            // To oneself is no special case.
            try alice.send([7], to: alice.id)
            #expect(try alice.read() == .transport(alice.id, [7]))
            #expect(server.metrics.relay.messagesReceived == 2)
        }
    }
}

// MARK: Login

@Suite(.serialized) struct RelayLoginTests {
    /// Every violation of the first message: a close frame with 1008 and a short reason, nothing else.
    @Test func whoIsNotBelievedIsToldWhy() async throws {
        let keys = RelayTokenKeys(secrets: [RelayClient.secret])
        var flipped = keys.mint(expirySeconds: 4_102_444_800)
        flipped[5] ^= 1
        let refused: [([UInt8], String)] = [
            ([], "empty"), (flipped, "bad_signature"), (keys.mint(expirySeconds: 1_000_000_000), "expired"),
            ([2] + flipped.dropFirst(), "unsupported_algo"), (Array(flipped.prefix(33)), "too_short"),
            (RelayTokenKeys(secrets: ["other"]).mint(expirySeconds: 4_102_444_800), "bad_signature"),
        ]
        try await withRelay { server in
            for (token, reason) in refused {
                let client = try RelayClient("alice", to: server.address)
                try client.send(client.auth(token))
                #expect(try client.readToEnd() == [.closeFrame(1008, reason)])
            }
            #expect(server.closed(.authRefused, UInt64(refused.count)))
            #expect(server.metrics.relay.loginsRefused["bad_signature"] == 2)
            #expect(server.metrics.relay.logins == 0)
        }
    }

    @Test func aFirstMessageThatIsNoAuthIsRefused() async throws {
        let wrong: [([UInt8], String)] = [
            ([], "empty"), ([1], "too_short"), ([2, 6], "bad_version"), ([1, 3], "bad_type"), ([1, 1], "bad_type"),
            ([1, 6, 0x21], "truncated"), ([1, 6, 0, 0, 0, 0], "bad_magic"),
        ]
        let kept = KeptEvents(.warning)
        try await withRelay { $0.eventSink = kept } _: { server in
            for (message, reason) in wrong {
                let client = try RelayClient("alice", to: server.address)
                try client.send(message)
                #expect(try client.readToEnd() == [.closeFrame(1008, reason)])
                // Counted, and told with where it came from.
                #expect(server.metrics.relay.loginsRefused["auth_" + reason] ?? 0 > 0)
                let told = kept.first(.relayRefused) { $0.peer == client.peer.localAddress }
                guard case .relayRefused(let refusal) = told?.kind else { return #expect(Bool(false), "\(reason)") }
                #expect(refusal.label == "auth_" + reason)
            }
            // Longer than any Auth may be: refused when its length is known.
            let client = try RelayClient("alice", to: server.address)
            try client.peer.send(bytes: [0x82, 0xFE, 0, 213])
            guard case .closeFrame(1009, _) = try client.read() else { return #expect(Bool(false)) }
        }
    }

    @Test func thePreviousSecretIsStillGood() async throws {
        try await withRelay { configuration in
            configuration.relay?.secrets = ["new", RelayClient.secret]
        } _: { server in
            _ = try RelayClient.peer("alice", to: server.address)
            let bob = try RelayClient("bob", to: server.address)
            try bob.send(bob.auth(RelayTokenKeys(secrets: ["new"]).mint(expirySeconds: 4_102_444_800)))
            guard case .authResponse = try bob.read() else { return #expect(Bool(false)) }
        }
    }

    @Test func aTokenMayBeTooLongLived() async throws {
        try await withRelay { configuration in
            configuration.relay?.tokenLifetimeMax = .seconds(86_400)
        } _: { server in
            let alice = try RelayClient("alice", to: server.address)
            try alice.send(alice.auth())
            #expect(try alice.readToEnd() == [.closeFrame(1008, "lifetime_too_long")])
        }
    }

    /// Less than a second would be no time: refused where it is said, also by a reload.
    @Test(arguments: [Duration.milliseconds(999), .zero, .seconds(-1)])
    func noTokenIsGoodForNoTime(_ lifetime: Duration) async throws {
        var configuration = ServerConfiguration(address: "127.0.0.1:0")
        configuration.listeners[0].session = .relay
        configuration.relay = RelayConfiguration(instanceURL: "rel://relay", secrets: [RelayClient.secret])
        configuration.relay?.tokenLifetimeMax = .seconds(1)
        #expect(configuration.problems().isEmpty)
        var changed = configuration
        changed.relay?.tokenLifetimeMax = lifetime
        #expect(changed.problems() == ["relay.max_token_lifetime: 1 s or more, found \(lifetime)"])
        try await withServer(.newest) { $0.configuration = configuration } _: { server in
            let refusal = server.refusal(configuration) { $0.relay?.tokenLifetimeMax = lifetime }
            #expect(refusal?.description == changed.problems().first)
            let alice = try RelayClient("alice", to: server.address)
            try alice.send(alice.auth())
            #expect(try alice.readToEnd() == [.closeFrame(1008, "lifetime_too_long")])
        }
    }

    @Test func anyTokenWillDoWhereThatWasAskedFor() async throws {
        try await withRelay { configuration in
            configuration.relay?.allowsAnyToken = true
        } _: { server in
            let alice = try RelayClient("alice", to: server.address)
            try alice.send(alice.auth([]))
            guard case .authResponse = try alice.read() else { return #expect(Bool(false)) }
        }
    }

    /// Connections that ask for something else (relay.md §3.2).
    @Test func onlyAWebSocketAtThePathIsServed() async throws {
        let asked: [(String, String)] = [
            (RelayClient.request(path: "/"), "404"), (RelayClient.request(path: "/relay/"), "404"),
            ("GET /relay HTTP/1.1\r\nHost: relay\r\n\r\n", "426"),
            ("POST /relay HTTP/1.1\r\nHost: relay\r\nContent-Length: 0\r\n\r\n", "405"),
            (RelayClient.request().replacing("Version: 13", with: "Version: 8"), "426"),
            ("\u{16}\u{3}\u{1}\r\n", "400"),
        ]
        try await withRelay { server in
            for (request, status) in asked {
                let peer = try server.connect()
                try peer.send(bytes: Array(request.utf8))
                let response = String(decoding: try peer.readSome(), as: UTF8.self)
                #expect(response.hasPrefix("HTTP/1.1 \(status) "), "\(request): \(response)")
            }
            #expect(server.closed(.upgradeRefused, UInt64(asked.count - 1)))
            #expect(server.closed(.badRequest, 1))
        }
    }

    @Test func originsMayBeLimited() async throws {
        try await withRelay { configuration in
            configuration.relay?.origins = .list(["https://app.example.com"])
        } _: { server in
            for (origin, status) in [("https://app.example.com", "101"), ("https://evil.example.com", "403")] {
                let peer = try server.connect()
                try peer.send(bytes: Array(RelayClient.request(more: "Origin: \(origin)\r\n").utf8))
                let response = String(decoding: try peer.readSome(), as: UTF8.self)
                #expect(response.hasPrefix("HTTP/1.1 \(status) "), "\(response)")
            }
            _ = try RelayClient.peer("alice", to: server.address)
        }
    }

    @Test func aStrangerHasOneDeadlineForAllOfIt() async throws {
        try await withRelay { configuration in
            configuration.handshakeTimeout = .milliseconds(200)
        } _: { server in
            let silent = try RelayClient("alice", to: server.address)
            #expect(try silent.readToEnd() == [])
            #expect(server.closed(.handshakeTimeout))
            #expect(server.metrics.relay.loginsRefused == ["timeout": 1])
        }
    }

    @Test func strangersAreLimited() async throws {
        try await withRelay { configuration in
            configuration.handshakesAtOncePerShard = 2
        } _: { server in
            let first = try RelayClient("first", to: server.address)
            let second = try RelayClient("second", to: server.address)
            let third = try server.connect()
            #expect(try third.readSome().isEmpty)
            #expect(server.refused(.handshakeLimit))
            try first.logIn()
            let fourth = try RelayClient.peer("fourth", to: server.address)
            try fourth.send([1], to: first.id)
            #expect(try first.read() == .transport(fourth.id, [1]))
            _ = second
        }
    }
}

// MARK: What peers hear of one another

@Suite(.serialized) struct RelayNewsTests {
    @Test(arguments: [1, 2])
    func whoIsThereIsToldAtOnce(_ shards: Int) async throws {
        try await withRelay(shards: shards) { server in
            let alice = try RelayClient.peer("alice", to: server.address)
            let bob = try RelayClient.peer("bob", to: server.address)
            #expect(eventually { server.metrics.relay.peers == 2 })
            try settled(alice, bob)
            try alice.subscribe(to: bob.id, PeerID(hashing: "nobody"))
            #expect(try alice.read() == .online([bob.id]))
        }
    }

    /// Two round trips through each other: claims of both are known to both shards.
    private func settled(_ one: RelayClient, _ other: RelayClient) throws {
        for (from, to) in [(one, other), (other, one)] {
            repeat { try from.send([0], to: to.id) } while try to.readSoon() == nil
            while try to.readSoon() != nil {}
        }
    }

    @Test(arguments: [1, 2])
    func whoComesIsToldOnceAndWhoGoesAlways(_ shards: Int) async throws {
        try await withRelay(shards: shards) { server in
            let alice = try RelayClient.peer("alice", to: server.address)
            let id = PeerID(hashing: "bob")
            try alice.subscribe(to: id)
            #expect(eventually { server.metrics.relay.subscriptions == 1 })
            try alice.pingThrough()
            for round in 0..<3 {
                let bob = try RelayClient.peer("bob", to: server.address)
                if round == 0 { #expect(try alice.read() == .online([id])) }
                try bob.send([1, 4])
                #expect(try alice.read() == .offline([id]))
            }
            // Asked for again, it is told again.
            try alice.subscribe(to: id)
            try alice.pingThrough()
            let bob = try RelayClient.peer("bob", to: server.address)
            #expect(try alice.read() == .online([id]))
            try alice.unsubscribe(from: id)
            try alice.pingThrough()
            bob.peer.close()
            #expect(eventually { server.metrics.relay.peers == 1 })
            try alice.pingThrough()
        }
    }

    /// The last one wins; nobody hears that the one before went (relay.md §4.2).
    @Test(arguments: [1, 2])
    func aTakenIdIsNotOffline(_ shards: Int) async throws {
        try await withRelay(shards: shards) { server in
            let alice = try RelayClient.peer("alice", to: server.address)
            let first = try RelayClient.peer("bob", to: server.address)
            // What reaches it has come by way of its home, which then knows it: what alice hears is an answer.
            try first.send([4], to: first.id)
            #expect(try first.read() == .transport(first.id, [4]))
            try alice.subscribe(to: first.id)
            #expect(try alice.read() == .online([first.id]))
            let second = try RelayClient.peer("bob", to: server.address)
            #expect(try first.readToEnd() == [])
            // An interest in "online" is used up by the next one who comes, not by the answer.
            #expect(try alice.read() == .online([first.id]))
            try second.send([5], to: alice.id)
            #expect(try alice.read() == .transport(second.id, [5]))
            #expect(server.closed(.replaced))
            #expect(server.metrics.relay.replacements == 1)
        }
    }

    /// And told, with the id and who has just taken it.
    @Test func anIdThatFlapsIsCounted() async throws {
        let kept = KeptEvents()
        try await withRelay { configuration in
            configuration.relay?.flapCount = 3
            configuration.eventSink = kept
        } _: { server in
            let clients = try (0..<8).map { _ in try RelayClient.peer("bob", to: server.address) }
            #expect(server.closed(.replaced, 7))
            #expect(server.metrics.relay.flappings == 1)
            let told = try #require(kept.first(.relayFlapping))
            #expect(told.kind == .relayFlapping(clients[0].id))
            #expect(clients.map(\.peer.localAddress).contains(told.peer ?? ""))
            let opened = try #require(kept.first(.opened) { $0.connection == told.connection })
            #expect(opened.peer == told.peer)
            try clients[7].send([1], to: clients[7].id)
            #expect(try clients[7].read() == .transport(clients[7].id, [1]))
        }
    }

    /// Where connections are of either shard, and the id's home is one of them.
    @Test func anIdThatFlapsBetweenShardsIsToldByItsHome() async throws {
        let kept = KeptEvents(.warning)
        try await withRelay(shards: 2) { configuration in
            configuration.relay?.flapCount = 3
            configuration.eventSink = kept
        } _: { server in
            let clients = try (0..<12).map { _ in try RelayClient.peer("bob", to: server.address) }
            let told = try #require(kept.first(.relayFlapping))
            #expect(told.kind == .relayFlapping(clients[0].id) && told.connection != nil && told.severity == .warning)
            #expect(told.peer.map(clients.map(\.peer.localAddress).contains) ?? true)
        }
    }
}

// MARK: Life and leaving

@Suite(.serialized) struct RelayLifeTests {
    @Test(arguments: RingTier.allCases)
    func whoIsSilentIsAskedAndThenClosed(_ tier: RingTier) async throws {
        try await withRelay(tier) { configuration in
            configuration.relay?.healthInterval = .milliseconds(100)
            configuration.relay?.livenessTimeout = .milliseconds(700)
        } _: { server in
            let alice = try RelayClient.peer("alice", to: server.address)
            for _ in 0..<10 {
                #expect(try alice.read() == .healthCheck)
                try alice.send([1, 5])
            }
            let rest = try alice.readToEnd()
            #expect(rest.allSatisfy { $0 == .healthCheck } && rest.count >= 3, "\(rest)")
            #expect(server.closed(.deadPeer))
        }
    }

    /// Whatever a peer sends is a sign of life.
    @Test func whoSendsIsAlive() async throws {
        try await withRelay { configuration in
            configuration.relay?.livenessTimeout = .milliseconds(400)
        } _: { server in
            let alice = try RelayClient.peer("alice", to: server.address)
            for _ in 0..<10 {
                pause(milliseconds: 100)
                try alice.send([1], to: alice.id)
                #expect(try alice.read() == .transport(alice.id, [1]))
            }
        }
    }

    @Test func aDrainTellsPeersToClose() async throws {
        try await withRelay { server in
            let alice = try RelayClient.peer("alice", to: server.address)
            let stranger = try RelayClient("bob", to: server.address)
            server.handle.shutdown(timeout: .seconds(30))
            #expect(try alice.read() == .close)
            alice.peer.close()
            #expect(try stranger.readToEnd() == [])
            stranger.peer.close()
            #expect(server.handle.wait() == .drained)
            #expect(server.metrics.closed[.drained] == 2)
        }
    }

    @Test func aCloseFrameIsAnswered() async throws {
        try await withRelay { server in
            let alice = try RelayClient.peer("alice", to: server.address)
            try alice.send([0x03, 0xE8] + Array("bye".utf8), as: .close)
            #expect(try alice.readToEnd() == [.closeFrame(1000, "")])
            #expect(server.closed(.disconnect))
        }
    }
}

// MARK: Bad input (relay.md §1.3.8)

@Suite(.serialized) struct RelayInputTests {
    @Test func whatBreaksTheProtocolEndsTheConnection() async throws {
        let wrong: [([UInt8], WebSocketOpcode, UInt16)] = [
            ([], .binary, 1002), ([1], .binary, 1002), ([2, 5], .binary, 1002), ([1, 7], .binary, 1002),
            ([1, 10], .binary, 1002), ([1, 200], .binary, 1002), (Array("text".utf8), .text, 1003),
            ([1, 5], .continuation, 1002), ([3], .close, 1002),
        ]
        try await withRelay { server in
            for (message, opcode, code) in wrong {
                let alice = try RelayClient.peer("alice", to: server.address)
                try alice.send(message, as: opcode)
                guard case .closeFrame(code, _) = try alice.read() else {
                    return #expect(Bool(false), "\(message) as \(opcode)")
                }
                #expect(try alice.readToEnd() == [])
            }
            #expect(server.closed(.relayViolation, 6))
            #expect(server.closed(.webSocketViolation, 3))
        }
    }

    @Test func whatIsMerelyWithoutEffectIsCounted() async throws {
        try await withRelay { server in
            let alice = try RelayClient.peer("alice", to: server.address)
            let ignored: [[UInt8]] = [
                [1, 1], alice.auth(), [1, 3], Array(RelayClient.transport(to: alice.id, []).dropLast()), [1, 8, 0],
                [1, 9] + [UInt8](repeating: 0, count: 37),
            ]
            for message in ignored { try alice.send(message) }
            try alice.send([1, 8])
            try alice.send([9], to: alice.id)
            #expect(try alice.read() == .transport(alice.id, [9]))
            #expect(server.metrics.relay.messagesIgnored == UInt64(ignored.count))
        }
    }

    /// Refused when the length is known, before anything of it is kept.
    @Test func aMessageIsNeverLongerThanClientsRead() async throws {
        try await withRelay { server in
            let alice = try RelayClient.peer("alice", to: server.address)
            try alice.peer.send(bytes: [0x82, 0xFE, 0x22, 0x75])
            guard case .closeFrame(1009, _) = try alice.read() else { return #expect(Bool(false)) }
            // In fragments the sum counts.
            let bob = try RelayClient.peer("bob", to: server.address)
            try bob.send([UInt8](repeating: 1, count: 8000), isFinal: false)
            try bob.send([UInt8](repeating: 1, count: 821), as: .continuation)
            guard case .closeFrame(1009, _) = try bob.read() else { return #expect(Bool(false)) }
        }
    }

    @Test func framesWithoutMaskAreRefused() async throws {
        try await withRelay { server in
            let alice = try RelayClient.peer("alice", to: server.address)
            try alice.peer.send(bytes: [0x82, 2, 1, 5])
            guard case .closeFrame(1002, _) = try alice.read() else { return #expect(Bool(false)) }
        }
    }
}

// MARK: Behind a proxy

@Suite(.serialized) struct ProxyTests {
    /// Whatever a listener speaks, and wherever the header is cut.
    @Test(arguments: RingTier.allCases)
    func theHeaderComesBeforeEverything(_ tier: RingTier) async throws {
        try await withRelay(tier) { configuration in
            configuration.listeners[0].proxyProtocol = true
        } _: { server in
            let line = "PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n" + RelayClient.request()
            let bytes = Array(line.utf8)
            for cut in stride(from: 1, to: bytes.count, by: 7) {
                let peer = try server.connect()
                try peer.send(bytes: Array(bytes[..<cut]))
                pause(milliseconds: 2)
                try peer.send(bytes: Array(bytes[cut...]))
                #expect(String(decoding: try peer.readSome(), as: UTF8.self).hasPrefix("HTTP/1.1 101 "))
            }
            let stranger = try server.connect()
            try stranger.send(bytes: Array(RelayClient.request().utf8))
            #expect(server.closed(.proxyViolation))
        }
    }

    /// The address that the proxy tells is the one that is limited, and a health check of the proxy's own is not.
    @Test func theForwardedAddressCounts() async throws {
        try await withRelay { configuration in
            configuration.listeners[0].proxyProtocol = true
            configuration.addressLimits.connectionsMax = 2
        } _: { server in
            func connect(_ header: String) throws -> Peer {
                let peer = try server.connect()
                try peer.send(bytes: Array((header + RelayClient.request()).utf8))
                return peer
            }
            let from7 = "PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n"
            let first = try connect(from7)
            #expect(try !first.readSome().isEmpty)
            #expect(try !connect("PROXY TCP4 192.0.2.8 192.0.2.1 4711 443\r\n").readSome().isEmpty)
            #expect(try !connect("PROXY UNKNOWN\r\n").readSome().isEmpty)
            let second = try connect(from7)
            #expect(try !second.readSome().isEmpty)
            _ = try connect(from7)
            #expect(server.closed(.addressLimit))
            first.close()
            #expect(eventually { (server.metrics.closed[.truncated] ?? 0) >= 1 })
            let again = try connect(from7)
            #expect(try !again.readSome().isEmpty)
            _ = second
        }
    }

    /// Only a trusted proxy is believed.
    @Test(arguments: [["127.0.0.0/8"], []])
    func aTrustedProxySaysWhoComes(_ trusted: [String]) async throws {
        try await withRelay { configuration in
            configuration.relay?.trustedProxies = trusted
            configuration.addressLimits.connectionsMax = 1
        } _: { server in
            func connect(_ field: String) throws -> Peer {
                let peer = try server.connect()
                try peer.send(bytes: Array(RelayClient.request(more: field + "\r\n").utf8))
                return peer
            }
            let first = try connect("X-Real-IP: 192.0.2.7")
            #expect(try !first.readSome().isEmpty)
            let other = try connect("X-Forwarded-For: 10.0.0.1, 192.0.2.8")
            #expect(try !other.readSome().isEmpty)
            let second = try connect("X-Real-IP: 192.0.2.7")
            let response = String(decoding: try second.readSome(), as: UTF8.self)
            // The loopback has no limit of its own.
            let status = trusted.isEmpty ? "101 Switching Protocols" : "429 Too Many Requests"
            #expect(response.hasPrefix("HTTP/1.1 \(status)\r\n"), "\(response)")
            #expect(trusted.isEmpty || server.closed(.addressLimit))
            _ = (first, other)
        }
    }

    /// HAProxy's `option forwardfor` passes on what a client says in X-Real-IP: that exempts nobody from the limits.
    @Test func aClientIsNobodyElseThroughAProxy() async throws {
        try await withRelay { configuration in
            configuration.relay?.trustedProxies = ["127.0.0.1"]
            configuration.addressLimits.connectionsMax = 1
        } _: { server in
            func ask(_ real: String) throws -> (peer: Peer, response: String) {
                let peer = try server.connect()
                let fields = "X-Real-IP: \(real)\r\nX-Real-Port: 1\r\nX-Forwarded-For: 192.0.2.7\r\n"
                try peer.send(bytes: Array(RelayClient.request(more: fields).utf8))
                return (peer, String(decoding: try peer.readSome(), as: UTF8.self))
            }
            // The loopback has no limits; the proxy's own address says nothing of who is behind it.
            for _ in 0..<3 {
                let liar = try ask("127.0.0.9")
                #expect(liar.response.hasPrefix("HTTP/1.1 400 ") && liar.response.contains("different clients"))
            }
            let first = try ask("127.0.0.1")
            #expect(first.response.hasPrefix("HTTP/1.1 101 "))
            #expect(try ask("127.0.0.1").response.hasPrefix("HTTP/1.1 4"))
            #expect(server.closed(.upgradeRefused, 3) && server.closed(.addressLimit))
            _ = first
        }
    }
}
