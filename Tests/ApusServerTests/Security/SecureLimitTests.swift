// Limits of protected connections that a plain connection does not have.

import ApusClient
import ApusCompression
import ApusReactor
import ApusSecurity
import ApusServer
import ApusWire
import TestSupport
import Testing

@Suite(.serialized) struct SecureLimitTests {
    @Test func theHandshakesDeadlineHoldsBeforeTheFirstByteToo() async throws {
        try await withHandshake(.init(), .init()) { server in
            server.configuration.handshakeTimeout = .milliseconds(200)
        } _: { server in
            let silent = try server.connect()
            #expect(try silent.read() == nil)
            #expect(server.closed(.handshakeTimeout))
        }
    }

    /// What is unpacked may not be longer than what may be sent as it is.
    @Test func thePayloadLimitHoldsForPackedPayloads() async throws {
        var compression = CompressionSettings()
        compression.algorithms = [.zstd]
        try await withHandshake(.init(), compression) { server in
            server.configuration.payloadByteCountMax = 64 << 10
        } _: { server in
            var settings = HandshakeSettings()
            settings.compression = [CompressionAlgorithm.zstd.rawValue]
            let text = (0..<4000).map { "line \($0) of a log that repeats itself\n" }.joined()
            for (count, isAnswered) in [(60 << 10, true), (70 << 10, false)] {
                let peer = try SecurePeer(to: server.address, .handshake(settings), packing: .tested)
                try peer.establish()
                let echo = Message.echo(String(text.prefix(count)))
                try peer.peer.send(bytes: try peer.seal(echo))
                if isAnswered {
                    #expect(try peer.read(1) == [echo])
                } else {
                    #expect(try peer.readToEnd() == [])
                }
            }
            #expect(server.closed(.decompression))
        }
    }

    /// A reply that fits a packet but not a sealed one ends the connection, and nobody gets another's reply.
    @Test func noReplyTakesThePlaceOfOneThatIsTooLong() async throws {
        let doors = Doors()
        try await withHandshake { server in
            server.dispatcher.registerAsync(.command("LONG")) { _, _ in
                await doors.pass("long")
                let byteCount = PacketFormat.payloadByteCountMax - MessageEncoder.byteCountOfCustom(
                    commandByteCount: 1, contentByteCount: 0)
                return .custom(command: "L", payload: Array(repeating: 0, count: byteCount))
            }
            server.dispatcher.registerAsync(.command("SHORT")) { message, _ in
                await doors.pass("short")
                return message
            }
        } _: { server in
            let peer = try SecurePeer(to: server.address, .handshake(.init()))
            try peer.establish()
            try peer.peer.send(bytes: try peer.seal(.command("LONG"), .command("SHORT")))
            #expect(eventually { doors.isAwaited("long") && doors.isAwaited("short") })
            doors.open("short")
            doors.open("long")
            #expect(try peer.readToEnd() == [])
            peer.peer.close()
            #expect(server.closed(.oversizeReply))
            #expect(eventually { server.metrics.dropped[.replyForGoneConnection] == 1 })
        }
    }

    /// The client seals no more than may wait, so a server that does not read stops it instead of filling its memory.
    @Test func aClientWaitsForAServerThatDoesNotRead() async throws {
        let doors = Doors()
        var server = Server(ServerConfiguration(address: "127.0.0.1:0"))
        server.configuration.listeners[0].security = .handshake(.init())
        server.configuration.backpressureLimit = 1
        server.dispatcher.registerAsync(.command("SLOW")) { _, _ in
            await doors.pass("slow")
            return nil
        }
        let handle = try server.start()
        var configuration = ClientConfiguration()
        configuration.security = .handshake(.init())
        configuration.waitingCallsMax = 1000
        let client = try await Client.connect(to: handle.boundAddresses[0], configuration: configuration)
        let payload = [UInt8](repeating: 1, count: 64 << 10)
        let sending = Task {
            for _ in 0..<2000 { try await client.send(.custom(command: "SLOW", payload: payload)) }
        }
        #expect(eventually { handle.metrics.pauses > 0 })
        let before = handle.metrics.bytesReceived
        #expect(before < 100 << 20)
        client.close()
        await #expect(throws: (any Error).self) { try await sending.value }
        doors.open("slow")
        handle.stop()
        await handle.run()
    }

    @Test func aClientsMaterialCannotServe() async throws {
        let certificates = try TestCertificates()
        guard case .tls(let material) = try certificates.client() else { return }
        var configuration = ServerConfiguration(address: "127.0.0.1:0")
        configuration.listeners[0].security = .tls(material)
        #expect(configuration.problems() == ["listener edge: the TLS material is a client's"])
        configuration.listeners[0].security = .tls(try certificates.server())
        let handle = try Server(configuration).start()
        #expect(throws: ServerError.self) { try handle.replaceTLS(material, of: "edge") }
        handle.stop()
        await handle.run()
    }
}
