// TLS through a real server: what is let in, what is refused and counted, what is answered, how it ends.

import ApusClient
import ApusCompression
import ApusReactor
import ApusSecurity
import ApusServer
import ApusWire
import TestSupport
import Testing

/// A server whose one listener speaks TLS.
private func withTLS(
    _ material: TLSMaterial, _ change: (inout Server) -> Void = { _ in }, _ body: (RunningServer) throws -> Void
) async throws {
    try await withServer(.newest) { server in
        server.configuration.listeners[0].security = .tls(material)
        change(&server)
    } _: { server in
        try body(server)
    }
}

@Suite(.serialized) struct TLSSessionTests {
    let certificates: TestCertificates

    init() throws { certificates = try TestCertificates() }

    @Test(arguments: TLSVersion.allCases)
    func echoesAreAnswered(_ version: TLSVersion) async throws {
        try await withTLS(try certificates.server { $0.versionMax = version }) { server in
            let peer = try SecurePeer(to: server.address, try certificates.client())
            try peer.establish()
            #expect(peer.channel.agreement?.tlsVersion == version)
            let texts = (0..<50).map { Message.echo(String(repeating: "é", count: $0 * 37)) }
            for text in texts { try peer.peer.send(bytes: try peer.seal(text)) }
            #expect(try peer.read(50) == texts)
            #expect(server.metrics.handshakes == 1)
        }
    }

    @Test func everythingMayComeOneByteAtATime() async throws {
        try await withTLS(try certificates.server()) { server in
            let peer = try SecurePeer(to: server.address, try certificates.client())
            for byte in peer.outgoing() { try peer.peer.send(bytes: [byte]) }
            try peer.receiveUntilReady()
            for byte in try peer.seal(.echo("one byte at a time"), .ping) { try peer.peer.send(bytes: [byte]) }
            #expect(try peer.read(2) == [.echo("one byte at a time"), .pong])
        }
    }

    @Test func theLongestMessageIsAnswered() async throws {
        try await withTLS(try certificates.server()) { server in
            let peer = try SecurePeer(to: server.address, try certificates.client())
            try peer.establish()
            let text = String(repeating: "x", count: PacketFormat.payloadByteCountMax - 12)
            let sealed = try peer.seal(.echo(text))
            let sending = Background { [socket = peer.peer] in try socket.send(bytes: sealed) }
            #expect(try peer.read(1) == [.echo(text)])
            try sending.value()
        }
    }

    /// Half a record holds OpenSSL's buffers, of which the session beneath knows nothing.
    @Test(arguments: TLSVersion.allCases, [1, 5, 20])
    func aRecordThatIsNotFinishedEndsItsConnection(_ version: TLSVersion, _ byteCount: Int) async throws {
        try await withTLS(try certificates.server { $0.versionMax = version }) { server in
            server.configuration.slowPeerGrace = .milliseconds(100)
            server.configuration.peerByteRateMin = 1 << 30
        } _: { server in
            let peer = try SecurePeer(to: server.address, try certificates.client())
            try peer.establish()
            let record = try peer.seal(.ping)
            try peer.peer.send(bytes: record + (try peer.seal(.ping)).prefix(byteCount))
            #expect(try peer.readToEnd() == [.pong])
            #expect(server.closed(.slowRequest))
        }
    }

    /// Sealed replies go on, and so does what the peer sends in whole records.
    @Test func aSilentTLSPeerIsNotSlow() async throws {
        try await withTLS(try certificates.server()) { server in
            server.configuration.slowPeerGrace = .milliseconds(20)
            server.configuration.idleTimeout = .milliseconds(400)
        } _: { server in
            let peer = try SecurePeer(to: server.address, try certificates.client())
            try peer.establish()
            try peer.peer.send(bytes: try peer.seal(.echo("then silence")))
            #expect(try peer.readToEnd() == [.echo("then silence")])
            #expect(server.closed(.idleTimeout))
        }
    }

    @Test func disconnectIsAnsweredWithAGoodbye() async throws {
        try await withTLS(try certificates.server()) { server in
            let peer = try SecurePeer(to: server.address, try certificates.client())
            try peer.establish()
            try peer.peer.send(bytes: try peer.seal(.echo("a"), .disconnect))
            #expect(try peer.readToEnd() == [.echo("a")])
            #expect(peer.channel.isClosedByPeer)
            peer.peer.close()
            #expect(server.closed(.disconnect))
        }
    }

