// What became of the datagrams: how many left, arrived, were lost, and how long those of the measured time took. It
// must never know of connections.

import ApusReactor

struct RelayBook {
    /// The measured time; what lies outside is counted as sent, delivered or lost, and has no latency.
    private var begin = Instant.never
    private var end = Instant.never
    /// An open loop: a datagram belongs to the time it was due. A closed one: to the time it arrived.
    let countsDepartures: Bool

    /// Of the whole run.
    private(set) var written = 0
    private(set) var delivered = 0
    private(set) var lost = 0
    /// Arrived after they were counted as lost, or once more.
    private(set) var late = 0
    /// Arrived in the measured time.
    private(set) var measured = 0
    private(set) var latency = LatencyRecorder()

    /// Datagrams that left together arrive together: they are recorded at once.
    private var runDeparture = Instant.never
    private var runCount = 0

    init(countsDepartures: Bool) { self.countsDepartures = countsDepartures }

    /// Written and neither delivered nor given up.
    var outstanding: Int { written - delivered - lost }

    mutating func measure(from begin: Instant, to end: Instant) { (self.begin, self.end) = (begin, end) }

    @inline(__always)
    mutating func write(_ count: Int) { written += count }

    @inline(__always)
    mutating func deliver(_ departure: Instant, at now: Instant) {
        if departure != runDeparture { endRun(at: now) }
        runDeparture = departure
        runCount += 1
    }

    /// Before the clock moves on, and when somebody wants to read what is recorded.
    mutating func endRun(at now: Instant) {
        delivered += runCount
        if begin <= now, now < end { measured += runCount }
        let moment = countsDepartures ? runDeparture : now
        if runCount > 0, begin <= moment, moment < end { latency.record(now - runDeparture, count: runCount) }
        runCount = 0
    }

    mutating func lose(_ count: Int) { lost += count }

    mutating func noteLate() { late += 1 }
}
