// Connections that exchange one message each and then do nothing, on the calling thread: what one costs the server in
// memory. What a connection speaks is its set's to know.

import ApusReactor

/// Connections that can be made idle, of one protocol.
protocol IdleConnections: ~Copyable {
    var address: SocketAddress { get }
    var now: Instant { get }
    /// Tried, in their order; those of them that failed; those that are open now.
    var started: Int { get }
    var failedCount: Int { get }
    var openCount: Int { get }

    mutating func open(upTo target: Int) throws(LoadError)
    /// Ask for one exchange on each.
    mutating func beginExchange(_ range: Range<Int>)
    func isExchanging(_ range: Range<Int>) -> Bool
    /// Ask once more where what was asked may have been dropped.
    mutating func repeatExchange(_ range: Range<Int>)
    /// One turn; true when something arrived.
    mutating func turn(until deadline: Instant) -> Bool
    mutating func close()
}

package enum IdleLoad {
    /// Run the load to its end. It takes twice the settling time and what the connecting takes.
    package static func run(_ configuration: IdleLoadConfiguration) throws(LoadError) -> IdleReport {
        try configuration.validate()
        _ = try serverMemory(of: configuration.serverPID)
        switch configuration.session {
        case .packet: return try measure(try IdlePackets(configuration), configuration)
        case .relay(let access): return try measure(try IdlePeers(access, configuration), configuration)
        }
    }

    private static func measure<Connections: IdleConnections & ~Copyable>(
        _ connections: consuming Connections, _ configuration: IdleLoadConfiguration
    ) throws(LoadError) -> IdleReport {
        var measurement = IdleMeasurement(configuration, connections)
        return try measurement.run()
    }
}

private struct IdleMeasurement<Connections: IdleConnections & ~Copyable>: ~Copyable {
    /// Made and asked at a time, so that the reading shows what idle connections keep and not what a crowd has left
    /// behind. Even, so that pairs are made together.
    private static var stepCount: Int { 128 }
    /// How long a step may take without any reply.
    private static var patience: Nanoseconds { 10 * .second }
    /// After so long what has no reply is asked once more.
    private static var pause: Nanoseconds { .second }

    private let configuration: IdleLoadConfiguration
    private var connections: Connections

    init(_ configuration: IdleLoadConfiguration, _ connections: consuming Connections) {
        self.configuration = configuration
        self.connections = connections
    }

    mutating func run() throws(LoadError) -> IdleReport {
        let baseline = try measure(upTo: configuration.baseline)
        let full = try measure(upTo: configuration.connections)
        connections.close()
        return IdleReport(configuration, from: baseline, to: full)
    }

    private mutating func measure(upTo target: Int) throws(LoadError) -> IdleReading {
        while connections.started < target {
            let first = connections.started
            try connections.open(upTo: min(target, first + Self.stepCount))
            try exchange(first..<connections.started)
        }
        settle()
        guard connections.openCount > 0 else { throw .closed(connections.address) }
        return try IdleReading(
            of: configuration.serverPID, made: connections.started - connections.failedCount,
            alive: connections.openCount)
    }

    private mutating func exchange(_ range: Range<Int>) throws(LoadError) {
        connections.beginExchange(range)
        var deadline = connections.now + Self.patience
        var repetition = connections.now + Self.pause
        while connections.isExchanging(range) {
            if connections.turn(until: min(deadline, repetition)) { deadline = connections.now + Self.patience }
            guard connections.now < deadline else {
                throw .noReply(connections.address, seconds: Self.patience.seconds)
            }
            if connections.now >= repetition {
                connections.repeatExchange(range)
                repetition = connections.now + Self.pause
            }
        }
    }

    /// Nothing happens, apart from the server's questions, which are answered.
    private mutating func settle() {
        let deadline = connections.now + Nanoseconds(seconds: configuration.settleSeconds)
        while connections.now < deadline { _ = connections.turn(until: deadline) }
    }
}
