// Echo requests over connections that stay, on the calling thread. A closed loop keeps each connection's requests
// outstanding; an open loop sends when a schedule says so.

import ApusReactor

package struct PacketLoad: ~Copyable {
    private let configuration: PacketLoadConfiguration
    private var connections: ConnectionSet
    private var interval: MeasuredInterval
    private var clock: ProgressClock
    private var latency = LatencyRecorder()
    /// Nil: a closed loop.
    private var schedule: OpenSchedule?
    /// How long after they were due an open loop's messages were noticed, at the most.
    private var lateness = LatencyRecorder()
    /// Correct replies that arrived in the measured time.
    private var messages = 0
    private var unanswered = 0
    private var isAnswered = false

    /// Run the load to its end, on the calling thread.
    /// - Parameter progress: called once a second, on this thread: nothing is asked or received meanwhile.
    package static func run(
        _ configuration: PacketLoadConfiguration, progress: (LoadProgress) -> Void = { _ in }
    ) throws(LoadError) -> PacketReport {
        try configuration.validate()
        var load = try PacketLoad(configuration)
        try load.start()
        while load.interval.phase != .over { try load.turn(progress) }
        try load.drain()
        guard load.isAnswered || load.connections.errors.mismatched > 0 else {
            throw .noReply(configuration.address, seconds: load.interval.seconds)
        }
        // Before the close: the server's memory is that of a server with connections.
        let report = try load.report()
        load.connections.close()
        return report
    }

    private init(_ configuration: PacketLoadConfiguration) throws(LoadError) {
        let isOpen = configuration.rate != nil
        let requests = EchoRequests(
            connections: configuration.connections, textByteCount: configuration.textByteCount,
            countPerSendMax: isOpen ? LoadLimits.depth : configuration.depth)
        var opened = try ConnectionSet(
            to: configuration.address, count: configuration.connections, from: .unbound, requests: requests,
            outstandingMax: isOpen ? 0 : configuration.depth, reconnects: configuration.reconnects,
            security: configuration.security, tier: configuration.tier)
        try opened.open(upTo: configuration.connections)
        opened.isStarted = true
        interval = try MeasuredInterval(
            warmup: Nanoseconds(seconds: configuration.warmupSeconds),
            duration: Nanoseconds(seconds: configuration.seconds),
            serverPID: configuration.serverPID, at: opened.now)
        clock = ProgressClock(at: opened.now)
        connections = opened
        self.configuration = configuration
    }

    private mutating func start() throws(LoadError) {
        // Without a warm-up everything is measured.
        try advance()
        connections.refreshNow()
        if let rate = configuration.rate {
            schedule = OpenSchedule(start: connections.now, rate: rate, connections: connections.count)
        } else {
            for index in 0..<connections.count { connections.request(configuration.depth, on: index) }
        }
        connections.flush()
    }
}

// MARK: The loop

extension PacketLoad {
    private mutating func turn(_ progress: (LoadProgress) -> Void) throws(LoadError) {
        connections.wait(until: configuration.busyPolls ? connections.now : wakeTime)
        while let arrival = connections.next() { account(arrival) }
        tell(progress)
        try advance()
        requestDue()
        connections.flush()
        try connections.reopen()
    }

    private var wakeTime: Instant {
        min(interval.end, clock.next, schedule?.next ?? .never, connections.reopening.next)
    }

    @inline(__always)
    private mutating func account(_ arrival: Arrival) {
        isAnswered = true
        clock.add(arrival.replies)
        if interval.phase == .measured { messages += arrival.replies }
        if schedule == nil { accountClosed(arrival) } else { accountOpen(arrival) }
    }

    /// What was answered is asked again.
    @inline(__always)
    private mutating func accountClosed(_ arrival: Arrival) {
        let isMeasured = interval.phase == .measured
        var wrong = arrival.wrong
        var left = arrival.count
        while left > 0, let batch = connections.stamps.take(wrong > 0 ? wrong : left, from: arrival.connection) {
            if wrong > 0 {
                wrong -= batch.count
            } else if isMeasured {
                latency.record(connections.now - batch.sentAt, count: batch.count)
            }
            left -= batch.count
        }
        connections.request(arrival.count, on: arrival.connection)
    }

    /// Each reply has an intended time of its own, which its number on the connection tells.
    private mutating func accountOpen(_ arrival: Arrival) {
        schedule?.answer(arrival.count)
        let end = connections.answered(on: arrival.connection) - arrival.wrong
        for place in end - arrival.replies..<end { _ = recordOpen(place, arrival.connection) }
    }

