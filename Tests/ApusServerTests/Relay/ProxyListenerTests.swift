// A PROXY header before what is not the relay's: packets, and TLS, wherever the header is cut. The address in it is the
// peer's from then on.

import ApusReactor
import ApusSecurity
import ApusServer
import ApusWire
import Foundation
import TestSupport
import Testing

@Suite(.serialized) struct ProxyListenerTests {
    static let line = Array("PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n".utf8)
    /// The same in version 2: TCP over IPv4, twelve bytes of addresses and ports.
    static let binary: [UInt8] = [
        0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A, 0x21, 0x11, 0, 12,
        192, 0, 2, 7, 192, 0, 2, 1, 0x12, 0x67, 0x01, 0xBB,
    ]

    @Test(arguments: [line, binary])
    func packetsFollowTheHeader(_ header: [UInt8]) async throws {
        try await withServer(.newest) { $0.configuration.listeners[0].proxyProtocol = true } _: { server in
            let bytes = header + PacketEncoder.encode(.ping)
            let whole = try server.connect()
            try whole.send(bytes: bytes)
            #expect(try whole.read() == .pong)
            #expect(try whole.request(.echo("more")) == .echo("more"))
            for cut in 1..<bytes.count {
                let peer = try server.connect()
                try peer.send(bytes: Array(bytes[..<cut]))
                pause(milliseconds: 2)
                try peer.send(bytes: Array(bytes[cut...]))
                #expect(try peer.read() == .pong)
            }
            let stranger = try server.connect()
            try stranger.send(.ping)
            #expect(server.closed(.proxyViolation))
        }
    }

    /// What lists connections shows where the client is, and so does what is told of them.
    @Test(arguments: [line, binary])
    func theClientIsListedWhereTheHeaderSays(_ header: [UInt8]) async throws {
        let kept = KeptEvents()
        try await withAdmin { server in
            server.configuration.listeners[0].proxyProtocol = true
            server.configuration.eventSink = kept
        } _: { server in
            let peer = try server.connect()
            try peer.send(bytes: header + PacketEncoder.encode(.ping))
            #expect(try peer.read() == .pong)
            let status = try #require(try server.admin("/status?connections=1"))
            let json = try JSONSerialization.jsonObject(with: Data(status.body.utf8)) as? [String: Any]
            let top = try #require((json?["top"] as? [String: Any])?["by_bytes"] as? [[String: Any]])
            #expect(top.map { $0["peer"] as? String } == ["192.0.2.7:4711"])
            peer.close()
            #expect(kept.first(.closed) { $0.listener == "edge" }?.peer == "192.0.2.7:4711")
        }
    }

    @Test func theClientIsLimitedWhereTheHeaderSays() async throws {
        try await withServer(.newest) { server in
            server.configuration.listeners[0].proxyProtocol = true
            server.configuration.addressLimits.connectionsMax = 1
        } _: { server in
            func connect(_ header: [UInt8]) throws -> Peer {
                let peer = try server.connect()
                try peer.send(bytes: header + PacketEncoder.encode(.ping))
                return peer
            }
            let first = try connect(Self.line)
            #expect(try first.read() == .pong)
            _ = try connect(Self.binary)
            #expect(server.closed(.addressLimit))
            let other = try connect(Array("PROXY TCP6 2001:db8::7 2001:db8::1 4711 443\r\n".utf8))
            #expect(try other.read() == .pong)
            first.close()
            #expect(eventually { server.metrics.closed[.peerFinished] == 1 })
            let again = try connect(Self.binary)
            #expect(try again.read() == .pong)
        }
    }

    /// In one segment with the ClientHello, before it, and cut: what follows the header is TLS's.
    @Test(arguments: [line, binary])
    func tlsFollowsTheHeader(_ header: [UInt8]) async throws {
        let certificates = try TestCertificates()
        let (material, kept) = (try certificates.server(), KeptEvents())
        try await withServer(.newest) { server in
            server.configuration.listeners[0].security = .tls(material)
            server.configuration.listeners[0].proxyProtocol = true
            server.configuration.eventSink = kept
        } _: { server in
            for cut in [0, 1, header.count - 1, header.count, header.count + 1, header.count + 40] {
                let peer = try SecurePeer(to: server.address, try certificates.client())
                let bytes = header + peer.outgoing()
                try peer.peer.send(bytes: Array(bytes[..<cut]))
                pause(milliseconds: 2)
                try peer.peer.send(bytes: Array(bytes[cut...]))
                try peer.establish()
                try peer.peer.send(bytes: try peer.seal(.ping))
                #expect(try peer.read(1) == [.pong])
            }
            #expect(server.metrics.handshakes == 6)
            #expect(eventually { kept.named(.established).count == 6 })
            #expect(kept.named(.established).allSatisfy { $0.peer == "192.0.2.7:4711" })
        }
    }

    /// TLS speaks first, and that is no header.
    @Test func tlsWithoutAHeaderIsRefused() async throws {
        let certificates = try TestCertificates()
        let material = try certificates.server()
        try await withServer(.newest) { server in
            server.configuration.listeners[0].security = .tls(material)
            server.configuration.listeners[0].proxyProtocol = true
        } _: { server in
            let peer = try SecurePeer(to: server.address, try certificates.client())
            try peer.peer.send(bytes: peer.outgoing())
            #expect(server.closed(.proxyViolation))
            #expect(server.metrics.tlsFailures.isEmpty && server.metrics.handshakes == 0)
        }
    }
}
