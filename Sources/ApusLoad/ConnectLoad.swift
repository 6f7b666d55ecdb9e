// Connections that come, exchange one PING for one PONG, and go, on the calling thread.

import ApusReactor
import ApusSecurity
import ApusWire

package struct ConnectLoad: ~Copyable {
    /// How long nothing is tried after a connect has failed, so that a lack of ports can pass.
    private static let rest: Nanoseconds = 10 * .millisecond

    private let configuration: ConnectLoadConfiguration
    private var ring: Ring
    // Allocated in `init`, a place for each concurrent exchange; indices come from tokens of ours, which name places.
    private let exchanges: UnsafeMutablePointer<Exchange>
    private let touched: UnsafeMutablePointer<UInt32>
    private var touchedCount = 0
    /// Where the kernel reads the address while it connects.
    private let target: UnsafeMutablePointer<SocketAddress>
    private var sources: SourceAddresses
    /// Nil: connections are plain.
    private let channels: ClientChannels?
    /// By exchange; nil: plain, or not connected.
    private let open: UnsafeMutablePointer<ClientChannel?>
    /// What the latest connection's server gave it; the next ones go on from there.
    private var resumption: TLSResumption?
    private var channelFailure: ChannelFailure?
    /// Resumptions offered and taken, in the measured time.
    private var offered = 0
    private var resumed = 0
    private let ping = PacketCopies(of: .ping, count: 1)
    private let pong = PacketCopies(of: .pong, count: 1)
    private var interval: MeasuredInterval
    private var clock: ProgressClock
    private var latency = LatencyRecorder()
    private var errors = ConnectErrors()
    /// Exchanges completed, at all and in the measured time.
    private var completed = 0
    private var measured = 0
    private var connectResult: Int32 = 0
    /// Nothing is begun before this time.
    private var restUntil: Instant
    private var isResting = false
    private var isStopping = false

    /// Run the load to its end.
    /// - Parameter progress: called once a second, on this thread.
    package static func run(
        _ configuration: ConnectLoadConfiguration, progress: (LoadProgress) -> Void = { _ in }
    ) throws(LoadError) -> ConnectReport {
        try configuration.validate()
        let needed = configuration.concurrency + 32
        let limit = raiseDescriptorLimit()
        guard needed <= limit else { throw .descriptors(needed: needed, limit: limit) }
        var load = try ConnectLoad(configuration)
        for index in 0..<configuration.concurrency { load.touch(index) }
        try load.flush()
        while load.interval.phase != .over { try load.turn(progress) }
        try load.stop()
        guard load.completed > 0 || load.errors.mismatched > 0 else { throw load.reason }
        return try load.report()
    }

    private init(_ configuration: ConnectLoadConfiguration) throws(LoadError) {
        let channels = try ClientChannels.forLoad(configuration.security)
        let opened = try Ring.forLoad(
            connections: configuration.concurrency, burstByteCount: 0, tier: configuration.tier)
        let interval = try MeasuredInterval(
            warmup: Nanoseconds(seconds: configuration.warmupSeconds),
            duration: Nanoseconds(seconds: configuration.seconds),
            serverPID: configuration.serverPID, at: opened.now)
        self.channels = channels
        self.interval = interval
        clock = ProgressClock(at: opened.now)
        restUntil = opened.now
        ring = opened
        sources = SourceAddresses(for: configuration.address)
        self.configuration = configuration
        exchanges = .allocate(capacity: configuration.concurrency)
        exchanges.initialize(repeating: Exchange(), count: configuration.concurrency)
        open = .allocate(capacity: configuration.concurrency)
        open.initialize(repeating: nil, count: configuration.concurrency)
        touched = .allocate(capacity: configuration.concurrency)
        target = .allocate(capacity: 1)
        target.initialize(to: configuration.address)
    }

    deinit {
        exchanges.deallocate()
        open.deinitialize(count: configuration.concurrency)
        open.deallocate()
        touched.deallocate()
        target.deallocate()
    }

    /// Why there is nothing to report.
    private var reason: LoadError {
        if let channelFailure { return .insecure(channelFailure.description) }
        if errors.closed > 0 { return .closed(configuration.address) }
        if connectResult != 0 { return .unconnected(configuration.address, errno: -connectResult) }
        return .noReply(configuration.address, seconds: interval.seconds)
    }
}

