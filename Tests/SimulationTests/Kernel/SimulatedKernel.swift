// An io_uring with its sockets, in memory and in virtual time. What it does and when is decided by a seeded generator,
// within what the real one may do; what its user must not do it reports as a violation.

import ApusReactor
import Glibc

final class SimulatedKernel {
    /// What was asked for since the last wait, in order.
    enum Submission {
        case accept(SimulatedListener)
        case receive(SimulatedSocket)
        case send(SimulatedSocket)
        case shutdown(SimulatedSocket, Token)
        case close(SimulatedSocket, Token)
        case cancel(Token, token: Token)
        case wake
        case doorbell(shard: Int, Token, token: Token)
    }

    /// A completion on its way, and whose operation it is of.
    private struct Posted {
        let completion: Completion
        var socket: SimulatedSocket?
        var listener: SimulatedListener?
        var isStale = false
    }

    /// A read of an eventfd: prepared, then with the kernel.
    struct Wake {
        let descriptor: Descriptor
        let token: Token
        var isReading = false
    }

    let world: World
    /// Of the shard whose ring this is.
    let number: Int
    var random: Generator
    var weather: Weather
    var planted: PlantedFault?
    let buffers: LentBuffers

    /// A wait ends here at the latest, whatever the user's deadline: a directed test looks around.
    var horizon = Instant.never
    /// The next wait ends after so long, without anything having happened: the process was stopped.
    var standstill: Nanoseconds = 0
    /// While so, the process has no descriptor left.
    var isExhausted = false
    /// Happens just before the kernel gets to a cancel; a directed test lets it come too late.
    var beforeCancel: ((Token) -> Void)?
    /// How much later than otherwise it is told that a close is done.
    var closeDelay: Nanoseconds = 0

    private(set) var waitCount = 0
    /// Until when the user of the ring was ready to wait the last time.
    private(set) var deadline = Instant.never
    /// Nothing would ever end the last wait.
    private(set) var isQuiescent = false
    private(set) var tally = KernelTally()
    var sockets: [SimulatedSocket] = []
    var listeners: [SimulatedListener] = []

    var submissions: [Submission] = []
    var wake: Wake?
    private var completions = Timeline<Posted>()
    /// Tokens of connections that are gone, for stale completions.
    private var gone: [Token] = []

    init(
        _ random: Generator, _ weather: Weather, _ buffers: LentBuffers, in world: World = World(), number: Int = 0
    ) {
        self.world = world
        self.number = number
        self.random = random
        self.weather = weather
        self.buffers = buffers
    }

    private(set) var now: Instant {
        get { world.now }
        set { world.now = newValue }
    }

    var agenda: Timeline<() -> Void> {
        _read { yield world.agenda }
        _modify { yield &world.agenda }
    }

    var violation: Violation? { world.violation }

    func report(_ invariant: Invariant, _ detail: @autoclosure () -> String) {
        guard violation == nil else { return }
        world.violation = Violation(invariant: invariant, detail: detail(), time: now, turn: waitCount)
    }

    /// How long something takes: mostly no time, sometimes long.
    func latency() -> Nanoseconds {
        guard weather.latencyMax > 0 else { return 0 }
        switch random.below(16) {
        case 0..<9: return 0
        case 9..<15: return random.nanoseconds(upTo: min(weather.latencyMax, .millisecond))
        default: return random.nanoseconds(upTo: weather.latencyMax)
        }
    }

    /// At once or after a while.
    func later(_ action: @escaping () -> Void) {
        let latency = latency()
        if latency == 0 { action() } else { agenda.add(action, at: now + latency) }
    }
}

// MARK: The wait

extension SimulatedKernel {
    func wait(until deadline: Instant) {
        guard violation == nil else { return }
        waitCount += 1
        self.deadline = deadline
        if buffers.lentCount > 0 { report(.leaseNotRecycled, "\(buffers.lentCount) leases out at the end of a turn") }
        buffers.publish()
        submit()
        if random.chance(perMille: weather.bringsStale) { postStale() }
        if standstill > 0 {
            now = now + standstill
            standstill = 0
            return
        }
        sleep(until: min(deadline, horizon))
        if random.chance(perMille: weather.oversleeps) { oversleep() }
    }

    /// What peers and the world do while nobody waits any more.
    func runAgenda() {
        while agenda.earliest < .never {
            now = max(now, agenda.earliest)
            runDue()
        }
    }

    private func submit() {
        let batch = submissions
        submissions.removeAll(keepingCapacity: true)
        for submission in batch { begin(submission) }
    }

