// Two roles in every combination of settings, against a few lines that say what must come of it.

import ApusSecurity
import Testing

/// One side's settings, as the combinations count them.
struct SideCase {
    enum Key: CaseIterable { case none, right, other }
    enum Pins: CaseIterable { case none, right, other, both }

    var speaksExtension: Bool
    var key: Key
    var hasIdentity: Bool
    var pins: Pins
    var allowsV1: Bool

    static let all: [SideCase] = [true, false].flatMap { speaksExtension in
        Key.allCases.flatMap { key in
            [false, true].flatMap { hasIdentity in
                Pins.allCases.flatMap { pins in
                    [false, true].map { allowsV1 in
                        SideCase(
                            speaksExtension: speaksExtension, key: key, hasIdentity: hasIdentity, pins: pins,
                            allowsV1: allowsV1)
                    }
                }
            }
        }
    }

    var requiresAuthentication: Bool { key != .none || pins != .none }

    func settings(identity: IdentityKey, peer: IdentityKey) -> HandshakeSettings {
        .with { settings in
            settings.speaksExtension = speaksExtension
            switch key {
            case .none: break
            case .right: settings.presharedKey = TestKeys.presharedKey
            case .other: settings.presharedKey = TestKeys.otherPresharedKey
            }
            if hasIdentity { settings.identity = identity }
            switch pins {
            case .none: break
            case .right: settings.pinnedPeers = [peer.publicKey]
            case .other: settings.pinnedPeers = [TestKeys.stranger.publicKey]
            case .both: settings.pinnedPeers = [TestKeys.stranger.publicKey, peer.publicKey]
            }
            settings.allowsV1 = allowsV1
        }
    }
}

struct HandshakeMatrixTests {
    /// The same client that was drawn at random would be known by its address otherwise.
    private let replay = ReplayTable(handshakesPerSecond: 1000)

    @Test func everyCombinationComesToWhatItMust() {
        for client in SideCase.all {
            for server in SideCase.all {
                let rig = HandshakeRig(
                    client: client.settings(identity: TestKeys.client, peer: TestKeys.server),
                    server: server.settings(identity: TestKeys.server, peer: TestKeys.client), replay: replay)
                let (found, expected) = (rig.run(), expected(client, server))
                if found != expected { Issue.record("\(client)\n\(server)\nfound \(found)\nexpected \(expected)") }
            }
        }
    }

    private func expected(_ client: SideCase, _ server: SideCase) -> Outcome {
        guard client.speaksExtension, server.speaksExtension else {
            if server.requiresAuthentication, !server.allowsV1 { return .refused(by: .server, .plainV1) }
            if client.requiresAuthentication, !client.allowsV1 { return .refused(by: .client, .plainV1) }
            return .established(client: SessionFacts(isV1: true), server: SessionFacts(isV1: true))
        }
        if server.key != .none, client.key == .none { return .refused(by: .server, .missingPresharedKey) }
        if server.pins != .none, !client.hasIdentity { return .refused(by: .server, .missingIdentity) }
        if client.key != .none, server.key == .none { return .refused(by: .client, .missingPresharedKey) }
        if client.key != server.key { return .refused(by: .client, .wrongProof) }
        if client.pins != .none, !server.hasIdentity { return .refused(by: .client, .missingIdentity) }
        if client.pins == .other { return .refused(by: .client, .unknownIdentity) }
        if server.pins == .other { return .refused(by: .server, .unknownIdentity) }
        return .established(
            client: SessionFacts(
                peerIdentity: server.hasIdentity ? TestKeys.server.publicKey : nil,
                isAuthenticated: client.requiresAuthentication),
            server: SessionFacts(
                peerIdentity: client.hasIdentity ? TestKeys.client.publicKey : nil,
                isAuthenticated: server.requiresAuthentication))
    }

    /// The server's taste decides among what both know.
    @Test(arguments: [
        ([], [], nil), ([1], [], nil), ([], [2], nil), ([1], [2], nil), ([1], [1], 1), ([1, 2], [2, 1], 2),
        ([2, 1], [1, 2], 1), ([2], [1, 2], 2), ([1, 2], [2], 2), ([7, 200, 2], [1, 2], 2),
    ] as [([UInt8], [UInt8], UInt8?)])
    func compressionIsNegotiated(offered: [UInt8], known: [UInt8], chosen: UInt8?) {
        let rig = HandshakeRig(
            client: .with { $0.compression = offered }, server: .with { $0.compression = known }, replay: replay)
        let facts = SessionFacts(compression: chosen)
        #expect(rig.run() == .established(client: facts, server: facts))
    }

    @Test func versionOneNegotiatesNothing() {
        for (client, server) in [
            (HandshakeSettings.with { $0.compression = [1, 2] }, .plainV1),
            (.plainV1, HandshakeSettings.with { $0.compression = [1, 2] }),
        ] {
            let facts = SessionFacts(isV1: true)
            let rig = HandshakeRig(client: client, server: server, replay: replay)
            #expect(rig.run() == .established(client: facts, server: facts))
        }
    }

    @Test func usableSettingsHaveNoProblems() {
        let settings = HandshakeSettings.with {
            $0.presharedKey = TestKeys.presharedKey
            $0.identity = TestKeys.client
            $0.pinnedPeers = [TestKeys.server.publicKey]
            $0.compression = [1, 2]
        }
        #expect(settings.problems() == [])
        #expect(HandshakeSettings().problems() == [])
        #expect(HandshakeSettings.plainV1.problems() == [])
    }

    @Test func unusableSettingsAreNamed() {
        let short = HandshakeSettings.with { $0.presharedKey = PresharedKey([UInt8](1...3).span.bytes) }
        #expect(short.problems() == ["pre-shared key: at least 16 random bytes, found 3"])
        let pins = HandshakeSettings.with { $0.pinnedPeers = [TestKeys.client.publicKey, [1, 2]] }
        #expect(pins.problems() == ["pinned peer 2: an Ed25519 public key has 32 bytes, found 2"])
        for codes: [UInt8] in [[1, 1], [0], [0, 1]] {
            let problems = HandshakeSettings.with { $0.compression = codes }.problems()
            #expect(problems == ["compression: name each algorithm once"])
        }
        let many = HandshakeSettings.with { $0.compression = Array(1...17) }
        #expect(many.problems() == ["compression: at most 16 algorithms"])
        let mute = HandshakeSettings.with {
            $0.presharedKey = TestKeys.presharedKey
            $0.speaksExtension = false
        }
        #expect(mute.problems().count == 1)
    }
}
