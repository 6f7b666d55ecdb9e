// Connections that exchange one Echo each and then do nothing, on the calling thread: what one costs the server in
// memory.

import ApusReactor

package struct IdleLoad: ~Copyable {
    /// Made and asked at a time, so that the reading shows what idle connections keep and not what a crowd has left
    /// behind.
    private static let stepCount = 128
    private static let textByteCount = 64
    /// How long a step may take without any reply.
    private static let patience: Nanoseconds = 10 * .second

    private let configuration: IdleLoadConfiguration
    private var connections: ConnectionSet

    /// Run the load to its end. It takes twice the settling time and what the connecting takes.
    package static func run(_ configuration: IdleLoadConfiguration) throws(LoadError) -> IdleReport {
        try configuration.validate()
        _ = try serverMemory(of: configuration.serverPID)
        var load = try IdleLoad(configuration)
        let baseline = try load.measure(upTo: configuration.baseline)
        let full = try load.measure(upTo: configuration.connections)
        load.connections.close()
        return load.report(from: baseline, to: full)
    }

    private init(_ configuration: IdleLoadConfiguration) throws(LoadError) {
        self.configuration = configuration
        connections = try ConnectionSet(
            to: configuration.address, count: configuration.connections,
            from: SourceAddresses(for: configuration.address),
            requests: EchoRequests(
                connections: configuration.connections, textByteCount: IdleLoad.textByteCount, countPerSendMax: 1),
            outstandingMax: 0, security: configuration.security, tier: configuration.tier)
    }

    /// The server's memory while so many connections are idle.
    private struct Reading {
        let made: Int
        let alive: Int
        let byteCount: Int
    }

    private mutating func measure(upTo target: Int) throws(LoadError) -> Reading {
        while connections.started < target {
            let first = connections.started
            try connections.open(upTo: min(target, first + IdleLoad.stepCount))
            try exchange(first..<connections.started)
        }
        settle()
        guard connections.openCount > 0 else { throw .closed(configuration.address) }
        return Reading(
            made: connections.started - connections.errors.connect,
            alive: connections.openCount,
            byteCount: try serverMemory(of: configuration.serverPID))
    }

    private mutating func exchange(_ range: Range<Int>) throws(LoadError) {
        for index in range { connections.request(1, on: index) }
        connections.flush()
        var deadline = connections.now + IdleLoad.patience
        while range.contains(where: { connections.waits(on: $0) }) {
            connections.wait(until: deadline)
            while connections.next() != nil { deadline = connections.now + IdleLoad.patience }
            connections.flush()
            guard connections.now < deadline else {
                throw .noReply(configuration.address, seconds: IdleLoad.patience.seconds)
            }
        }
    }

    /// Nothing happens, apart from PINGs that are answered.
    private mutating func settle() {
        let deadline = connections.now + Nanoseconds(seconds: configuration.settleSeconds)
        while connections.now < deadline {
            connections.wait(until: deadline)
            while connections.next() != nil {}
            connections.flush()
        }
    }

    private func report(from baseline: Reading, to full: Reading) -> IdleReport {
        let added = full.alive - baseline.alive
        return IdleReport(
            address: "\(configuration.address)",
            connections: full.made,
            baseline: baseline.made,
            alive: full.alive,
            pid: configuration.serverPID,
            rssBytesBaseline: baseline.byteCount,
            rssBytes: full.byteCount,
            bytesPerConnection: added > 0 ? Double(full.byteCount - baseline.byteCount) / Double(added) : 0)
    }
}
