// Datagrams between pairs of peers over one relay, on the calling thread. A closed loop keeps each pair's window on its
// way; an open loop sends when a schedule says so. This side sees both ends, so it knows what arrived and what did not.

import ApusReactor

package struct RelayLoad: ~Copyable {
    private let configuration: RelayLoadConfiguration
    private var peers: RelayPeers
    private var book: RelayBook
    private var interval: MeasuredInterval
    private var clock: ProgressClock
    /// How long after they were due an open loop's datagrams were noticed, at the most.
    private var lateness = LatencyRecorder()
    /// By flow: the peer that sends. Its partner receives.
    private let senders: [Int]
    /// What every peer had been sent when it was looked at last: a pair in which nothing moves has lost its window.
    private var expectedBefore: [Int]

    /// Run the load to its end, on the calling thread.
    /// - Parameter progress: called once a second, on this thread: nothing is sent or received meanwhile.
    package static func run(
        _ configuration: RelayLoadConfiguration, progress: (LoadProgress) -> Void = { _ in }
    ) throws(LoadError) -> RelayReport {
        try configuration.validate()
        var load = try RelayLoad(configuration)
        try load.start()
        while load.interval.phase != .over { try load.turn(progress) }
        load.drain()
        guard load.book.delivered > 0 || load.peers.errors.mismatched > 0 else {
            throw .noReply(configuration.access.address, seconds: load.interval.seconds)
        }
        // Before the close: the server's memory is that of a server with connections.
        let report = try load.report()
        load.peers.close(&load.book)
        return report
    }

    private init(_ configuration: RelayLoadConfiguration) throws(LoadError) {
        let isOpen = configuration.rate != nil
        var book = RelayBook(countsDepartures: isOpen)
        let count = configuration.placement.candidateCount(pairs: configuration.pairs)
        var opened = try RelayPeers(
            configuration.access, count: count, datagramByteCount: configuration.datagramByteCount,
            gatheredCount: isOpen ? LoadLimits.depth : configuration.window, from: .unbound)
        try opened.open(upTo: count, &book)
        guard opened.openCount == count else { throw opened.reason }
        let pairs = try configuration.placement.pairs(configuration.pairs, of: &opened, configuration.serverPID)
        let interval = try MeasuredInterval(
            warmup: Nanoseconds(seconds: configuration.warmupSeconds),
            duration: Nanoseconds(seconds: configuration.seconds),
            serverPID: configuration.serverPID, at: opened.now)
        senders = pairs.map(\.0) + (configuration.sendsBothWays ? pairs.map(\.1) : [])
        for pair in pairs { opened.pair(pair.0, pair.1) }
        for (flow, sender) in senders.enumerated() { opened.peers[sender].flow = flow }
        expectedBefore = [Int](repeating: 0, count: count)
        self.interval = interval
        clock = ProgressClock(at: opened.now)
        peers = opened
        self.book = book
        self.configuration = configuration
    }

    private mutating func start() throws(LoadError) {
        // Without a warm-up everything is measured.
        try advance()
        peers.ring.refreshNow()
        if let rate = configuration.rate {
            peers.schedule = OpenSchedule(start: peers.now, rate: rate, connections: senders.count)
        } else {
            for flow in senders.indices { peers.request(window(of: flow), from: senders[flow]) }
        }
        peers.flush(&book)
    }

    /// Where both send, the pair's window is shared between them.
    private func window(of flow: Int) -> Int {
        guard configuration.sendsBothWays else { return configuration.window }
        return flow < configuration.pairs ? (configuration.window + 1) / 2 : configuration.window / 2
    }
}

// MARK: The loop

extension RelayLoad {
    private mutating func turn(_ progress: (LoadProgress) -> Void) throws(LoadError) {
        peers.wait(until: configuration.busyPolls ? peers.now : wakeTime)
        while let arrival = peers.next(&book) { account(arrival) }
        tell(progress)
        try advance()
        requestDue()
        peers.flush(&book)
    }

    private var wakeTime: Instant { min(interval.end, clock.next, peers.schedule?.next ?? .never) }

    /// What has left the window, whether it arrived or was lost, makes room for as much.
    @inline(__always)
    private mutating func account(_ arrival: RelayArrival) {
        clock.add(arrival.delivered)
        let count = arrival.delivered + arrival.lost
        guard configuration.rate == nil else { return peers.schedule?.answer(count) ?? () }
        guard interval.phase != .over else { return }
        peers.request(count, from: responder(to: arrival.peer))
    }

