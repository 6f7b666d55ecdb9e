// The relay over TLS: keys are agreed on before anybody has logged in, and counted then.

import ApusReactor
import ApusSecurity
import ApusServer
import ApusWire
import TestSupport
import Testing

@Suite(.serialized) struct RelayTLSTests {
    private let certificates: TestCertificates

    init() throws { certificates = try TestCertificates() }

    private func withTLSRelay(_ body: (RunningServer) throws -> Void) async throws {
        let material = try certificates.server()
        try await withRelay(.newest) { $0.listeners[0].security = .tls(material) } _: { try body($0) }
    }

    private func logIn(_ peer: SecurePeer, as name: String) throws {
        try say(Array(RelayClient.request().utf8), to: peer)
        #expect(try hear(from: peer).starts(with: "HTTP/1.1 101 ".utf8))
        let token = RelayTokenKeys(secrets: [RelayClient.secret]).mint(expirySeconds: 4_102_444_800)
        let auth = encoded(300) { output in
            RelayEncoder.writeAuth(PeerID(hashing: name), token: token.span.bytes, into: &output)
        }
        try say(RelayClient.frame(auth), to: peer)
        #expect(try hear(from: peer).dropFirst(2).starts(with: [1, 7]))
    }

    private func say(_ bytes: [UInt8], to peer: SecurePeer) throws {
        try peer.channel.send(bytes)
        try peer.peer.send(bytes: peer.outgoing())
    }

    /// What comes next, opened; records without plaintext, such as tickets, are passed over.
    private func hear(from peer: SecurePeer) throws -> [UInt8] {
        var plain: [UInt8] = []
        while plain.isEmpty {
            var bytes = try peer.peer.readSome()
            guard !bytes.isEmpty else { throw PeerError.truncated }
            try bytes.withUnsafeMutableBytes { buffer in
                try peer.channel.receive(buffer) { plain += Array($0) }
            }
        }
        return plain
    }

    @Test func resumedHandshakesAreCounted() async throws {
        let channels = try ClientChannels(try certificates.client())
        try await withTLSRelay { server in
            var resumption: TLSResumption?
            for round in 0..<3 {
                let channel = try channels.open(wallMilliseconds: 0, resuming: resumption)
                let peer = try SecurePeer(to: server.address, channel)
                try peer.establish()
                try logIn(peer, as: "peer \(round)")
                resumption = peer.channel.resumption()
            }
            #expect(server.metrics.handshakes == 3)
            #expect(server.metrics.handshakesResumed == 2)
        }
    }

    @Test func whatBreaksBeforeALoginIsNoFailedHandshake() async throws {
        try await withTLSRelay { server in
            let peer = try SecurePeer(to: server.address, try certificates.client())
            try peer.establish()
            // TLS 1.3 application data that nobody sealed.
            try peer.peer.send(bytes: [0x17, 3, 3, 0, 32] + [UInt8](repeating: 7, count: 32))
            #expect(server.closed(.tlsBroken))
            #expect(server.metrics.closed[.tlsHandshake] == nil)
            #expect(server.metrics.handshakes == 1)
        }
    }

    /// A login over plain TCP is no agreement on keys.
    @Test func aLoginIsNoHandshake() async throws {
        try await withRelay { server in
            _ = try RelayClient.peer("alice", to: server.address)
            #expect(server.metrics.relay.logins == 1 && server.metrics.handshakes == 0)
        }
    }
}