/// One connection at a time of those that are under way. What the kernel holds is in its three bits; the next step is
/// taken when they are clear.
///
///     free ──▶ connecting ──▶ exchanging ──PONG, or its end──▶ leaving ──cancelled──▶ closing ──▶ free
private struct Exchange: BitwiseCopyable {
    enum State: UInt8 {
        case free, connecting, exchanging, leaving, closing
    }

    var state = State.free
    var socket = Descriptor(-1)
    var isTouched = false
    var receiving = false
    var sending = false
    var cancelling = false
    var isAsked = false
    /// The channel's bytes that are being sent.
    var flight = UnsafeRawBufferPointer(start: nil, count: 0)
    var hasOffered = false
    var reader = ReplyReader()
    var begun = Instant.never
}

// MARK: The loop

extension ConnectLoad {
    private mutating func turn(_ progress: (LoadProgress) -> Void) throws(LoadError) {
        ring.submitAndWait(until: min(interval.end, clock.next, isResting ? restUntil : .never))
        try complete()
        tell(progress)
        if ring.now >= interval.end { try advance() }
        if isResting, ring.now >= restUntil { wake() }
        try flush()
    }

    private mutating func complete() throws(LoadError) {
        while let completion = ring.next() {
            let index = Int(completion.token.slot)
            switch completion.token.operation {
            case .connect: try connected(completion.result, index)
            case .send: sent(completion.result, index)
            case .receive: received(completion, index)
            case .close: closed(index)
            case .cancel: break
            case .accept, .shutdown, .wake, .doorbell, .ring, nil:
                preconditionFailure("a completion that nobody asked for: \(completion.token.bits)")
            }
        }
    }

    private mutating func advance() throws(LoadError) {
        switch interval.phase {
        case .warmup: try interval.beginMeasuring(at: ring.now)
        case .measured: try interval.finish(at: ring.now)
        case .over: break
        }
    }

    private mutating func tell(_ progress: (LoadProgress) -> Void) {
        guard let rate = clock.countPerSecond(at: ring.now) else { return }
        progress(
            LoadProgress(
                isWarmup: interval.phase == .warmup,
                elapsedSeconds: (ring.now - interval.begin).seconds,
                countPerSecond: rate,
                p99: latency.microseconds(atPercentile: 99)))
    }

    private mutating func touch(_ index: Int) {
        guard !exchanges[index].isTouched else { return }
        exchanges[index].isTouched = true
        touched[touchedCount] = UInt32(index)
        touchedCount += 1
    }

    private mutating func flush() throws(LoadError) {
        ring.refreshNow()
        for place in 0..<touchedCount { try settle(Int(touched[place])) }
        touchedCount = 0
    }

    private mutating func settle(_ index: Int) throws(LoadError) {
        exchanges[index].isTouched = false
        switch exchanges[index].state {
        case .free: try connect(index)
        case .exchanging: exchange(index)
        case .leaving: leave(index)
        case .connecting, .closing: break
        }
    }

    /// The rest is over: everything that is free begins.
    private mutating func wake() {
        isResting = false
        for index in 0..<configuration.concurrency where exchanges[index].state == .free { touch(index) }
    }

    /// Begin nothing more, and wait until the kernel has let go of everything.
    private mutating func stop() throws(LoadError) {
        isStopping = true
        for index in 0..<configuration.concurrency {
            switch exchanges[index].state {
            case .connecting: ring.cancel(token(.connect, index), token: token(.cancel, index))
            case .exchanging:
                exchanges[index].state = .leaving
                touch(index)
            case .free, .leaving, .closing: break
            }
        }
        try flush()
        while (0..<configuration.concurrency).contains(where: { exchanges[$0].state != .free }) {
            ring.submitAndWait(until: .never)
            try complete()
            try flush()
        }
    }