    @Test func aCutStreamIsToldFromAnEnd() async throws {
        try await withTLS(try certificates.server()) { server in
            let ended = try SecurePeer(to: server.address, try certificates.client())
            try ended.establish()
            let request = try ended.seal(.ping)
            ended.channel.finish()
            try ended.peer.send(bytes: request + ended.outgoing())
            #expect(try ended.readToEnd() == [.pong])
            ended.peer.close()
            #expect(server.closed(.peerFinished))

            let cut = try SecurePeer(to: server.address, try certificates.client())
            try cut.establish()
            try cut.peer.send(bytes: try cut.seal(.ping))
            cut.peer.finishSending()
            #expect(try cut.readToEnd() == [.pong])
            cut.peer.close()
            #expect(server.closed(.truncated))
        }
    }

    @Test func garbageIsAnsweredWithAnAlertAndCounted() async throws {
        try await withTLS(try certificates.server()) { server in
            let peer = try server.connect()
            try peer.send(bytes: Array("GET / HTTP/1.1\r\n\r\n".utf8))
            while try !peer.readSome().isEmpty {}
            #expect(server.closed(.tlsHandshake))
            #expect(server.metrics.tlsFailures == ["not_tls": 1])
            let broken = try SecurePeer(to: server.address, try certificates.client())
            try broken.establish()
            var record = try broken.seal(.ping)
            record[record.count - 1] ^= 1
            try broken.peer.send(bytes: record)
            #expect(throws: ChannelFailure.self) { try broken.readToEnd() }
            #expect(server.closed(.tlsBroken))
            #expect(server.metrics.tlsFailures["bad_record"] == 1)
        }
    }

    @Test func silenceEndsAtTheHandshakesDeadline() async throws {
        try await withTLS(try certificates.server()) { server in
            server.configuration.handshakeTimeout = .milliseconds(200)
        } _: { server in
            let peer = try SecurePeer(to: server.address, try certificates.client())
            try peer.peer.send(bytes: Array(peer.outgoing().prefix(50)))
            #expect(try peer.receive() == false)
            #expect(server.closed(.handshakeTimeout))
        }
    }

    @Test func asynchronousRepliesAndPushesArrive() async throws {
        let tokens = Recorded<ConnectionToken>()
        try await withTLS(try certificates.server()) { server in
            server.dispatcher.registerAsync(.command("LATER")) { message, context in
                tokens.record(context.token)
                return message
            }
        } _: { server in
            let peer = try SecurePeer(to: server.address, try certificates.client())
            try peer.establish()
            try peer.peer.send(bytes: try peer.seal(.command("LATER", "1"), .echo("2"), .command("LATER", "3")))
            #expect(try peer.read(3) == [.command("LATER", "1"), .echo("2"), .command("LATER", "3")])
            let token = try #require(tokens.all.first)
            #expect(server.handle.push(.command("NEWS", "now"), to: token))
            #expect(try peer.read(4).last == .command("NEWS", "now"))
        }
    }

    @Test func aDrainTellsIdlePeersToLeave() async throws {
        try await withTLS(try certificates.server()) { server in
            let idle = try SecurePeer(to: server.address, try certificates.client())
            try idle.establish()
            let unsaid = try SecurePeer(to: server.address, try certificates.client())
            #expect(eventually { server.metrics.handshakes == 1 && server.metrics.accepted == 2 })
            server.handle.shutdown(timeout: .seconds(20))
            #expect(try idle.read(1) == [.disconnect])
            idle.channel.finish()
            try idle.peer.send(bytes: idle.outgoing())
            idle.peer.finishSending()
            #expect(try idle.readToEnd() == [.disconnect])
            idle.peer.close()
            unsaid.peer.close()
            #expect(server.handle.wait() == .drained)
        }
    }
}

// MARK: Who may come in

@Suite(.serialized) struct MutualTLSTests {
    let certificates: TestCertificates

    init() throws {
        certificates = try TestCertificates()
        try certificates.make(node: "client", by: "ca")
        try certificates.make(authority: "other")
        try certificates.make(node: "stranger", by: "other")
    }

