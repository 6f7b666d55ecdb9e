// One run: a shard over a simulated kernel, its clients, and the checks at the end of every turn. It is done when the
// shard has drained and every client has seen how it ended, or when something does not hold.

import ApusReactor
import ApusServer

struct Outcome: Sendable {
    let seed: UInt64
    let violation: Violation?
    let turns: Int
    let connections: Int
    let bytes: UInt64
    let sightings: Sightings
    /// Differs when anything did that a client or the kernel could see.
    let digest: UInt64
}

final class Simulation {
    /// A run takes a few hundred turns; one that takes so many does not end.
    private static let turnsMax = 20_000
    /// Longer than any timer, any sulk and any asynchronous request.
    private static let patience: Nanoseconds = 60 * .second

    var plan: Plan
    let kernel: SimulatedKernel
    let shared: SharedState
    let inbox: Inbox<ShardEvent>
    let lot = ParkingLot()
    var clients: [ModelClient] = []
    var shard: Shard<SimulatedRing>
    var audit = CloseAudit()
    var watch: Watch
    private var desk: AsyncDesk
    private(set) var endedAt = Instant.never
    private(set) var isStopped = false
    private var pushesMade = 0
    private(set) var pushesPosted: UInt64 = 0
    var asyncRepliesEarly = 0
    var turnsForNothing = 0
    var seenCompletions: UInt64 = 0

    init(_ plan: Plan, planted: PlantedFault? = nil) throws {
        self.plan = plan
        kernel = SimulatedKernel(
            Generator(seed: plan.seed ^ 0x5EED), plan.weather,
            LentBuffers(count: plan.bufferCount, byteCount: plan.bufferByteCount))
        kernel.planted = planted
        let configuration = plan.configuration
        shared = try SharedState(shardCount: 1, connectionsMax: configuration.maxConnections)
        inbox = try Inbox(countMax: 10_000)
        let settings = ShardSettings(configuration, .simulated(lot), index: 0, shared: shared, inbox: inbox)
        let listeners = configuration.listeners.map { [kernel] listener in
            let simulated = kernel.listen(inboundMax: plan.inboundMax, outboundMax: plan.outboundMax)
            return ShardListener(simulated.descriptor, session: listener.session, sharesOut: false)
        }
        shard = try Shard(io: SimulatedRing(kernel), listeners: listeners, settings)
        watch = Watch(slotCount: configuration.maxConnections)
        desk = AsyncDesk(slotCount: configuration.maxConnections)
    }

    func run() -> Outcome {
        invite()
        shard.start()
        while kernel.violation == nil, !shard.isDone {
            shard.turn()
            trace()
            if shard.state.pointee.counters.completions.count == seenCompletions { turnsForNothing += 1 }
            seenCompletions = shard.state.pointee.counters.completions.count
            checkTurn()
            startAnswers()
            if plan.random.chance(perMille: plan.pushesPerMille) { push() }
            endWhenSettled()
        }
        if kernel.violation == nil { kernel.runAgenda() }
        if kernel.violation == nil { checkEnd() }
        inbox.close()
        lot.open()
        return outcome
    }

    private var outcome: Outcome {
        let tally = kernel.tally
        return Outcome(
            seed: plan.seed, violation: kernel.violation, turns: kernel.waitCount,
            connections: kernel.sockets.count, bytes: tally.bytesReceived,
            sightings: sightings,
            digest: kernel.random.next() ^ tally.bytesReceived << 32 ^ tally.bytesSent ^ kernel.now.nanoseconds)
    }

    private func invite() {
        for index in 0..<plan.clientCount {
            let listener = plan.random.below(kernel.listeners.count)
            let script = plan.script(for: listener)
            let manners = plan.manners(for: script)
            clients.append(
                ModelClient(UInt8(index), script, manners, on: kernel.listeners[listener], of: kernel))
        }
        if let exhaustion = plan.exhaustion {
            at(exhaustion.start) { [unowned self] in kernel.isExhausted = true }
            at(exhaustion.start + exhaustion.length) { [unowned self] in kernel.isExhausted = false }
        }
        if let earlyEnd = plan.earlyEnd { at(earlyEnd) { [unowned self] in end() } }
    }

    private func at(_ delay: Nanoseconds, _ action: @escaping () -> Void) {
        kernel.agenda.add(action, at: kernel.now + delay)
    }