    private func token(_ operation: Operation, _ index: Int) -> Token { Token(operation, slot: UInt32(index)) }
}

// MARK: One connection

extension ConnectLoad {
    private mutating func connect(_ index: Int) throws(LoadError) {
        if isStopping { return }
        if ring.now < restUntil {
            isResting = true
            return
        }
        exchanges[index] = Exchange()
        exchanges[index].socket = try openSocket()
        exchanges[index].state = .connecting
        exchanges[index].begun = ring.now
        ring.connect(exchanges[index].socket, to: SocketAddress.bytes(of: target), token: token(.connect, index))
    }

    /// Closing it will reset the connection: each of them would otherwise keep its port in TIME_WAIT for a minute.
    private mutating func openSocket() throws(LoadError) -> Descriptor {
        let socket = try sources.openSocket(for: configuration.address)
        do throws(SystemError) {
            try resetWhenClosed(socket)
        } catch {
            ring.closeNow(socket)
            throw .system(error)
        }
        return socket
    }

    private mutating func connected(_ result: Int32, _ index: Int) throws(LoadError) {
        touch(index)
        if result == 0 {
            exchanges[index].state = isStopping ? .leaving : .exchanging
            if !isStopping, !secure(index) { fail(.tls(.outOfMemory), index) }
            return
        }
        ring.closeNow(exchanges[index].socket)
        exchanges[index].state = .free
        if !isStopping { try connectFailed(result) }
    }

    private mutating func connectFailed(_ result: Int32) throws(LoadError) {
        connectResult = result
        restUntil = ring.now + ConnectLoad.rest
        switch ConnectError(result) {
        case .refused where completed == 0: throw .refused(configuration.address)
        case .noPort: errors.addressUnavailable += 1
        case .refused, .interrupted, .failed: errors.connect += 1
        }
    }

    private mutating func exchange(_ index: Int) {
        if !exchanges[index].receiving {
            exchanges[index].receiving = true
            ring.receive(from: exchanges[index].socket, token: token(.receive, index))
        }
        if let channel = open[index] { return exchange(by: channel, index) }
        if !exchanges[index].isAsked {
            exchanges[index].isAsked = true
            exchanges[index].sending = true
            ring.send(ping.run.prefix(1), to: exchanges[index].socket, token: token(.send, index))
        }
    }

    private mutating func sent(_ result: Int32, _ index: Int) {
        exchanges[index].sending = false
        touch(index)
        if open[index] != nil {
            guard result >= 0 else { return lose(index) }
            let rest = exchanges[index].flight.dropFirst(Int(result))
            exchanges[index].flight = UnsafeRawBufferPointer(rebasing: rest)
            return
        }
        // A new connection takes the few bytes of a PING whole; where it does not, it has ended.
        if result != ping.run.byteCount { lose(index) }
    }

    private mutating func received(_ completion: Completion, _ index: Int) {
        touch(index)
        if !completion.hasMore { exchanges[index].receiving = false }
        guard let lease = completion.lease else { return receivedNothing(completion.result, index) }
        let bytes = UnsafeMutableRawBufferPointer(start: lease.start, count: Int(lease.byteCount))
        let reading =
            if let channel = open[index] {
                read(bytes, channel, index)
            } else {
                exchanges[index].reader.read(UnsafeRawBufferPointer(bytes), expecting: pong.run)
            }
        ring.recycle(lease)
        guard exchanges[index].state == .exchanging else { return }
        // A server's PING would be answered by a connection that stays.
        if reading.wrong > 0 || reading.isBroken || reading.replies > 1 {
            errors.mismatched += 1
            exchanges[index].state = .leaving
        } else if reading.replies == 1 {
            succeed(index)
        }
    }

    private mutating func succeed(_ index: Int) {
        exchanges[index].state = .leaving
        completed += 1
        clock.add(1)
        if let channel = open[index] { noteResumption(of: channel, index) }
        guard interval.phase == .measured else { return }
        measured += 1
        latency.record(ring.now - exchanges[index].begun, count: 1)
    }