    private func client(_ name: String?) throws -> ClientSecurity {
        try certificates.client { settings in
            settings.certificateChain = name.map { .file(certificates.path("\($0).pem")) }
            settings.privateKey = name.map { .file(certificates.path("\($0).key")) }
        }
    }

    private func server(_ verification: ClientVerification) throws -> TLSMaterial {
        try certificates.server { settings in
            settings.authorities = .pem(certificates.authority)
            settings.clientVerification = verification
        }
    }

    @Test(arguments: [ClientVerification.optional, .required])
    func aVerifiedClientIsKnownToHandlers(_ verification: ClientVerification) async throws {
        let seen = Recorded<PeerProof>()
        try await withTLS(try server(verification)) { server in
            server.dispatcher.register(.ping) { _, context, reply in
                seen.record(context.peerProof)
                reply.pong()
            }
        } _: { server in
            let peer = try SecurePeer(to: server.address, try client("client"))
            try peer.establish()
            try peer.peer.send(bytes: try peer.seal(.ping))
            #expect(try peer.read(1) == [.pong])
            guard case .certificate(let certificate) = try #require(seen.all.first) else {
                Issue.record("no certificate")
                return
            }
            #expect(certificate.subject == "CN=client")
        }
    }

    /// In TLS 1.3 the client learns of the refusal only when it reads.
    @Test(arguments: [nil, "stranger"])
    func whoCannotProveItselfIsRefused(_ name: String?) async throws {
        try await withTLS(try server(.required)) { server in
            let peer = try SecurePeer(to: server.address, try client(name))
            #expect(throws: (any Error).self) {
                try peer.establish()
                try peer.peer.send(bytes: try peer.seal(.ping))
                if try peer.readToEnd().isEmpty { throw PeerError.reset }
            }
            #expect(server.closed(.tlsHandshake))
            let label = name == nil ? "certificate_required" : "certificate_unverified"
            #expect(server.metrics.tlsFailures == [label: 1])
        }
    }

    @Test func withoutACertificateIsGoodEnoughWhereItIsOptional() async throws {
        try await withTLS(try server(.optional)) { server in
            let peer = try SecurePeer(to: server.address, try client(nil))
            try peer.establish()
            try peer.peer.send(bytes: try peer.seal(.ping))
            #expect(try peer.read(1) == [.pong])
        }
    }

    @Test func aServerOfAnotherAuthorityIsRefusedByTheClient() async throws {
        try await withTLS(try certificates.server("stranger")) { server in
            let peer = try SecurePeer(to: server.address, try client(nil))
            #expect(throws: ChannelFailure.self) { try peer.establish() }
        }
    }

    @Test func aReplacedCertificateServesNewConnectionsAndLeavesOldOnesAlone() async throws {
        try certificates.make(node: "renewed", by: "ca")
        let renewed = try certificates.server("renewed")
        let pin = try #require(renewed.certificate?.pin)
        let pinned = try certificates.client { $0.pins = [pin] }
        try await withTLS(try certificates.server()) { server in
            server.configuration.shards = 2
        } _: { server in
            let old = try SecurePeer(to: server.address, try client(nil))
            try old.establish()
            #expect(throws: ChannelFailure.tls(.wrongPin)) {
                try SecurePeer(to: server.address, pinned).establish()
            }
            try server.handle.replaceTLS(renewed, of: "edge")
            #expect(eventually { server.metrics.tlsReloads == 2 })
            for _ in 0..<8 { try SecurePeer(to: server.address, pinned).establish() }
            try old.peer.send(bytes: try old.seal(.echo("still here")))
            #expect(try old.read(1) == [.echo("still here")])
            #expect(throws: ServerError.self) { try server.handle.replaceTLS(renewed, of: "nobody") }
        }
    }

    @Test func sessionsAreResumedByAnyShard() async throws {
        let security = try client(nil)
        try await withTLS(try certificates.server()) { server in
            server.configuration.shards = 2
        } _: { server in
            let channels = try ClientChannels(security)
            var resumption: TLSResumption?
            var resumed = 0
            for _ in 0..<20 {
                let peer = try SecurePeer(
                    to: server.address, channels.open(wallMilliseconds: 0, resuming: resumption))
                try peer.establish()
                try peer.peer.send(bytes: try peer.seal(.ping))
                #expect(try peer.read(1) == [.pong])
                if peer.channel.agreement?.isResumed == true { resumed += 1 }
                resumption = peer.channel.resumption()
                #expect(resumption != nil)
            }
            #expect(resumed == 19)
            #expect(server.metrics.handshakesResumed == 19)
        }
    }
}

