// What can be seen of the keys of [transport] and [handshake]: which clients are served, and how many bytes travel.

import ApusClient
import ApusConfiguration
import ApusSecurity
import ApusWire
import TestSupport

@testable import apus

extension KeyEffect {
    static let transport = [
        KeyEffect(
            TransportKeys.encryptionEnabled, ["true": "closed", "false": "pong"], given: ["listener.security": ""]
        ) { scene in
            try await scene.serve { try $0.connect().fate() }
        },
        KeyEffect(
            TransportKeys.compressionEnabled, ["true": "packed", "false": "as it is"],
            given: ["listener.security": "'handshake'"], probe: longEcho),
        KeyEffect(
            TransportKeys.compressionThreshold, ["'1KiB'": "packed", "'1MiB'": "as it is"],
            given: ["listener.security": "'handshake'", "transport.compression_enabled": "true"], probe: longEcho),
        KeyEffect(
            TransportKeys.compressionLevel, ["1": "as at level 1", "19": "smaller"],
            given: [
                "listener.security": "'handshake'", "transport.compression_enabled": "true",
                "handshake.compression": "['zstd']",
            ]
        ) { scene in
            let byteCount = try await scene.serve { try await sentByteCount(for: words, from: $0) }
            let standard = try await scene.serve {
                $0.set("transport.compression_level", "1")
            } _: {
                try await sentByteCount(for: words, from: $0)
            }
            if byteCount < 0 { return "no echo" }
            return byteCount == standard ? "as at level 1" : byteCount < standard ? "smaller" : "larger"
        },
        KeyEffect(TransportKeys.maxPayloadSize, ["'1KiB'": "closed", "'1MiB'": "Echo"]) { scene in
            try await scene.serve { try $0.connect().fate(of: .echo(String(repeating: "x", count: 2000))) }
        },
    ]

    /// What is sent in answer to a long text.
    private static let longEcho: Probe = { scene in
        try await scene.serve { server in
            let byteCount = try await sentByteCount(for: words, from: server)
            return byteCount > words.utf8.count ? "as it is" : byteCount > 0 ? "packed" : "no echo"
        }
    }

    /// Bytes that a server sent in all when a client, which offers zstd, had a text echoed; -1: it was not.
    private static func sentByteCount(for text: String, from server: ServedHere) async throws -> Int {
        var configuration = ClientConfiguration()
        configuration.security = .handshake(.init())
        configuration.compression.algorithms = [.zstd]
        let client = try await Client.connect(to: server.address(), configuration: configuration)
        defer { client.close() }
        let isEchoed = try await client.request(.echo(text)) == .echo(text)
        return isEchoed ? try server.metric("apus_sent_bytes_total") : -1
    }

    /// A text that a compressor which looks longer finds more in.
    private static let words: String = {
        var state: UInt32 = 7
        let syllables = ["ka", "to", "mi", "ru", "sen", "lo", "pa", "ne", "dor", "vi"]
        return (0..<4000).map { _ in
            state = state &* 1_664_525 &+ 1_013_904_223
            let word = state >> 20
            return syllables[Int(word % 10)] + syllables[Int(word / 10 % 10)] + (word % 3 == 0 ? " " : "")
        }.joined()
    }()

    // MARK: The handshake

    static let handshake = [
        KeyEffect(
            HandshakeKeys.presharedKeyFile, ["'$/right'": "served", "'$/wrong'": "refused"],
            given: ["listener.security": "'handshake'"]
        ) { scene in
            try scene.write("right", key)
            try scene.write("wrong", String(key.reversed()))
            return try await answer(scene) { $0.presharedKey = try SecretFile.presharedKey(scene.file("right")) }
        },
        KeyEffect(
            HandshakeKeys.presharedKey, ["'\(key)'": "served", "'another key, as long as it has to be'": "refused"],
            given: ["listener.security": "'handshake'"]
        ) { scene in
            try scene.write("right", key)
            return try await answer(scene) { $0.presharedKey = try SecretFile.presharedKey(scene.file("right")) }
        },
        KeyEffect(
            HandshakeKeys.identityFile, ["'$/one'": "served", "'$/two'": "refused"],
            given: ["listener.security": "'handshake'"]
        ) { scene in
            let (one, _) = (try scene.makeIdentity("one"), try scene.makeIdentity("two"))
            return try await answer(scene) { $0.pinnedPeers = [one.publicKey] }
        },
        KeyEffect(
            HandshakeKeys.pins, ["['ONE']": "served", "['\(String(repeating: "ab", count: 32))']": "refused"],
            given: ["listener.security": "'handshake'"]
        ) { scene in
            let one = try scene.makeIdentity("one")
            let digits = one.publicKey.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
            return try await answer(scene, pins: scene.value.replacing("ONE", with: digits)) { $0.identity = one }
        },
        KeyEffect(
            HandshakeKeys.allowsV1, ["true": "served", "false": "refused"],
            given: ["listener.security": "'handshake'", "handshake.psk": "'\(key)'"]
        ) { scene in
            try await answer(scene) { $0.speaksExtension = false }
        },
        KeyEffect(
            HandshakeKeys.compression, ["['lz4']": "as it is", "['zstd']": "packed"],
            given: ["listener.security": "'handshake'"], probe: longEcho),
    ]

    private static let key = "0123456789abcdef0123456789abcdef"

    /// Whether a client with these settings is let in.
    private static func answer(
        _ scene: Scene, pins: String? = nil, _ change: (inout HandshakeSettings) throws -> Void
    ) async throws -> String {
        var settings = HandshakeSettings()
        try change(&settings)
        return try await scene.serve { configuration in
            if let pins { configuration.set("handshake.pinned_keys", pins) }
        } _: { server in
            await apusTests.answer(to: .handshake(settings), at: server.address())
        }
    }
}