    /// False for a message that was not intended within the measured time.
    private mutating func recordOpen(_ place: Int, _ connection: Int) -> Bool {
        guard let intended = schedule?.intended(place, on: connection), interval.measures(intended) else {
            return false
        }
        latency.record(connections.now - intended, count: 1)
        return true
    }

    private mutating func requestDue() {
        // What is due after the end is nobody's.
        let limit = interval.phase == .over ? interval.end : connections.now
        guard let count = schedule?.dueCount(before: limit), let next = schedule?.next, count > 0 else { return }
        if interval.phase == .measured { lateness.record(connections.now - next, count: count) }
        requestDue(count)
        schedule?.noteBacklog()
    }

    /// One after the other on the connections in turn, which for a whole round is one on each.
    private mutating func requestDue(_ count: Int) {
        guard let first = schedule?.due else { return }
        let (rounds, rest) = count.quotientAndRemainder(dividingBy: connections.count)
        if rounds > 0 {
            for index in 0..<connections.count { connections.request(rounds, on: index) }
        }
        for message in first..<first + rest { connections.request(1, on: message % connections.count) }
        schedule?.take(count)
    }

    private mutating func advance() throws(LoadError) {
        let now = connections.now
        if connections.isDead {
            guard interval.phase == .measured, isAnswered else { throw .closed(configuration.address) }
            return try interval.finish(at: now)
        }
        guard now >= interval.end else { return }
        switch interval.phase {
        case .warmup: try interval.beginMeasuring(at: now)
        case .measured: try interval.finish(at: now)
        case .over: break
        }
    }

    private mutating func tell(_ progress: (LoadProgress) -> Void) {
        guard let rate = clock.countPerSecond(at: connections.now) else { return }
        progress(
            LoadProgress(
                isWarmup: interval.phase == .warmup,
                elapsedSeconds: (connections.now - interval.begin).seconds,
                countPerSecond: rate,
                p99: latency.microseconds(atPercentile: 99)))
    }

    /// An open loop waits a while for what is still missing. What then is missing has waited as long as it is old: left
    /// out, the longest waits would be the ones that do not count.
    private mutating func drain() throws(LoadError) {
        let deadline = connections.now + Nanoseconds(seconds: configuration.drainSeconds)
        while let backlog = schedule?.backlog, backlog > 0, !connections.isDead, connections.now < deadline {
            connections.wait(until: min(deadline, connections.reopening.next))
            while let arrival = connections.next() { account(arrival) }
            connections.flush()
            try connections.reopen()
        }
        guard let schedule else { return }
        for connection in 0..<connections.count {
            for place in connections.answered(on: connection)..<schedule.due(on: connection)
            where recordOpen(place, connection) {
                unanswered += 1
            }
        }
    }
}

// MARK: The report

extension PacketLoad {
    private func report() throws(LoadError) -> PacketReport {
        let seconds = interval.seconds
        let messagesPerSecond = Double(messages) / seconds
        let packetByteCount = EchoRequests.packetByteCount(textByteCount: configuration.textByteCount)
        var server = try interval.serverReport()
        server?.cpuMicrosecondsPerMessage = interval.serverCPU.map { MeasuredInterval.microseconds($0, per: messages) }
        return PacketReport(
            address: "\(configuration.address)",
            connections: configuration.connections,
            depth: configuration.depth,
            size: configuration.textByteCount,
            seconds: seconds,
            rate: configuration.rate,
            messages: messages,
            messagesPerSecond: messagesPerSecond,
            bytesPerSecond: messagesPerSecond * Double(packetByteCount),
            reconnections: configuration.reconnects ? connections.reopening.count : nil,
            errors: connections.errors,
            latency: latency.report,
            openLoop: openLoopReport,
            generator: interval.generatorReport(busyPolls: configuration.busyPolls),
            server: server)
    }

    private var openLoopReport: OpenLoopReport? {
        guard let schedule else { return nil }
        return OpenLoopReport(
            lateness: lateness.report,
            intended: schedule.firstMessage(from: interval.end) - schedule.firstMessage(from: interval.begin),
            unanswered: unanswered,
            backlogMax: schedule.backlogMax,
            backlogLimit: configuration.backlogMax,
            backlogExceeded: schedule.backlogMax > configuration.backlogMax)
    }
}
