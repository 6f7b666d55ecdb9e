// What can be seen of the keys of [server] about single peers and addresses: who is closed, and who is not let in.

import ApusConfiguration
import ApusWire
import TestSupport

extension KeyEffect {
    static let defence = [
        KeyEffect(
            DefenceKeys.slowPeerGrace, ["'100ms'": "slow_request", "'60s'": "truncated"], probe: halfAPacket),
        KeyEffect(
            DefenceKeys.minPeerRate, ["'1GiB'": "slow_request", "1": "truncated"],
            given: ["server.slow_peer_grace": "'100ms'"], probe: halfAPacket),
        KeyEffect(DefenceKeys.maxControlRate, ["1": "control_flood", "1000": "disconnect"]) { scene in
            try await scene.serve { server in
                let peer = try server.connect()
                try peer.send(Array(repeating: .ping, count: 10) + [.disconnect])
                return try server.closeReason(of: peer)
            }
        },
        KeyEffect(
            DefenceKeys.maxConnectionsPerAddress, ["1": "pong closed", "'off'": "pong pong"],
            given: ["server.limit_loopback": "true"], probe: twoConnections),
        KeyEffect(
            DefenceKeys.maxConnectionRatePerAddress, ["1": "pong closed", "'off'": "pong pong"],
            given: ["server.limit_loopback": "true", "server.max_connection_burst_per_address": "1"],
            probe: twoConnections),
        KeyEffect(
            DefenceKeys.maxConnectionBurstPerAddress, ["1": "pong closed", "2": "pong pong"],
            given: ["server.limit_loopback": "true", "server.max_connection_rate_per_address": "1"],
            probe: twoConnections),
        KeyEffect(
            DefenceKeys.trustedNetworks, ["['10.0.0.0/8']": "pong closed", "['127.0.0.0/8']": "pong pong"],
            given: ["server.limit_loopback": "true", "server.max_connections_per_address": "1"],
            probe: twoConnections),
        KeyEffect(
            DefenceKeys.limitLoopback, ["true": "pong closed", "false": "pong pong"],
            given: ["server.max_connections_per_address": "1"], probe: twoConnections),
    ]

    private static let halfAPacket: Probe = { scene in
        try await scene.serve { server in
            let peer = try server.connect()
            let packet = PacketEncoder.encode(.echo(String(repeating: "x", count: 2000)))
            try peer.send(bytes: Array(packet.dropLast(1000)))
            return try server.closeReason(of: peer, outlasting: scene.value == "'60s'" || scene.value == "1")
        }
    }

    private static let twoConnections: Probe = { scene in
        try await scene.serve { server in
            let peers = try (0..<2).map { _ in try server.connect() }
            return peers.map { $0.fate() }.joined(separator: " ")
        }
    }
}
