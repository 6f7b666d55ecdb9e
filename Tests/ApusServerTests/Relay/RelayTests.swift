// The relay end to end on a real kernel: peers log in, reach one another, hear of one another (relay.md §1.3.8, §4).

import ApusReactor
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
}
