// What can be seen of the keys of [relay]: who is let in, what peers are told, and what is kept for those who are slow.

import ApusConfiguration
import ApusSecurity
import ApusServer
import ApusWire
import TestSupport

extension KeyEffect {
    static let relay = login + talk + waiting + belief

    private static let secrets = ["one": "the secret of one, long enough", "two": "the secret of two, long enough"]

    /// A relay listener, and whatever else counts.
    private static func relayed(_ more: KeyValuePairs<String, String> = [:]) -> [(path: String, toml: String)] {
        let own: KeyValuePairs = [
            "listener.protocol": "'relay'", "relay.exposed_address": "'rel://relay.example.com:80'",
            "relay.auth_secret": "'the secret of one, long enough'",
        ]
        return own.map { ($0.key, $0.value) } + more.map { ($0.key, $0.value) }
    }

    private static func effect<Content>(
        _ key: Key<Content>, _ cases: KeyValuePairs<String, String>, _ more: KeyValuePairs<String, String> = [:],
        _ probe: @escaping @Sendable (ServedHere) throws -> String
    ) -> KeyEffect {
        KeyEffect(key, cases, surroundings: relayed(more)) { scene in
            for (name, secret) in secrets { try scene.write(name, secret) }
            return try await scene.serve { try probe($0) }
        }
    }

    // MARK: Who is let in

    private static let login = [
        effect(
            RelayKeys.exposedAddress,
            ["'rel://a.example.com:80'": "rel://a.example.com:80", "'b.example.com:1'": "rel://b.example.com:1"]
        ) { server in
            let client = try RelayClient("a", to: server.address(of: .relay), secret: secrets["one"] ?? "")
            try client.send(client.auth())
            guard case .authResponse(let url) = try client.read() else { return "nothing" }
            return url
        },
        effect(
            RelayKeys.authSecret,
            [
                "'the secret of one, long enough'": "in, bad_signature",
                "'the secret of two, long enough'": "bad_signature, in",
            ], [:], bothSecrets),
        effect(
            RelayKeys.authSecretFile, ["'$/one'": "in, bad_signature", "'$/two'": "bad_signature, in"],
            ["relay.auth_secret": ""], bothSecrets),
        effect(
            RelayKeys.previousAuthSecret,
            ["'the secret of two, long enough'": "in, in", "'another secret, long enough'": "in, bad_signature"], [:],
            bothSecrets),
        effect(
            RelayKeys.previousAuthSecretFile, ["'$/two'": "in, in", "'$/one'": "in, bad_signature"], [:],
            bothSecrets),
        effect(RelayKeys.maxTokenLifetime, ["'1h'": "lifetime_too_long", "'off'": "in"]) { fate(of: "one", at: $0) },
        effect(RelayKeys.allowsAnyToken, ["true": "in", "false": "empty"]) { fate(of: "one", at: $0, token: []) },
    ]

    private static let bothSecrets: @Sendable (ServedHere) throws -> String = { server in
        "\(fate(of: "one", at: server)), \(fate(of: "two", at: server))"
    }

    /// What becomes of a peer whose token was signed with this secret.
    private static func fate(of secret: String, at server: ServedHere, token: [UInt8]? = nil) -> String {
        do {
            let client = try RelayClient(secret, to: server.address(of: .relay), secret: secrets[secret] ?? "")
            try client.send(client.auth(token))
            switch try client.read() {
            case .authResponse: return "in"
            case .closeFrame(_, let reason): return reason
            case let other: return "\(String(describing: other))"
            }
        } catch {
            return "\(error)"
        }
    }

    private static func peer(
        _ name: String, _ server: ServedHere, receiveBufferByteCount: Int? = nil
    ) throws -> RelayClient {
        try RelayClient.peer(
            name, to: server.address(of: .relay), secret: secrets["one"] ?? "",
            receiveBufferByteCount: receiveBufferByteCount)
    }

    // MARK: What peers are told

    private static let talk = [
        effect(RelayKeys.healthInterval, ["'100ms'": "asked", "'30s'": "left alone"]) { server in
            try peer("a", server).peer.hasBytes(within: 500) ? "asked" : "left alone"
        },
        effect(
            RelayKeys.livenessTimeout, ["'150ms'": "closed", "'60s'": "kept"], ["relay.health_interval": "'100ms'"]
        ) { server in
            let client = try peer("a", server)
            pause(milliseconds: 600)
            client.peer.close()
            return server.handle.metrics.closed[.deadPeer] == 1 ? "closed" : "kept"
        },
        effect(RelayLimitKeys.maxSubscriptionsPerPeer, ["244": "56 refused", "1000": "0 refused"]) { server in
            try refusedSubscriptions([300], server)
        },
        effect(
            RelayLimitKeys.maxSubscriptions, ["1024": "76 refused", "2048": "0 refused"],
            ["relay.max_subscriptions_per_peer": "1024"]
        ) { try refusedSubscriptions([600, 500], $0) },
        effect(RelayLimitKeys.flapCount, ["2": "1 flapped", "1000": "0 flapped"]) { server in
            try flaps(server, pauseMilliseconds: 0)
        },
        effect(
            RelayLimitKeys.flapWindow, ["'1s'": "0 flapped", "'60s'": "1 flapped"], ["relay.flap_count": "3"]
        ) { try flaps($0, pauseMilliseconds: 600) },
    ]

