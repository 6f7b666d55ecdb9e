// What may follow what in the life of a process.

import Testing

@testable import apus

@Suite struct LifecycleStateTests {
    private var serving: LifecycleState {
        var state = LifecycleState()
        state.beginServing()
        return state
    }

    @Test func aDrainBeginsOnceAndMayBeHastened() {
        var state = LifecycleState()
        #expect(state.beginDrain(.prompt) == .notServing)
        state.beginServing()
        #expect(state.phase == .serving)
        #expect(state.beginDrain(.patient) == .began)
        #expect(state.beginDrain(.patient) == .underWay)
        #expect(state.beginDrain(.prompt) == .hastened)
        #expect(state.beginDrain(.prompt) == .underWay)
        #expect(state.beginDrain(.patient) == .underWay)
        #expect(state.drainKind == .prompt)
        state.end()
        #expect(state.beginDrain(.prompt) == .notServing)
    }

    /// As the control endpoint asks: a time of its own, which SIGTERM may still shorten, and no other way round.
    @Test func aDrainMayHaveATimeOfItsOwn() {
        var state = serving
        #expect(state.beginDrain(.within(.seconds(60))) == .began)
        #expect(state.beginDrain(.within(.seconds(5))) == .hastened)
        #expect(state.drainKind == .within(.seconds(5)))
        #expect(state.beginDrain(.patient) == .underWay)
        #expect(state.beginDrain(.prompt) == .hastened)
        #expect(state.beginDrain(.within(.seconds(1))) == .hastened)
        #expect(state.drainKind == .prompt)
        #expect(state.beginDrain(.prompt) == .underWay)
    }

    @Test func oneUpgradeAtATimeAndOnlyWhileServing() {
        var state = LifecycleState()
        #expect(state.beginUpgrade()?.contains("starting") == true)
        state.beginServing()
        #expect(state.beginUpgrade() == nil)
        #expect(state.beginUpgrade()?.contains("under way") == true)
        state.endUpgrade()
        #expect(state.beginUpgrade() == nil)
        #expect(state.handOver() == nil)
        #expect((state.phase, state.drainKind) == (.draining, .patient))
        #expect(state.hasHandedOver)
        state.endUpgrade()
        #expect(state.beginUpgrade()?.contains("draining") == true)
        #expect(state.beginDrain(.prompt) == .hastened)
    }

    /// Whoever was told to end does not hand over at the last moment: the successor would be ended by the same order.
    @Test func aDrainInBetweenPreventsTheHandOver() {
        var state = serving
        #expect(state.beginUpgrade() == nil)
        #expect(state.beginDrain(.prompt) == .began)
        #expect(state.handOver()?.contains("drain") == true)
        #expect(!state.hasHandedOver)
    }

    @Test func servingBeginsOnce() {
        var state = serving
        _ = state.beginDrain(.patient)
        state.beginServing()
        #expect(state.phase == .draining)
    }
}
