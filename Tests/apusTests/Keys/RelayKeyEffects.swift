// What can be seen of the keys of [relay]: who may log in, what they are told, and what becomes of their messages.

import ApusConfiguration
import Glibc
import TestSupport

extension KeyEffect {
    static let relay = relayLogins + relayPeers + relayWaiting

    private static let relayListener = [
        ("listener.protocol", "'relay'"), ("relay.exposed_address", "'relay.example.com:1'"),
        ("relay.auth_secret", "'\(RelayLogin.secret)'"),
    ]
    private static let welcome = "rel://relay.example.com:1"

    private static func relay<Content>(
        _ key: Key<Content>, _ cases: KeyValuePairs<String, String>, given: KeyValuePairs<String, String> = [:],
        probe: @escaping Probe = login
    ) -> KeyEffect {
        let more = given.map { ($0.key, $0.value) }
        return KeyEffect(key, cases, surroundings: relayListener + more, probe: probe)
    }

    // MARK: Logins

    private static let relayLogins = [
        relay(RelayKeys.exposedAddress, ["'a.example'": "rel://a.example", "'rels://b.example'": "rels://b.example"]),
        relay(RelayKeys.authSecret, ["'\(RelayLogin.secret)'": welcome, "'another-secret-of-24-by'": refused]),
        relay(
            RelayKeys.authSecretFile, ["'$/right'": welcome, "'$/wrong'": refused], given: ["relay.auth_secret": ""]),
        relay(
            RelayKeys.previousAuthSecret, ["'\(RelayLogin.secret)'": welcome, "'one-more-secret-of-26-byte'": refused],
            given: ["relay.auth_secret": "'another-secret-of-24-by'"]),
        relay(
            RelayKeys.previousAuthSecretFile, ["'$/right'": welcome, "'$/wrong'": refused],
            given: ["relay.auth_secret": "'another-secret-of-24-by'"]),
        relay(RelayKeys.maxTokenLifetime, ["'off'": welcome, "'1h'": "refused: lifetime_too_long"]),
        relay(
            RelayKeys.allowsAnyToken, ["true": welcome, "false": refused],
            given: ["relay.auth_secret": "'another-secret-of-24-by'"]),
        relay(RelayLimitKeys.allowedOrigins, ["[]": "101", "['https://a.example']": "403"]) { scene in
            try await scene.serve { server in
                let fields = "Origin: https://b.example\r\n"
                return "\(try RelayLogin("a", to: server.address(of: .relay), fields: fields).status)"
            }
        },
        relay(RelayLimitKeys.trustedProxies, ["['127.0.0.1']": "192.0.2.9", "[]": "127.0.0.1"]) { scene in
            try await scene.serve { server in
                let fields = "X-Forwarded-For: 192.0.2.9\r\n"
                let proxied = try RelayLogin("a", to: server.address(of: .relay), fields: fields)
                guard try proxied.logIn() == welcome else { return "no login" }
                let list = try server.get("/status?peers=1").body
                return list.firstMatch(of: /"peer":"([0-9.]+)/).map { String($0.1) } ?? "nobody"
            }
        },
    ]

    private static let refused = "refused: bad_signature"

    private static let login: Probe = { scene in
        try scene.write("right", RelayLogin.secret)
        try scene.write("wrong", "one-more-secret-of-26-byte")
        return try await scene.serve { try RelayLogin("a", to: $0.address(of: .relay)).logIn() }
    }

    // MARK: Peers

    private static let relayPeers = [
        relay(RelayKeys.healthInterval, ["'100ms'": "asked", "'30s'": "left alone"]) { scene in
            try await scene.serve { server in
                let login = try RelayLogin("a", to: server.address(of: .relay))
                guard try login.logIn() == welcome else { return "no login" }
                usleep(500_000)
                login.peer.finishSending()
                return try login.readFrame()?.payload == [1, 5] ? "asked" : "left alone"
            }
        },
        relay(
            RelayKeys.livenessTimeout, ["'200ms'": "dead_peer", "'60s'": "peer_finished"],
            given: ["relay.health_interval": "'100ms'"]
        ) { scene in
            try await scene.serve { server in
                let login = try RelayLogin("a", to: server.address(of: .relay))
                guard try login.logIn() == welcome else { return "no login" }
                return try server.closeReason(of: login.peer, outlasting: scene.value == "'60s'")
            }
        },
        relay(
            RelayLimitKeys.maxSubscriptionsPerPeer, ["300": "188", "65536": "0"], probe: subscriptions(peers: 1)),
        relay(
            RelayLimitKeys.maxSubscriptions, ["1024": "440", "65536": "0"],
            given: ["relay.max_subscriptions_per_peer": "1024"], probe: subscriptions(peers: 3)),
        relay(RelayLimitKeys.flapCount, ["2": "1", "1000": "0"], probe: takeOvers),
        relay(
            RelayLimitKeys.flapWindow, ["'1s'": "0", "'60s'": "1"], given: ["relay.flap_count": "2"],
            probe: takeOvers),
    ]

    /// How many are refused of two full lists a peer.
    private static func subscriptions(peers: Int) -> Probe {
        { scene in
            try await scene.serve { server in
                let logins = try (0..<peers).map { try RelayLogin("\($0)", to: server.address(of: .relay)) }
                for (index, login) in logins.enumerated() {
                    guard try login.logIn() == welcome else { return "no login" }
                    for list in 0..<2 { try login.subscribe("\(index) \(list)") }
                }
                guard server.has(peers * 488, "apus_relay_subscriptions_total") else { return "not all came" }
                return "\(try server.metric("apus_relay_subscriptions_refused_total"))"
            }
        }
    }

    /// An id is taken over twice, 1.2 s apart.
    private static let takeOvers: Probe = { scene in
        try await scene.serve { server in
            var logins: [RelayLogin] = []
            for pause in [0, 0, 1_200_000] as [UInt32] {
                usleep(pause)
                logins.append(try RelayLogin("a", to: server.address(of: .relay)))
                guard try logins.last?.logIn() == welcome else { return "no login" }
            }
            guard server.has(2, "apus_relay_replacements_total") else { return "not replaced" }
            return "\(try server.metric("apus_relay_flapping_total"))"
        }
    }

    // MARK: Messages that wait

    private static let relayWaiting = [
        relay(
            RelayLimitKeys.backlogPerPeer, ["'64KiB'": "peer_backlog_full", "'64MiB'": "none"],
            given: ["relay.max_message_age": "'60s'", "listener.send_buffer": "'32KiB'"],
            probe: slowReceivers(1)),
        relay(
            RelayLimitKeys.backlogBudget, ["'1MiB'": "relay_budget", "'64MiB'": "none"],
            given: [
                "relay.backlog_per_peer": "'1MiB'", "relay.max_message_age": "'60s'",
                "listener.send_buffer": "'32KiB'",
            ],
            probe: slowReceivers(4, messages: 100)),
        relay(
            RelayLimitKeys.maxMessageAge, ["'1ms'": "peer_backlog_aged", "'60s'": "none"],
            given: ["relay.backlog_per_peer": "'64MiB'", "listener.send_buffer": "'32KiB'"],
            probe: slowReceivers(1, isRead: true)),
    ]

    /// Why messages are dropped for peers that do not read, or read late.
    private static func slowReceivers(_ count: Int, messages: Int = 500, isRead: Bool = false) -> Probe {
        { scene in
            try await scene.serve { server in
                let address = server.address(of: .relay)
                let sender = try RelayLogin("sender", to: address)
                let slow = try (0..<count).map { try RelayLogin("\($0)", to: address, receiveBufferByteCount: 4096) }
                for login in slow + [sender] {
                    guard try login.logIn() == welcome else { return "no login" }
                }
                let datagram = [UInt8](repeating: 7, count: 8000)
                for _ in 0..<messages { for receiver in slow { try sender.send(datagram, to: receiver.id) } }
                guard server.has(messages * count, "apus_relay_messages_received_total") else { return "not all came" }
                if isRead { usleep(50_000) }
                if isRead { for _ in 0..<100 { _ = try slow[0].readFrame() } }
                let drops = try server.samples("apus_dropped_total").filter { $0.value > 0 }
                return drops.first?.labels.firstMatch(of: /"([a-z_]+)"/).map { String($0.1) } ?? "none"
            }
        }
    }
}
