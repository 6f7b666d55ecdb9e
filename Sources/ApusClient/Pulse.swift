// Signs of life: when to ping, and when to give the server up.

import ApusReactor

struct Pulse {
    /// Silent intervals after which the server counts as dead (NPRO §6.1).
    private static let silentIntervalsMax: UInt64 = 4

    private let interval: Nanoseconds?
    private var lastSent: Instant
    private var lastReceived: Instant
    private var lastPing: Instant

    init(interval: Nanoseconds?, at now: Instant) {
        self.interval = interval
        (lastSent, lastReceived, lastPing) = (now, now, now)
    }

    mutating func sent(at now: Instant) { lastSent = now }
    mutating func received(at now: Instant) { lastReceived = now }
    mutating func pinged(at now: Instant) { lastPing = now }

    /// A ping proves this side to a server that hears nothing, and asks a server that says nothing.
    private var pingDue: Instant {
        interval.map { max(lastPing, min(lastSent, lastReceived)) + $0 } ?? .never
    }

    private var deathDue: Instant {
        interval.map { lastReceived + Pulse.silentIntervalsMax * $0 } ?? .never
    }

    var deadline: Instant { min(pingDue, deathDue) }

    func isPingDue(at now: Instant) -> Bool { pingDue <= now }
    func isDead(at now: Instant) -> Bool { deathDue <= now }

    /// How long the server has been silent.
    func silence(at now: Instant) -> Duration { .nanoseconds(Int64(clamping: now - lastReceived)) }
}
