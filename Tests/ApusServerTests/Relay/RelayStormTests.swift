// Many peers at once, peers that do not read, and the same over TLS and several loops.

import ApusReactor
import ApusSecurity
import ApusServer
import ApusWire
import TestSupport
import Testing

@Suite(.serialized) struct RelayStormTests {
    /// Whoever came last has it, whatever loops they came to; the others are closed.
    @Test(arguments: [1, 2, 3])
    func ofManyWithOneIdOneIsLeft(_ shards: Int) async throws {
        try await withRelay(shards: shards) { server in
            let clients = try (0..<60).map { _ in try RelayClient.peer("bob", to: server.address) }
            #expect(server.closed(.replaced, 59))
            #expect(eventually { server.metrics.relay.peers == 1 })
            #expect(server.metrics.relay.noticesLost == 0)
            let alice = try RelayClient.peer("alice", to: server.address)
            // Every loop knows of it in the end.
            var reached: [RelayClient] = []
            while reached.isEmpty {
                try alice.send([1], to: clients[0].id)
                reached = clients.filter { $0.hears(.transport(alice.id, [1])) }
            }
            #expect(reached.count == 1)
        }
    }

    @Test(arguments: [1, 2])
    func pairsOfEveryLoopReachEachOther(_ shards: Int) async throws {
        try await withRelay(shards: shards) { server in
            let peers = try (0..<24).map { try RelayClient.peer("peer \($0)", to: server.address) }
            #expect(eventually { server.metrics.relay.peers == 24 })
            for peer in peers { try peer.pingThrough() }
            for (index, peer) in peers.enumerated() {
                for other in peers { try peer.send([UInt8(index)], to: other.id) }
            }
            for peer in peers {
                let heard = try peers.map { _ in try peer.read() }
                for (index, sender) in peers.enumerated() {
                    #expect(heard.contains(.transport(sender.id, [UInt8(index)])))
                }
            }
            let metrics = server.metrics
            #expect(metrics.relay.messagesReceived == 24 * 24)
            #expect(metrics.relay.messagesDelivered == 24 * 24)
            #expect(metrics.dropped.isEmpty)
            #expect((metrics.relay.messagesPosted > 0) == (shards > 1))
        }
    }

    /// Its backlog is bounded, what is dropped is counted, and nobody else waits for it.
    @Test(arguments: RingTier.allCases)
    func whoDoesNotReadHarmsNobodyElse(_ tier: RingTier) async throws {
        try await withRelay(tier) { configuration in
            configuration.relay?.backlogByteCountMax = 256 << 10
            configuration.relay?.messageAgeMax = .seconds(60)
        } _: { server in
            let slow = try RelayClient.peer("slow", to: server.address, receiveBufferByteCount: 4096)
            let bob = try RelayClient.peer("bob", to: server.address)
            let alice = try RelayClient.peer("alice", to: server.address)
            let datagram = [UInt8](repeating: 3, count: 8000)
            for round in 0..<500 {
                try alice.send(datagram, to: slow.id)
                guard round % 10 == 0 else { continue }
                try alice.send([1], to: bob.id)
                #expect(try bob.read() == .transport(alice.id, [1]))
            }
            let metrics = server.metrics
            let dropped = metrics.dropped[.peerBacklogFull] ?? 0
            #expect(dropped > 0)
            // What it has not been sent waits in bounds: its backlog, its buffers, the kernel's.
            let waiting = metrics.relay.messagesReceived - metrics.relay.messagesDelivered - dropped
            #expect(waiting * 8038 <= 256 << 10)
            // The newest are kept.
            try alice.send([9], to: slow.id)
            var last: Said?
            while last != .transport(alice.id, [9]) { last = try slow.read() }
        }
    }

    @Test func theSameOverTLS() async throws {
        let certificates = try TestCertificates()
        let material = try certificates.server()
        try await withRelay { configuration in
            configuration.listeners[0].security = .tls(material)
        } _: { server in
            let trust = try certificates.client()
            let alice = try SecureRelayClient("alice", to: server.address, trust)
            let bob = try SecureRelayClient("bob", to: server.address, trust)
            for byteCount in [0, 100, 8782] {
                let datagram = [UInt8](repeating: 5, count: byteCount)
                try alice.send(RelayClient.transport(to: bob.id, datagram))
                #expect(try bob.readMessage() == RelayClient.transport(to: alice.id, datagram))
            }
            #expect(server.metrics.relay.peers == 2)
        }
    }
}

extension RelayClient {
    /// Whether this is the next thing it hears, soon.
    fileprivate func hears(_ said: Said) -> Bool {
        do {
            return try readSoon() == said
        } catch {
            return false
        }
    }
}

/// A relay's client over TLS.
private final class SecureRelayClient {
    let id: PeerID
    private let peer: Peer
    private let channel: ClientChannel
    private var unread: [UInt8] = []

    init(_ name: String, to address: String, _ security: ClientSecurity) throws {
        id = PeerID(hashing: name)
        peer = try Peer(to: address)
        channel = try ClientChannels(security).open(wallMilliseconds: WallClock.milliseconds())
        try peer.send(bytes: Array(channel.takeOutgoing()))
        while !channel.isReady { try receive() }
        try sendRaw(Array(RelayClient.request().utf8))
        while unread.count < 4 || !unread.suffix(4).elementsEqual("\r\n\r\n".utf8) { try receive() }
        unread = []
        let token = RelayTokenKeys(secrets: [RelayClient.secret]).mint(expirySeconds: 4_102_444_800)
        try send(encoded(300) { RelayEncoder.writeAuth(id, token: token.span.bytes, into: &$0) })
        #expect(try readMessage().starts(with: [1, 7]))
    }

    func send(_ message: [UInt8]) throws { try sendRaw(RelayClient.frame(message)) }

    private func sendRaw(_ bytes: [UInt8]) throws {
        try channel.send(bytes)
        try peer.send(bytes: Array(channel.takeOutgoing()))
    }

    /// The next frame's payload.
    func readMessage() throws -> [UInt8] {
        let decoder = WebSocketDecoder(role: .client, payloadByteCountMax: 8820)
        while true {
            if case .frame(let frame) = decoder.step(unread.span.bytes, at: 0) {
                defer { unread.removeFirst(frame.end) }
                return Array(unread[frame.payload])
            }
            try receive()
        }
    }

    private func receive() throws {
        var bytes = try peer.readSome()
        if bytes.isEmpty { throw PeerError.truncated }
        try bytes.withUnsafeMutableBytes { buffer in
            try channel.receive(buffer) { unread += Array($0) }
        }
        let answer = Array(channel.takeOutgoing())
        if !answer.isEmpty { try peer.send(bytes: answer) }
    }
}
