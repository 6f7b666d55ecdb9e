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
    let kernel: SimulatedKernel
    let shared: SharedState
    let inbox: Inbox<ShardEvent>
    var shard: Shard<SimulatedRing>
    private(set) var clients: [ModelClient] = []

    /// When the server was told to end.
    private(set) var ended = Instant.never
    private(set) var pushCount = 0
    var audit = CloseAudit()
    var watch: Watch
    var asyncDesk: AsyncDesk
    private let lot = ParkingLot()

    init(_ plan: Plan, planted: PlantedFault? = nil) throws {
        self.plan = plan
        let configuration = plan.configuration
        kernel = SimulatedKernel(
            Generator(seed: plan.seed ^ 0x5EED), plan.weather,
            LentBuffers(count: plan.bufferCount, byteCount: plan.bufferByteCount))
        kernel.planted = planted
        shared = try SharedState(shardCount: 1, connectionsMax: configuration.maxConnections)
        inbox = try Inbox(countMax: 10_000)
        watch = Watch(slotCount: configuration.maxConnections)
        asyncDesk = AsyncDesk(slotCount: configuration.maxConnections)
        let settings = ShardSettings(configuration, .simulated(lot), index: 0, shared: shared, inbox: inbox)
        let listeners = configuration.listeners.indices.map { [kernel] index in
            let simulated = kernel.listen(inboundMax: plan.inboundMax, outboundMax: plan.outboundMax)
            return ShardListener(simulated.descriptor, listener: UInt8(index), sharesOut: false)
        }
        shard = try Shard(io: SimulatedRing(kernel), listeners: listeners, settings)
    }

    func run() -> Outcome {
        invite()
        planEvents()
        shard.start()
        while kernel.violation == nil, !shard.isDone { turn() }
        // The shard is gone; clients read what is left in their sockets.
        if kernel.violation == nil { kernel.runAgenda() }
        if kernel.violation == nil { checkEnd() }
        inbox.close()
        lot.open()
        return outcome
    }

    private func turn() {
        shard.turn()
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

    func forEachConnection(_ body: (UInt32, Connection) -> Void) {
        for slot in 0..<UInt32(shard.state.pointee.slab.slotCount) where shard.state.pointee.slab.isOccupied(slot) {
            body(slot, shard.state.pointee.slab[slot].pointee)
        }
    }
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
        if let earlyEnd = plan.earlyEnd { after(earlyEnd) { [unowned self] in end() } }
    }

    func after(_ delay: Nanoseconds, _ action: @escaping () -> Void) {
        kernel.agenda.add(action, at: kernel.now + delay)
    }

    private func end() {
        guard ended == .never else { return }
        ended = kernel.now
        switch plan.ending {
        case .drain(let timeout): _ = inbox.post(.drain(timeout))
        case .stop: _ = inbox.post(.stop)
        }
    }

    var isStopped: Bool {
        if case .stop = plan.ending { return ended != .never }
        return false
    }

    /// Whether what is cut off now is cut off by right.
    var isForced: Bool {
        guard case .drain(let timeout) = plan.ending else { return isStopped }
        return ended != .never && kernel.now >= ended + timeout
    }

    /// To a connection that is open, or gone, or never was.
    private func push() {
        guard shard.state.pointee.slab.slotCount > 0 else { return }
        let slot = UInt32(plan.random.below(shard.state.pointee.slab.slotCount))
        var (generation, addressee) = (UInt32(0), UInt8.max)
        if shard.state.pointee.slab.isOccupied(slot) {
            let connection = shard.state.pointee.slab[slot].pointee
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