// MARK: The client of this package

@Suite(.serialized) struct SecureClientTests {
    private func with(
        _ security: ListenerSecurity, _ configuration: ClientConfiguration, at address: String = "127.0.0.1:0",
        _ body: (Client, ServerHandle) async throws -> Void
    ) async throws {
        var server = Server(ServerConfiguration(address: address))
        server.configuration.listeners[0].security = security
        let handle = try server.start()
        do {
            let client = try await Client.connect(to: handle.boundAddresses[0], configuration: configuration)
            try await body(client, handle)
        } catch {
            Issue.record("\(error)")
        }
        handle.stop()
        await handle.run()
    }

    private func talk(_ client: Client, _ handle: ServerHandle) async throws {
        try await withThrowingTaskGroup(of: (String, Message).self) { group in
            for index in 0..<300 {
                let text = String(repeating: "\(index) ", count: index * 3)
                group.addTask { (text, try await client.request(.echo(text))) }
            }
            for try await (text, reply) in group { #expect(reply == .echo(text)) }
        }
        try await client.disconnect()
        #expect(eventually { handle.metrics.closed[.disconnect] == 1 })
    }

    @Test func requestsAreAnsweredOverTheHandshake() async throws {
        var (settings, compression) = (HandshakeSettings.presharedKey("0123456789abcdef"), CompressionSettings())
        compression.algorithms = [.zstd, .lz4]
        settings.identity = IdentityKey()
        var configuration = ClientConfiguration()
        configuration.security = .handshake(settings)
        configuration.compression = compression
        try await with(.handshake(settings, compression), configuration, talk)
    }

    @Test(arguments: ["127.0.0.1:0", "unix"])
    func requestsAreAnsweredOverTLS(_ place: String) async throws {
        let certificates = try TestCertificates()
        let address = place == "unix" ? "unix:" + certificates.path("socket") : place
        var configuration = ClientConfiguration()
        configuration.security = try certificates.client()
        try await with(.tls(try certificates.server()), configuration, at: address, talk)
    }

    @Test func unixSocketsCarrySealedPacketsAndCredentials() async throws {
        let folder = try TemporaryFolder()
        let seen = Recorded<PeerIdentity?>()
        var server = Server(ServerConfiguration(address: "unix:" + folder.file("socket")))
        server.configuration.listeners[0].security = .handshake(.init())
        server.dispatcher.register(.ping) { _, context, reply in
            seen.record(context.peerIdentity)
            reply.pong()
        }
        let handle = try server.start()
        var configuration = ClientConfiguration()
        configuration.security = .handshake(.init())
        let client = try await Client.connect(to: handle.boundAddresses[0], configuration: configuration)
        #expect(try await client.request(.ping) == .pong)
        #expect(seen.all.first??.processID == ownProcessID())
        try await client.disconnect()
        handle.stop()
        await handle.run()
    }

    @Test func anotherSecurityIsToldApart() async throws {
        var server = Server(ServerConfiguration(address: "127.0.0.1:0"))
        server.configuration.listeners[0].security = .handshake(.init())
        let handle = try server.start()
        let certificates = try TestCertificates()
        var configuration = ClientConfiguration()
        configuration.security = try certificates.client()
        do {
            _ = try await Client.connect(to: handle.boundAddresses[0], configuration: configuration)
            Issue.record("connected")
        } catch {
            guard case .insecure = error else {
                Issue.record("\(error)")
                return
            }
        }
        handle.stop()
        await handle.run()
    }

    @Test func compressionWithoutAHandshakeIsAnError() async throws {
        var configuration = ClientConfiguration()
        configuration.compression.algorithms = [.lz4]
        #expect(configuration.problems().contains { $0.hasPrefix("compression:") })
    }
}
