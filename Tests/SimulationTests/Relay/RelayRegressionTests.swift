// What runs of relays have found, each as the shortest run that shows it.

import ApusReactor
import ApusServer
import Testing

@Suite struct RelayRegressionTests {
    /// Calm, with two shards and short lanes between them.
    private static func plan() -> RelayPlan {
        var plan = RelayPlan(seed: 1)
        plan.weather = .calm
        (plan.shardCount, plan.hostCount, plan.earlyEnd) = (2, 0, nil)
        (plan.bufferCount, plan.bufferByteCount, plan.inboundMax, plan.outboundMax) = (8, 16_384, 65_536, 65_536)
        (plan.mailSizes.controlCount, plan.mailSizes.pendingCount) = (4, 512)
        plan.configuration = ServerConfiguration(listeners: plan.configuration.listeners)
        plan.configuration.memoryBudgetPerShard = 16 << 20
        plan.configuration.maxConnections = 4
        plan.configuration.relay = RelayConfiguration(instanceURL: RelayPlan.url, secrets: ["supersecret"])
        plan.ending = .drain(.second, over: 0)
        return plan
    }

    /// The last fragment of a message that waits for room in a lane was decoded anew as one of no message, and its peer
    /// closed with `websocket_violation`.
    @Test func aMessageInFragmentsMayWaitForALane() throws {
        var plan = Self.plan()
        let login = RelayWire.auth(0, RelayWire.validToken)
        var script = RelayScript(id: 0, opening: .login(login, refusedFor: nil))
        script.acts = (0..<6).map { .subscribe(Array($0 * 20..<$0 * 20 + 244)) }
        script.fragmentsPerMille = 1000
        (plan.clientCount, plan.idCount) = (1, 1)
        plan.cast = [(script, Manners(), 0)]
        let simulation = try RelaySimulation(plan)
        let outcome = simulation.run()
        #expect(outcome.violation == nil)
        #expect(simulation.wasQuiet)
        #expect(simulation.shards[0].counters.pauses.count > 0, "it never had to wait")
        #expect(simulation.shards[0].counters.relay.subscriptions.count == 6 * 244)
    }
}