    private func begin(_ submission: Submission) {
        switch submission {
        case .accept(let listener): later { [unowned self] in accept(on: listener) }
        case .receive(let socket): receive(on: socket)
        case .send(let socket): later { [unowned self] in send(on: socket) }
        case .shutdown(let socket, let token): later { [unowned self] in shutDown(socket, token) }
        case .close(let socket, let token):
            close(socket)
            agenda.add({ [unowned self] in post(token, 0, socket) }, at: now + closeDelay)
        case .cancel(let target, let token): cancel(target, token)
        case .wake: wake?.isReading = true
        case .doorbell(let shard, let delivered, let token):
            later { [unowned self] in ring(shard, delivered, token) }
        }
    }

    private func sleep(until deadline: Instant) {
        isQuiescent = false
        while true {
            runDue()
            if completions.earliest <= now { return }
            let next = min(agenda.earliest, completions.earliest, deadline)
            guard next < .never else {
                isQuiescent = true
                return
            }
            now = max(now, next)
            if now >= deadline { return runDue() }
        }
    }

    private func oversleep() {
        now = now + random.nanoseconds(upTo: max(weather.latencyMax, 1000))
        runDue()
    }

    private func runDue() {
        world.runDue()
        readWake()
    }

    /// When the next completion is ready.
    var earliestCompletion: Instant { completions.earliest }

    /// The inbox and its eventfd are real. All that is posted is posted on this thread, so looking is deterministic.
    func readWake() {
        guard let wake, wake.isReading else { return }
        var entry = pollfd(fd: wake.descriptor.number, events: Int16(POLLIN), revents: 0)
        guard poll(&entry, 1, 0) == 1 else { return }
        var count: UInt64 = 0
        let byteCount = Glibc.read(wake.descriptor.number, &count, MemoryLayout<UInt64>.size)
        self.wake?.isReading = false
        post(wake.token, Int32(byteCount))
    }
}

// MARK: Completions

extension SimulatedKernel {
    /// An operation has ended.
    func post(_ token: Token, _ result: Int32, _ socket: SimulatedSocket? = nil) {
        post(Completion(token: token, result: result, hasMore: false, lease: nil), socket)
    }

    /// Those of one operation keep their order; those of others may come before or between.
    func post(_ completion: Completion, _ socket: SimulatedSocket?) {
        guard let socket, let operation = completion.token.operation else {
            return completions.add(Posted(completion: completion), at: now + latency())
        }
        let lane = Int(operation.rawValue)
        let ready = max(now + latency(), socket.lanes[lane])
        socket.lanes[lane] = ready
        completions.add(Posted(completion: completion, socket: socket), at: ready)
    }

    func post(_ result: Int32, of token: Token, hasMore: Bool, _ listener: SimulatedListener) {
        listener.lane = max(now + latency(), listener.lane)
        let completion = Completion(token: token, result: result, hasMore: hasMore, lease: nil)
        completions.add(Posted(completion: completion, listener: listener), at: listener.lane)
    }

    func nextCompletion() -> Completion? {
        // What follows a violation could trap, and would say nothing new.
        guard violation == nil, let posted = completions.popDue(at: now) else { return nil }
        let completion = posted.completion
        if let lease = completion.lease { buffers.lend(lease) }
        tally.count(completion, isStale: posted.isStale)
        posted.socket?.noteTaken(completion, at: now)
        if completion.hasMore { return completion }
        posted.listener?.isHeld = false
        if !posted.isStale, completion.token.operation == .close { remember(completion.token) }
        if completion.token.operation == .wake { wake = nil }
        noteHeard(completion)
        return completion
    }

    /// Without a completion.
    func noteAcceptedAtOnce() { tally.accepted += 1 }

    private func remember(_ token: Token) {
        if gone.count == 8 { gone.removeFirst() }
        gone.append(token)
    }

    /// The kernel does not do this to a user whose bits are right; a check of generations has to hold all the same.
    private func postStale() {
        guard !gone.isEmpty else { return }
        let token = random.choice(gone)
        let kinds: [(ApusReactor.Operation, Int32)] = [
            (.receive, 0), (.receive, 1), (.receive, -ECANCELED), (.receive, -ECONNRESET), (.send, -EPIPE),
            (.shutdown, 0), (.close, 0),
        ]
        let (operation, result) = random.choice(kinds)
        var lease: Lease?
        if result > 0 {
            guard let buffer = buffers.take() else { return }
            lease = buffer.lease(byteCount: 1)
        }
        postStale(Token(operation, slot: token.slot, generation: token.generation), result, lease)
    }

    func postStale(_ token: Token, _ result: Int32, _ lease: Lease? = nil) {
        let completion = Completion(token: token, result: result, hasMore: false, lease: lease)
        completions.add(Posted(completion: completion, isStale: true), at: now)
    }
}
