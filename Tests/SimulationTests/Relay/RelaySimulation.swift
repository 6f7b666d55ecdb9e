// One run of a relay: shards over simulated kernels of one world, their peers, and checks at the end of every turn. One
// shard turns at a time, and which of those that have something to do is the seed's to say. A shard without anything to
// do sleeps as the real one does: whoever has mail for it has to ring.

import ApusReactor
import ApusServer

final class RelaySimulation {
    private static let turnsMax = 60_000
    /// Whatever peers still want by then, it ends.
    private static let lengthMax: Nanoseconds = 90 * .second
    /// Longer than any timer and any sulk.
    private static let patience: Nanoseconds = 60 * .second
    /// What is said of the last event has reached everybody by then.
    private static let settling: Nanoseconds = 500 * .millisecond

    var plan: RelayPlan
    let world = World()
    let shared: SharedState
    let shards: [SimulatedShard]
    let post: Post
    private(set) var clients: [RelayModelClient] = []
    var audit = CloseAudit()
    var epochs = EpochWatch()
    var waits = WaitWatch()

    private(set) var ended = Instant.never
    /// The truth was looked at, with everybody at rest.
    private(set) var wasQuiet = false
    private var quietSince = Instant.never
    private var isAsleep: [Bool]
    private(set) var hasEnded: [Bool]
    private let start: Instant

    init(_ plan: RelayPlan) throws {
        self.plan = plan
        let configuration = plan.configuration
        post = Post(shardCount: plan.shardCount)
        shared = try SharedState(
            shardCount: plan.shardCount, connectionsMax: configuration.maxConnections, mailSizes: plan.mailSizes,
            relaySeed: plan.seed)
        shards = try (0..<plan.shardCount).map { [world, shared] number in
            let kernel = SimulatedKernel(
                Generator(seed: plan.seed ^ 0x5EED ^ UInt64(number) << 32), plan.weather,
                LentBuffers(count: plan.bufferCount, byteCount: plan.bufferByteCount), in: world, number: number)
            return try SimulatedShard(
                configuration, Dispatcher(), over: kernel, shared, inboundMax: plan.inboundMax,
                outboundMax: plan.outboundMax)
        }
        isAsleep = shards.map { _ in false }
        hasEnded = isAsleep
        start = world.now
    }

    func run() -> Outcome {
        invite()
        if let earlyEnd = plan.earlyEnd { after(earlyEnd) { [unowned self] in end() } }
        after(RelaySimulation.lengthMax) { [unowned self] in end() }
        for shard in shards {
            shared.entries[shard.kernel.number].ring.store(
                shard.kernel.ringDescriptor.number, ordering: .releasing)
            shard.kernel.hangDoorbell()
            shard.shard.start()
        }
        while world.violation == nil, hasEnded.contains(false) {
            if !turnSomebody() { advance() }
        }
        if world.violation == nil { conclude() }
        shards.forEach { $0.inbox.close() }
        return outcome
    }

    /// The shards are gone; clients read what is left in their sockets.
    private func conclude() {
        shards[0].kernel.runAgenda()
        shared.closeLeftovers()
        checkEnd()
    }

    private var outcome: Outcome {
        let kernels = shards.map(\.kernel)
        let digest = kernels.reduce(world.now.nanoseconds) {
            $0 ^ $1.random.next() ^ $1.tally.bytesReceived << 32 ^ $1.tally.bytesSent
        }
        return Outcome(
            seed: plan.seed, violation: world.violation, turns: kernels.reduce(0) { $0 + $1.waitCount },
            connections: kernels.reduce(0) { $0 + $1.sockets.count }, sightings: Sightings(of: self), digest: digest)
    }

    func client(of descriptor: Descriptor) -> RelayModelClient? {
        clients.first { $0.socket?.descriptor == descriptor }
    }
}

// MARK: Turns

extension RelaySimulation {
    /// False: nobody has anything to do at this time.
    private func turnSomebody() -> Bool {
        let ready = shards.indices.filter(isReady)
        guard !ready.isEmpty else { return false }
        turn(ready.count == 1 ? ready[0] : plan.random.choice(ready))
        return true
    }

    private func isReady(_ index: Int) -> Bool {
        let kernel = shards[index].kernel
        guard !hasEnded[index] else { return false }
        return !isAsleep[index] || kernel.earliestCompletion <= world.now || kernel.deadline <= world.now
    }