    @inline(__always)
    private func responder(to peer: Int) -> Int {
        configuration.sendsBothWays ? peer : peers.peers[peer].partner
    }

    private mutating func requestDue() {
        // What is due after the end is nobody's.
        let limit = interval.phase == .over ? interval.end : peers.now
        guard let schedule = peers.schedule else { return }
        let count = schedule.dueCount(before: limit)
        guard count > 0 else { return }
        if interval.phase == .measured { lateness.record(peers.now - schedule.next, count: count) }
        for message in schedule.due..<schedule.due + count {
            peers.request(1, from: senders[message % senders.count])
        }
        peers.schedule?.take(count)
        peers.schedule?.noteBacklog()
    }

    private mutating func advance() throws(LoadError) {
        let now = peers.now
        if peers.isDead { throw peers.reason }
        guard now >= interval.end else { return }
        switch interval.phase {
        case .warmup: try interval.beginMeasuring(at: now)
        case .measured: try interval.finish(at: now)
        case .over: break
        }
        book.measure(from: interval.begin, to: interval.end)
    }

    private mutating func tell(_ progress: (LoadProgress) -> Void) {
        guard let rate = clock.countPerSecond(at: peers.now) else { return }
        if configuration.rate == nil { revive() }
        progress(
            LoadProgress(
                isWarmup: interval.phase == .warmup,
                elapsedSeconds: (peers.now - interval.begin).seconds,
                countPerSecond: rate,
                p99: book.latency.microseconds(atPercentile: 99)))
    }

    /// A pair that has heard nothing for a second has lost all that it had on its way, and would be silent for ever.
    private mutating func revive() {
        for sender in senders {
            let receiver = peers.peers[sender].partner
            let expected = peers.peers[receiver].expected
            if expected == expectedBefore[receiver], peers.missing(at: receiver) > 0 {
                let lost = peers.giveUp(at: receiver)
                book.lose(lost)
                peers.request(lost, from: responder(to: receiver))
            }
            expectedBefore[receiver] = peers.peers[receiver].expected
        }
    }

    /// What is on its way may still arrive; an open loop's schedule is kept to its end.
    private mutating func drain() {
        let deadline = peers.now + Nanoseconds(seconds: configuration.drainSeconds)
        while isOutstanding, !peers.isDead, peers.now < deadline {
            peers.wait(until: deadline)
            while let arrival = peers.next(&book) { account(arrival) }
            peers.flush(&book)
        }
        for sender in senders { book.lose(peers.giveUp(at: peers.peers[sender].partner)) }
    }

    private var isOutstanding: Bool {
        book.outstanding > 0 || (peers.schedule != nil && senders.contains { peers.peers[$0].owed > 0 })
    }
}

// MARK: The report

extension RelayLoad {
    private func report() throws(LoadError) -> RelayReport {
        let perSecond = Double(book.measured) / interval.seconds
        var server = try interval.serverReport()
        server?.cpuMicrosecondsPerMessage = interval.serverCPU.map {
            MeasuredInterval.microseconds($0, per: book.measured)
        }
        return RelayReport(
            address: "\(configuration.access.address)",
            pairs: configuration.pairs,
            direction: configuration.sendsBothWays ? "both" : "one",
            placement: configuration.placement.rawValue,
            window: configuration.window,
            size: configuration.datagramByteCount,
            seconds: interval.seconds,
            rate: configuration.rate,
            messages: book.measured,
            messagesPerSecond: perSecond,
            bytesPerSecond: perSecond * Double(peers.frameByteCount),
            sent: book.written,
            delivered: book.delivered,
            lost: book.lost,
            late: book.late,
            errors: peers.errors,
            latency: book.latency.report,
            openLoop: openLoopReport,
            generator: interval.generatorReport(busyPolls: configuration.busyPolls),
            server: server)
    }

    private var openLoopReport: OpenLoopReport? {
        guard let schedule = peers.schedule else { return nil }
        return OpenLoopReport(
            lateness: lateness.report,
            intended: schedule.firstMessage(from: interval.end) - schedule.firstMessage(from: interval.begin),
            unanswered: book.lost + senders.reduce(0) { $0 + peers.peers[$1].owed },
            backlogMax: schedule.backlogMax,
            backlogLimit: configuration.backlogMax,
            backlogExceeded: schedule.backlogMax > configuration.backlogMax)
    }
}