    private func end() {
        guard endedAt == .never else { return }
        endedAt = kernel.now
        switch plan.ending {
        case .drain(let timeout): _ = inbox.post(.drain(timeout))
        case .stop:
            isStopped = true
            _ = inbox.post(.stop)
        }
    }

    private func endWhenSettled() {
        guard endedAt == .never, clients.allSatisfy(\.isSettled) else { return }
        end()
    }

    /// Whether what is cut off from now on is cut off by right.
    var isForced: Bool {
        guard endedAt != .never else { return false }
        switch plan.ending {
        case .drain(let timeout): return kernel.now >= endedAt + timeout
        case .stop: return true
        }
    }

    func client(of descriptor: Descriptor) -> ModelClient? {
        clients.first { $0.socket?.descriptor == descriptor }
    }
}

// MARK: Asynchronous requests

/// Notices which asynchronous requests the shard has started: the handlers themselves say nothing.
struct AsyncDesk {
    private var seen: [(generation: UInt32, count: UInt32)]

    init(slotCount: Int) { seen = Array(repeating: (0, 0), count: slotCount) }

    /// The requests of a connection that have been started since the last look.
    mutating func newRequests(_ slot: UInt32, _ connection: Connection) -> Range<UInt32> {
        let before = seen[Int(slot)]
        let first = before.generation == connection.generation ? before.count : 0
        seen[Int(slot)] = (connection.generation, connection.asyncRequested)
        return first..<connection.asyncRequested
    }
}

extension Simulation {
    private func startAnswers() {
        for slot in 0..<UInt32(shard.state.pointee.slab.slotCount) where shard.state.pointee.slab.isOccupied(slot) {
            let connection = shard.state.pointee.slab[slot].pointee
            guard connection.asyncRequested > 0, let client = client(of: connection.descriptor) else { continue }
            let token = ConnectionToken(shard: 0, generation: connection.generation, slot: slot)
            for sequence in desk.newRequests(slot, connection) {
                answer(client.bounds.asyncFates[Int(sequence)], token, sequence)
            }
        }
    }

    private func answer(_ fate: AsyncFate, _ token: ConnectionToken, _ sequence: UInt32) {
        let (packet, failed): ([UInt8]?, Bool) =
            switch fate {
            case .reply(let packet): (packet, false)
            case .none: (nil, false)
            case .failed: (nil, true)
            }
        let delay = 1 + plan.random.nanoseconds(upTo: plan.asyncDelayMax)
        at(delay) { [inbox] in
            _ = inbox.post(.asyncReply(token, sequence: sequence, packet: packet, failed: failed))
        }
    }
}

// MARK: Pushes

extension Simulation {
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
        let packet = Wire.push(to: addressee, number: pushesMade)
        pushesMade += 1
        let token = ConnectionToken(shard: 0, generation: generation, slot: slot)
        // All with the same delay, so that they stay in order.
        at(plan.asyncDelayMax) { [unowned self] in
            if inbox.post(.push(token, packet: packet)) { pushesPosted += 1 }
        }
    }
}

// MARK: Progress

extension Simulation {
    /// Somebody is owed something, and nothing has come of it for longer than anything takes.
    func checkProgress() {
        if kernel.waitCount > Simulation.turnsMax { kernel.report(.endlessTurns, "\(kernel.waitCount) turns") }
        for client in clients where client.isOwed {
            guard kernel.isQuiescent || kernel.now > client.lastProgress + Simulation.patience else { continue }
            kernel.report(
                .noProgress,
                "\(client.name) waits with \(client.repliesReceived) of \(client.repliesDue) replies, "
                    + "\(client.script.ending)")
        }
    }
}

import Foundation
extension Simulation {
    func trace() {
        guard traced else { return }
        print("turn \(kernel.waitCount) at \(Double(kernel.now.nanoseconds) / 1e9)")
        for client in clients { print("   ", client.name, client.state, client.repliesReceived, client.repliesDue, "of", client.script.replies.count, client.script.ending, client.isSettled, client.manners) }
        for slot in 0..<UInt32(shard.state.pointee.slab.slotCount) where shard.state.pointee.slab.isOccupied(slot) {
            let c = shard.state.pointee.slab[slot].pointee
            print("   slot", slot, c.descriptor, c.phase, c.reason, "r", c.receiving, "s", c.sending, "paused", c.isPaused, "in", c.inbound.byteCount, "out", c.outbound.byteCount, "async", c.asyncRequested, c.asyncAnswered)
        }
    }
}

let traced = ProcessInfo.processInfo.environment["APUS_TRACE"] != nil