    private func turn(_ index: Int) {
        let (shard, hadMail) = (shards[index], hasMail(index))
        let before = shard.counters.completions.count
        shard.kernel.horizon = world.now
        shard.shard.turn()
        let isIdle = !hadMail && shard.counters.completions.count == before && shard.kernel.deadline > world.now
            && shard.kernel.submissions.isEmpty
        // As it does itself before it waits; it has only come back because this kernel does not wait.
        isAsleep[index] = isIdle && shared.mail.prepareSleep(index)
        if shard.kernel.waitCount > RelaySimulation.turnsMax {
            shard.kernel.report(.endlessTurns, "\(shard.kernel.waitCount) turns of shard \(index)")
        }
        Trace.note(self, index)
        checkTurn(shard)
        if shard.shard.isDone { finish(index) }
    }

    /// As the shard's thread does when its loop has ended.
    private func finish(_ index: Int) {
        hasEnded[index] = true
        shared.entries[index].hasEnded.store(true, ordering: .releasing)
        shared.entries[index].ring.store(-1, ordering: .releasing)
        shards[index].kernel.takeDoorbellDown()
    }

    func hasMail(_ index: Int) -> Bool {
        shards.indices.contains { $0 != index && !shared.mail.inbox(from: $0, to: index).isEmpty }
    }

    /// All sleep: time goes on to whatever comes next.
    private func advance() {
        for index in shards.indices where !hasEnded[index] && hasMail(index) && !world.isRinging(index) {
            shards[index].kernel.report(.mailForgotten, "shard \(index) sleeps, and nobody rings")
        }
        lookAround()
        lookAtInboxes()
        let next = shards.indices.filter { !hasEnded[$0] }.map { shards[$0].kernel }
            .reduce(world.agenda.earliest) { min($0, $1.earliestCompletion, $1.deadline) }
        guard next < .never, ended == .never || world.now < ended + RelaySimulation.patience else {
            return shards[0].kernel.report(.noProgress, "shards that do not end: \(hasEnded)")
        }
        world.now = max(world.now, next)
        if plan.random.chance(perMille: plan.weather.oversleeps) {
            world.now = world.now + plan.random.nanoseconds(upTo: max(plan.weather.latencyMax, 1000))
        }
        world.runDue()
        lookAtInboxes()
    }

    private func lookAtInboxes() {
        for index in shards.indices where !hasEnded[index] { shards[index].kernel.readWake() }
    }

    /// Something waits in a shard, or between two.
    private var isBusy: Bool {
        if !waits.pausedSince.isEmpty { return true }
        return shards.indices.contains { source in
            hasMail(source) || shards.indices.contains {
                $0 != source && shared.mail.outbox(from: source, to: $0).hasPending
            }
        }
    }

    /// When everybody has been at rest for a while, what shards and peers believe is looked at, and it ends.
    private func lookAround() {
        guard ended == .never else { return }
        guard clients.allSatisfy(\.isSettled), !isBusy else { return quietSince = .never }
        if quietSince == .never {
            quietSince = world.now
            after(RelaySimulation.settling) {}
        }
        guard world.now >= quietSince + RelaySimulation.settling else { return }
        wasQuiet = true
        checkTruth()
        end()
    }
}

// MARK: What happens to the relay

extension RelaySimulation {
    private func invite() {
        for index in 0..<plan.clientCount {
            let (script, manners, shard) = plan.peer(index)
            let kernel = shards[shard].kernel
            let host = plan.hostCount == 0 ? nil : HostAddress(ipv4: 0x0A00_0001 + UInt32(index % plan.hostCount))
            clients.append(
                RelayModelClient(
                    UInt8(index), script, manners, on: kernel.listeners[0], of: kernel, from: host, post: post,
                    url: RelayPlan.url, idOf: { [unowned self] in clients[Int($0)].script.id }))
        }
    }

    private func after(_ delay: Nanoseconds, _ action: @escaping () -> Void) {
        world.agenda.add(action, at: world.now + delay)
    }

    private func end() {
        guard ended == .never else { return }
        ended = world.now
        shared.beginEnd()
        for shard in shards {
            switch plan.ending {
            case .drain(let timeout, let window): _ = shard.inbox.post(.drain(timeout, over: window))
            case .stop: _ = shard.inbox.post(.stop)
            }
        }
    }

    var isStopped: Bool {
        if case .stop = plan.ending { return ended != .never }
        return false
    }

    /// Whether what is cut off now is cut off by right.
    var isForced: Bool {
        guard case .drain(let timeout, _) = plan.ending else { return isStopped }
        return ended != .never && world.now >= ended + timeout
    }
}