    private mutating func receivedNothing(_ result: Int32, _ index: Int) {
        switch ReceiveError(result) {
        case .starved, .interrupted: break
        case .finished, .reset, .failed: lose(index)
        }
    }

    private mutating func lose(_ index: Int) {
        guard exchanges[index].state == .exchanging else { return }
        errors.closed += 1
        exchanges[index].state = .leaving
    }

    private mutating func leave(_ index: Int) {
        let exchange = exchanges[index]
        if !exchange.receiving, !exchange.sending {
            exchanges[index].state = .closing
            ring.close(exchange.socket, token: token(.close, index))
        } else if !exchange.cancelling {
            exchanges[index].cancelling = true
            if exchange.receiving { ring.cancel(token(.receive, index), token: token(.cancel, index)) }
            if exchange.sending { ring.cancel(token(.send, index), token: token(.cancel, index)) }
        }
    }

    private mutating func closed(_ index: Int) {
        exchanges[index].state = .free
        open[index] = nil
        touch(index)
    }
}

// MARK: Protected connections

extension ConnectLoad {
    /// False: OpenSSL has no memory for a channel.
    private mutating func secure(_ index: Int) -> Bool {
        guard let channels else { return true }
        let offer = configuration.resumes ? resumption : nil
        exchanges[index].hasOffered = offer != nil
        do throws(TLSConfigurationError) {
            open[index] = try channels.open(wallMilliseconds: WallClock.milliseconds(), resuming: offer)
            return true
        } catch {
            return false
        }
    }

    private mutating func exchange(by channel: ClientChannel, _ index: Int) {
        guard !exchanges[index].sending else { return }
        if exchanges[index].flight.isEmpty {
            if channel.isReady, !exchanges[index].isAsked {
                exchanges[index].isAsked = true
                do throws(ChannelFailure) {
                    try channel.send(ping.run.prefix(1))
                } catch {
                    return fail(error, index)
                }
            }
            exchanges[index].flight = channel.takeOutgoing()
        }
        guard !exchanges[index].flight.isEmpty else { return }
        exchanges[index].sending = true
        ring.send(exchanges[index].flight, to: exchanges[index].socket, token: token(.send, index))
    }

    private mutating func read(
        _ wire: UnsafeMutableRawBufferPointer, _ channel: ClientChannel, _ index: Int
    ) -> Reading {
        var reading = Reading()
        let (exchange, expected) = (exchanges + index, pong.run)
        do throws(ChannelFailure) {
            try channel.receive(wire) { plain in
                reading.add(exchange.pointee.reader.read(plain, expecting: expected))
            }
        } catch {
            fail(error, index)
        }
        return reading
    }

    private mutating func fail(_ failure: ChannelFailure, _ index: Int) {
        channelFailure = failure
        lose(index)
    }

    private mutating func noteResumption(of channel: ClientChannel, _ index: Int) {
        guard configuration.resumes else { return }
        if let fresh = channel.resumption() { resumption = fresh }
        guard interval.phase == .measured, exchanges[index].hasOffered else { return }
        offered += 1
        if channel.agreement?.isResumed == true { resumed += 1 }
    }
}

// MARK: The report

extension ConnectLoad {
    private func report() throws(LoadError) -> ConnectReport {
        var generator = interval.generatorReport()
        generator.cpuMicrosecondsPerConnection = MeasuredInterval.microseconds(interval.generatorCPU, per: measured)
        var server = try interval.serverReport()
        server?.cpuMicrosecondsPerConnection = interval.serverCPU.map {
            MeasuredInterval.microseconds($0, per: measured)
        }
        return ConnectReport(
            address: "\(configuration.address)",
            connections: measured,
            concurrency: configuration.concurrency,
            resumptionsOffered: offered,
            resumed: resumed,
            connectionsPerSecond: Double(measured) / interval.seconds,
            seconds: interval.seconds,
            errors: errors,
            latency: latency.report,
            generator: generator,
            server: server)
    }
}
