// One core's private world: a ring, its connections and timers, stepped by completions. Everything that happens to a
// connection happens here, on one thread; nothing calls back.

import ApusReactor
import ApusWire

/// A listening socket that this shard accepts on. A listener may have one in each shard, several, or none.
package struct ShardListener: Sendable {
    package var descriptor: Descriptor
    /// The slot of its listener, which means the same in every shard.
    package let listener: UInt8
    /// What it accepts goes to the shard with the fewest connections: not every shard has a socket of this listener, or
    /// not as many as others.
    package internal(set) var sharesOut: Bool
    /// An accept is with the kernel.
    package var isAccepting = false
    /// It accepts no more while the server goes on; what it had accepted already is served.
    package var isLeaving = false
    /// No accept until this time: the process had no descriptor left.
    var pausedUntil = Instant(nanoseconds: 0)
    package var isClosed = false

    package init(_ descriptor: Descriptor, listener: UInt8, sharesOut: Bool) {
        self.descriptor = descriptor
        self.listener = listener
        self.sharesOut = sharesOut
    }
}

package struct Shard<IO: RingIO & ~Copyable>: ~Copyable {
    package var io: IO
    package let state: UnsafeMutablePointer<ShardState>
    package var timers: TimerWheel
    package var listeners: [ShardListener]  // tidy: changed by reloads alone
    /// Something happened to a listener in this turn.
    var isListenerTouched = true
    /// This shard waits for its inbox.
    package var isAwaitingWake = false
    var isStopping = false
    /// Of a drain that is spread over a time.
    var pace = DrainPace()
    /// The drain's deadline has passed once.
    var isForced = false
    /// The process stood still, and before this time nobody is called late: what came meanwhile is yet to be read.
    private var lateUntil: Instant?
    /// A drain is over but for admin connections, which end too.
    var isAdminEnded = false

    package init(
        io: consuming IO, listeners: [ShardListener], _ settings: ShardSettings
    ) throws {
        let now = io.now
        let wheel = try TimerWheel(capacity: settings.limits.connections + ShardTimer.count, at: now)
        state = try ShardState.allocate(settings, at: now)
        timers = wheel
        self.listeners = listeners
        self.io = io
    }

    deinit {
        state.deinitialize(count: 1)
        state.deallocate()
    }

    /// Turn until the server has drained or was stopped, and the kernel holds nothing of ours.
    package mutating func run() {
        start()
        while !isDone { turn() }
        state.pointee.inbox.close()
    }

    package mutating func start() {
        awaitWake()
        for index in listeners.indices where !listeners[index].isClosed { accept(index) }
    }

    package var isDone: Bool {
        guard isStopping || state.pointee.isDraining else { return false }
        return state.pointee.slab.count == 0 && listeners.allSatisfy { $0.isClosed }
            && (isStopping || !state.pointee.mayBeHandedConnections)
    }

    package mutating func turn() {
        let due = max(timers.earliest, lateUntil ?? timers.earliest)
        let bedtime = io.now
        let wakeTime = min(state.pointee.sleepLimit(due), bedtime + io.longestWait)
        io.submitAndWait(until: wakeTime)
        state.pointee.wakeUp()
        let now = io.now
        state.pointee.now = now
        state.pointee.counters.lastTurn.set(now.nanoseconds)
        if wakeTime > bedtime, now >= wakeTime { state.pointee.counters.wakeDelays.add(now - wakeTime) }
        var completionCount: UInt64 = 0
        while let completion = io.next() {
            complete(completion)
            completionCount += 1
        }
        collectMail()
        if !standsStill(at: now, due: due) {
            while let timer = timers.popExpired(at: now) { expire(timer) }
        }
        flush()
        state.pointee.counters.freeBuffers.set(UInt64(io.freeBufferCount))
        state.pointee.counters.completionQueueOverflows.set(UInt64(io.overflowCount))
        io.refreshNow()
        state.pointee.countTurn(until: io.now, completions: completionCount)
    }

    /// Whether this turn comes so late that the process must have been stopped. Believed once, so that a shard whose
    /// turns are all long has its timers all the same.
    @inline(__always)
    private mutating func standsStill(at now: Instant, due: Instant) -> Bool {
        guard let until = lateUntil else {
            guard now > due + Limits.standstill else { return false }
            lateUntil = now + Limits.standstill
            return true
        }
        if now >= until { lateUntil = nil }
        return now < until
    }

    private mutating func complete(_ completion: Completion) {
        guard let operation = completion.token.operation else { preconditionFailure("not a token of ours") }
        switch operation {
        case .accept: accepted(completion)
        case .receive: received(completion)
        case .send: sent(completion)
        case .shutdown: wasShutDown(completion)
        case .close: closed(completion)
        case .wake: woken()
        case .ring: doorbellRung(completion)
        // The doorbell has done its work by ending the wait; what a cancel acted on reports for it.
        case .doorbell, .cancel: break
        case .connect: preconditionFailure("a server does not connect")
        }
    }

    /// What was written in this turn becomes sends, what ended is closed, what sleeps is woken.
    private mutating func flush() {
        settleTouched()
        if state.pointee.isDraining {
            settleAdminDrain()
            settleTouched()
        }
        if let relay = state.pointee.relay {
            relay.pointee.forgetMore()
            state.pointee.tellPlaces()
            state.pointee.tellNews()
            resumeWaiting()
        }
        settleTouched()
        ringDoorbells()
    }

    private mutating func settleTouched() {
        // First: a listener that closes may still bring connections.
        if isListenerTouched { settleListeners() }
        while let slot = state.pointee.popTouched() { settle(slot) }
    }

    /// The connection a completion is for; nil when its slot has another tenant or none.
    @inline(__always)
    func connection(for token: Token) -> UnsafeMutablePointer<Connection>? {
        if io.plants(.skippedGenerationCheck), state.pointee.slab.isOccupied(token.slot) {
            return state.pointee.slab[token.slot]
        }
        return state.pointee.slab.connection(token.slot, generation: token.generation)
    }

    @inline(__always)
    func token(_ operation: Operation, _ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>) -> Token {
        Token(operation, slot: slot, generation: connection.pointee.generation)
    }
}
