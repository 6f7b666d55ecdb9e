// Peers that log in and go, each time as somebody else, on the calling thread: what being let in costs the relay.

import ApusReactor

package struct RelayLoginLoad: ~Copyable {
    private let configuration: RelayLoginConfiguration
    private var peers: RelayPeers
    /// Of datagrams, of which there are none.
    private var book = RelayBook(countsDepartures: false)
    private var interval: MeasuredInterval
    private var clock: ProgressClock
    private var latency = LatencyRecorder()
    private var completed = 0
    private var measured = 0

    /// Run the load to its end.
    /// - Parameter progress: called once a second, on this thread.
    package static func run(
        _ configuration: RelayLoginConfiguration, progress: (LoadProgress) -> Void = { _ in }
    ) throws(LoadError) -> ConnectReport {
        try configuration.validate()
        var load = try RelayLoginLoad(configuration)
        while load.interval.phase != .over { try load.turn(progress) }
        load.peers.close(&load.book)
        guard load.completed > 0 else { throw load.peers.reason }
        return try load.report()
    }

    private init(_ configuration: RelayLoginConfiguration) throws(LoadError) {
        var opened = try RelayPeers(
            configuration.access, count: configuration.concurrency, datagramByteCount: nil,
            from: SourceAddresses(for: configuration.access.address), reconnects: true, resetsWhenClosed: true)
        opened.started = configuration.concurrency
        for index in 0..<configuration.concurrency { try opened.connect(index) }
        interval = try MeasuredInterval(
            warmup: Nanoseconds(seconds: configuration.warmupSeconds),
            duration: Nanoseconds(seconds: configuration.seconds),
            serverPID: configuration.serverPID, at: opened.now)
        clock = ProgressClock(at: opened.now)
        peers = opened
        self.configuration = configuration
    }

    private mutating func turn(_ progress: (LoadProgress) -> Void) throws(LoadError) {
        peers.wait(until: min(interval.end, clock.next, peers.reopening.next))
        while let arrival = peers.next(&book) { if arrival.isLogin { succeed(arrival.peer) } }
        let isRefused = ConnectError(peers.connectResult) == .refused
        if completed == 0, isRefused { throw .refused(configuration.access.address) }
        tell(progress)
        if peers.now >= interval.end { try advance() }
        peers.flush(&book)
        try peers.reopen()
    }

    private mutating func succeed(_ index: Int) {
        completed += 1
        clock.add(1)
        if interval.phase == .measured {
            measured += 1
            latency.record(peers.now - peers.peers[index].begun, count: 1)
        }
        peers.leave(index)
    }

    private mutating func advance() throws(LoadError) {
        switch interval.phase {
        case .warmup: try interval.beginMeasuring(at: peers.now)
        case .measured: try interval.finish(at: peers.now)
        case .over: break
        }
    }

    private mutating func tell(_ progress: (LoadProgress) -> Void) {
        guard let rate = clock.countPerSecond(at: peers.now) else { return }
        progress(
            LoadProgress(
                isWarmup: interval.phase == .warmup,
                elapsedSeconds: (peers.now - interval.begin).seconds,
                countPerSecond: rate,
                p99: latency.microseconds(atPercentile: 99)))
    }

    private func report() throws(LoadError) -> ConnectReport {
        var generator = interval.generatorReport()
        generator.cpuMicrosecondsPerConnection = MeasuredInterval.microseconds(interval.generatorCPU, per: measured)
        var server = try interval.serverReport()
        server?.cpuMicrosecondsPerConnection = interval.serverCPU.map {
            MeasuredInterval.microseconds($0, per: measured)
        }
        var errors = ConnectErrors()
        (errors.mismatched, errors.closed) = (peers.errors.mismatched, peers.errors.closed)
        (errors.connect, errors.addressUnavailable) = (peers.errors.connect, peers.portlessCount)
        return ConnectReport(
            address: "\(configuration.access.address)",
            connections: measured,
            concurrency: configuration.concurrency,
            resumptionsOffered: 0,
            resumed: 0,
            connectionsPerSecond: Double(measured) / interval.seconds,
            seconds: interval.seconds,
            errors: errors,
            latency: latency.report,
            generator: generator,
            server: server)
    }
}