    /// - Parameter counts: to how many ids each of so many peers subscribes.
    private static func refusedSubscriptions(_ counts: [Int], _ server: ServedHere) throws -> String {
        let clients = try counts.indices.map { try peer("\($0)", server) }
        for (client, count) in zip(clients, counts) {
            for start in stride(from: 0, to: count, by: 244) {
                try client.subscribe(to: (start..<min(start + 244, count)).map { PeerID(hashing: "of all \($0)") })
            }
            try client.pingThrough()
        }
        return "\(server.handle.metrics.relay.subscriptionsRefused) refused"
    }

    /// Three takeovers of one id.
    private static func flaps(_ server: ServedHere, pauseMilliseconds: UInt32) throws -> String {
        var clients: [RelayClient] = []
        for _ in 0..<4 {
            clients.append(try peer("a", server))
            pause(milliseconds: pauseMilliseconds)
        }
        return "\(server.handle.metrics.relay.flappings) flapped"
    }

    // MARK: What waits for the slow

    private static let waiting = [
        effect(
            RelayLimitKeys.backlogPerPeer, ["'64KiB'": "peer_backlog_full", "'32MiB'": "nothing dropped"],
            ["relay.max_message_age": "'60s'"]
        ) { try drops(at: $0) },
        effect(
            RelayLimitKeys.backlogBudget, ["'1MiB'": "peer_backlog_full relay_budget", "'64MiB'": "peer_backlog_full"],
            ["relay.max_message_age": "'60s'", "relay.backlog_per_peer": "'512KiB'"]
        ) { try drops(at: $0, slowCount: 3) },
        effect(
            RelayLimitKeys.maxMessageAge, ["'1ms'": "peer_backlog_aged", "'60s'": "nothing dropped"],
            ["relay.backlog_per_peer": "'32MiB'"]
        ) { try drops(at: $0, readsInTheEnd: true) },
    ]

    /// Eight megabytes for peers that do not read, or do so late: what is dropped, and why.
    private static func drops(
        at server: ServedHere, slowCount: Int = 1, readsInTheEnd: Bool = false
    ) throws -> String {
        let slow = try (0..<slowCount).map {
            try peer("slow \($0)", server, receiveBufferByteCount: readsInTheEnd ? 64 << 10 : 4096)
        }
        let sender = try peer("sender", server)
        let datagram = [UInt8](repeating: 7, count: 8000)
        for index in 0..<1000 { try sender.send(datagram, to: slow[index * slowCount / 1000].id) }
        try sender.pingThrough()
        if readsInTheEnd {
            func unread() -> UInt64 {
                let metrics = server.handle.metrics
                return metrics.relay.messagesReceived - metrics.relay.messagesDelivered
                    - metrics.dropped.values.reduce(0, +)
            }
            while unread() > 0 { _ = try slow[0].read() }
        }
        let reasons = server.handle.metrics.dropped.keys.map(\.label).sorted()
        return reasons.isEmpty ? "nothing dropped" : reasons.joined(separator: " ")
    }

    // MARK: Whom the relay believes

    private static let belief = [
        effect(
            RelayLimitKeys.allowedOrigins,
            ["['https://app.example.com']": "101 403", "['https://evil.example.com']": "403 101", "[]": "101 101"]
        ) { server in
            try ["app", "evil"].map { try status("Origin: https://\($0).example.com", server) }
                .joined(separator: " ")
        },
        effect(
            RelayLimitKeys.trustedProxies, ["['127.0.0.1']": "101 429", "['192.0.2.1']": "101 101"],
            ["server.max_connections_per_address": "1"]
        ) { server in
            let peers = try (0..<2).map { _ in try Peer(to: server.address(of: .relay)) }
            return try peers.map { try status("X-Real-IP: 198.51.100.7", on: $0) }.joined(separator: " ")
        },
    ]

    private static func status(_ field: String, _ server: ServedHere) throws -> String {
        try status(field, on: try Peer(to: server.address(of: .relay)))
    }

    /// The status of an upgrade with one field more.
    private static func status(_ field: String, on peer: Peer) throws -> String {
        try peer.send(bytes: Array(RelayClient.request(more: field + "\r\n").utf8))
        let response = String(decoding: try peer.readSome(), as: UTF8.self)
        return response.isEmpty ? "closed" : String(response.dropFirst(9).prefix(3))
    }
}
