// Every key is used: changed alone, it changes what a running server, or a client verb, does. A key without such a test
// fails the first one.

import ApusConfiguration
import Testing

@Suite struct KeyCoverageTests {
    @Test func everyKeyHasAnEffectThatIsTested() {
        let all: [[KeyEffect]] = [
            KeyEffect.listener, KeyEffect.server, KeyEffect.drain, KeyEffect.defence, KeyEffect.client,
            KeyEffect.transport, KeyEffect.tls, KeyEffect.handshake, KeyEffect.admin, KeyEffect.logging,
            KeyEffect.metrics, KeyEffect.relay,
        ]
        #expect(all.joined().map(\.option.path).sorted() == OptionTable.all.map(\.path).sorted())
        for effect in all.joined() {
            #expect(Set(effect.cases.map(\.toml)).count == effect.cases.count, "\(effect.option.path)")
            #expect(Set(effect.cases.map(\.seen)).count > 1, "\(effect.option.path): one value is like the other")
        }
    }
}

@Suite(.serialized) struct ListenerKeyTests {
    @Test(arguments: KeyEffect.listener)
    func theKeyCounts(_ effect: KeyEffect) async throws { try await effect.check() }
}

@Suite(.serialized) struct ServerKeyTests {
    @Test(arguments: KeyEffect.server) func theKeyCounts(_ effect: KeyEffect) async throws { try await effect.check() }
}

@Suite(.serialized) struct DrainKeyTests {
    @Test(arguments: KeyEffect.drain) func theKeyCounts(_ effect: KeyEffect) async throws { try await effect.check() }
}

@Suite(.serialized) struct DefenceKeyTests {
    @Test(arguments: KeyEffect.defence) func theKeyCounts(_ effect: KeyEffect) async throws { try await effect.check() }
}

@Suite(.serialized) struct ClientKeyTests {
    @Test(arguments: KeyEffect.client) func theKeyCounts(_ effect: KeyEffect) async throws { try await effect.check() }
}

@Suite(.serialized) struct TransportKeyTests {
    @Test(arguments: KeyEffect.transport + KeyEffect.handshake)
    func theKeyCounts(_ effect: KeyEffect) async throws { try await effect.check() }
}

@Suite(.serialized) struct TLSKeyTests {
    @Test(arguments: KeyEffect.tls) func theKeyCounts(_ effect: KeyEffect) async throws { try await effect.check() }
}

@Suite(.serialized) struct OperationKeyTests {
    @Test(arguments: KeyEffect.admin + KeyEffect.logging)
    func theKeyCounts(_ effect: KeyEffect) async throws { try await effect.check() }
}

@Suite(.serialized) struct MetricsKeyTests {
    @Test(arguments: KeyEffect.metrics) func theKeyCounts(_ effect: KeyEffect) async throws { try await effect.check() }
}

@Suite(.serialized) struct RelayKeyTests {
    @Test(arguments: KeyEffect.relay) func theKeyCounts(_ effect: KeyEffect) async throws { try await effect.check() }
}
