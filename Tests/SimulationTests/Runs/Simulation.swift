// One run: a shard over a simulated kernel, its clients, and the checks at the end of every turn. It is done when the
// shard has drained and every client has seen how it ended, or when something does not hold.

import ApusReactor
import ApusServer

struct Outcome: Sendable {
    let seed: UInt64
    let violation: Violation?
    let turns: Int
    let connections: Int
    let sightings: Sightings
    /// Differs when anything did that a client or the kernel could see.
    let digest: UInt64
}

final class Simulation {
    var plan: Plan
    let simulated: SimulatedShard
    private(set) var clients: [ModelClient] = []

    /// When the server was told to end.
    private(set) var ended = Instant.never
    private(set) var pushCount = 0
    private(set) var reloadCount: UInt64 = 0
    private var reloadsDue = 0
    /// Connections whose listener went on without the socket they came from.
    private(set) var outlivedCount: UInt64 = 0
    /// Where each listener is now.
    private var addresses: [SimulatedListener] = []
    var audit = CloseAudit()
    var watch: Watch
    var asyncDesk: AsyncDesk
    private let lot = ParkingLot()

    init(_ plan: Plan, planted: PlantedFault? = nil) throws {
        self.plan = plan
        let configuration = plan.configuration
        let kernel = SimulatedKernel(
            Generator(seed: plan.seed ^ 0x5EED), plan.weather,
            LentBuffers(count: plan.bufferCount, byteCount: plan.bufferByteCount))
        kernel.planted = planted
        let shared = try SharedState(shardCount: 1, connectionsMax: configuration.maxConnections)
        watch = Watch(slotCount: configuration.maxConnections)
        asyncDesk = AsyncDesk(slotCount: configuration.maxConnections)
        simulated = try SimulatedShard(
            configuration, .simulated(lot), over: kernel, shared, inboundMax: plan.inboundMax,
            outboundMax: plan.outboundMax)
    }

    var kernel: SimulatedKernel { simulated.kernel }
    var shared: SharedState { simulated.shared }
    var inbox: Inbox<ShardEvent> { simulated.inbox }
    var state: UnsafeMutablePointer<ShardState> { simulated.state }

    func run() -> Outcome {
        addresses = kernel.listeners
        invite()
        planEvents()
        simulated.shard.start()
        while kernel.violation == nil, !simulated.shard.isDone { turn() }
        // The shard is gone; clients read what is left in their sockets.
        if kernel.violation == nil { kernel.runAgenda() }
        if kernel.violation == nil { checkEnd() }
        inbox.close()
        lot.open()
        return outcome
    }

    private func turn() {
        simulated.shard.turn()
        // Between turns, since the shard cannot be looked at while it takes one.
        for _ in 0..<reloadsDue { reload() }
        reloadsDue = 0
        Trace.note(self)
        checkTurn()
        postAnswers()
        if plan.random.chance(perMille: plan.pushesPerMille) { push() }
        if clients.allSatisfy(\.isSettled) { end() }
    }

    private var outcome: Outcome {
        let tally = kernel.tally
        return Outcome(
            seed: plan.seed, violation: kernel.violation, turns: kernel.waitCount, connections: kernel.sockets.count,
            sightings: Sightings(of: self),
            digest: kernel.random.next() ^ tally.bytesReceived << 32 ^ tally.bytesSent ^ kernel.now.nanoseconds)
    }

    func client(of descriptor: Descriptor) -> ModelClient? {
        clients.first { $0.socket?.descriptor == descriptor }
    }

    func forEachConnection(_ body: (UInt32, Connection) -> Void) { simulated.forEachConnection(body) }
}

// MARK: What happens to the server

extension Simulation {
    private func invite() {
        for index in 0..<plan.clientCount {
            let listener = plan.random.below(kernel.listeners.count)
            let script = plan.script(for: listener)
            let manners = plan.manners(for: script)
            let host = plan.hostCount == 0 ? nil : HostAddress(ipv4: 0x0A00_0001 + UInt32(index % plan.hostCount))
            clients.append(
                ModelClient(UInt8(index), script, manners, on: kernel.listeners[listener], of: kernel, from: host))
        }
    }

    private func planEvents() {
        if let exhaustion = plan.exhaustion {
            after(exhaustion.start) { [unowned self] in kernel.isExhausted = true }
            after(exhaustion.start + exhaustion.length) { [unowned self] in kernel.isExhausted = false }
        }
        for delay in plan.reloads { after(delay) { [unowned self] in reloadsDue += 1 } }
        if let earlyEnd = plan.earlyEnd { after(earlyEnd) { [unowned self] in end() } }
    }

    func after(_ delay: Nanoseconds, _ action: @escaping () -> Void) {
        kernel.agenda.add(action, at: kernel.now + delay)
    }

    /// A listener leaves its socket for another, as one with a new address does; whoever comes later comes there.
    private func reload() {
        guard ended == .never else { return }
        let slot = UInt8(plan.random.below(plan.configuration.listeners.count))
        let simulated = kernel.listen(inboundMax: plan.inboundMax, outboundMax: plan.outboundMax)
        reloadCount += 1
        forEachConnection { _, connection in if connection.listener == slot { outlivedCount += 1 } }
        let order = ShardReload(epoch: reloadCount, plan.configuration, leaving: [slot], in: shared)
        _ = inbox.post(.reload(order))
        _ = inbox.post(.accept([ShardListener(simulated.descriptor, listener: slot, sharesOut: false)]))
        clients.forEach { $0.move(from: addresses[Int(slot)], to: simulated) }
        addresses[Int(slot)] = simulated
    }

    private func end() {
        guard ended == .never else { return }
        ended = kernel.now
        if plan.releases { _ = inbox.post(.releaseListeners) }
        switch plan.ending {
        case .drain(let timeout, let window): _ = inbox.post(.drain(timeout, over: window))
        case .stop: _ = inbox.post(.stop)
        }
    }

    var isStopped: Bool {
        if case .stop = plan.ending { return ended != .never }
        return false
    }

    /// Whether what is cut off now is cut off by right.
    var isForced: Bool {
        guard case .drain(let timeout, _) = plan.ending else { return isStopped }
        return ended != .never && kernel.now >= ended + timeout
    }

    /// To a connection that is open, or gone, or never was.
    private func push() {
        guard state.pointee.slab.slotCount > 0 else { return }
        let slot = UInt32(plan.random.below(state.pointee.slab.slotCount))
        var (generation, addressee) = (UInt32(0), UInt8.max)
        if state.pointee.slab.isOccupied(slot) {
            let connection = state.pointee.slab[slot].pointee
            let isStale = plan.random.chance(perMille: 100)
            generation = connection.generation - (isStale ? 1 : 0)
            if !isStale { addressee = client(of: connection.descriptor)?.number ?? .max }
        }
        let token = ConnectionToken(shard: 0, generation: generation, slot: slot)
        let packet = Wire.push(to: addressee, number: pushCount)
        pushCount += 1
        // All after the same delay, so that they stay in order.
        after(plan.asyncDelayMax) { [inbox] in _ = inbox.post(.push(token, packet: packet)) }
    }
}
