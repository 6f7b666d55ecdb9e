// What a run found. The names and units of the encoded forms are what scripts read; changing one breaks them.

import ApusReactor

/// Latencies in microseconds; all zero when nothing was answered.
package struct LatencyReport: Encodable, Equatable, Sendable {
    package var min: Double
    package var mean: Double
    package var p50: Double
    package var p90: Double
    package var p99: Double
    package var p999: Double
    package var max: Double

    static let empty = LatencyReport(min: 0, mean: 0, p50: 0, p90: 0, p99: 0, p999: 0, max: 0)

    enum CodingKeys: String, CodingKey {
        case min, mean, p50, p90, p99
        case p999 = "p99_9"
        case max
    }
}

/// What went wrong in the whole run, warm-up included.
package struct LoadErrors: Encodable, Equatable, Sendable {
    /// Packets that were not what was asked for, and replies that nobody asked for.
    package var mismatched = 0
    /// Connections that the server ended, or that broke, while they were needed.
    package var closed = 0
    /// Connections that were not made.
    package var connect = 0
    /// Where connections are made anew: requests that went out and were never answered.
    package var lost = 0

    package init() {}
}

/// The load generator itself: one thread.
package struct GeneratorReport: Encodable, Equatable, Sendable {
    package var cpuUserSeconds: Double
    package var cpuSystemSeconds: Double
    /// Of one core, 0 … 1.
    package var utilization: Double
    /// It never slept: how late it was is in the open loop's `lateness`.
    package var busyPolls = false
    /// The figures tell of the generator rather than of the server: see `isBottleneck`.
    package var bottleneck: Bool
    /// Only where connections are what is counted.
    package var cpuMicrosecondsPerConnection: Double?

    /// A thread or a server that computes for this share of the time has nothing left to give.
    static let saturation = 0.95

    /// The generator was busy all the time while the server, if anybody told which one it is, was not. A server of
    /// several shards counts as busy from the first core it fills.
    /// - Parameter server: cores, nil when not known.
    static func isBottleneck(generator: Double, server: Double?) -> Bool {
        generator >= saturation && (server ?? 0) < saturation
    }

    enum CodingKeys: String, CodingKey {
        case cpuUserSeconds = "cpu_user_seconds"
        case cpuSystemSeconds = "cpu_system_seconds"
        case utilization
        case busyPolls = "busy_poll"
        case bottleneck
        case cpuMicrosecondsPerConnection = "cpu_us_per_connection"
    }
}

/// The server's process, all its threads.
package struct ServerReport: Encodable, Equatable, Sendable {
    package var pid: Int32
    package var cpuUserSeconds: Double
    package var cpuSystemSeconds: Double
    /// Exactly one of the two is there.
    package var cpuMicrosecondsPerMessage: Double?
    package var cpuMicrosecondsPerConnection: Double?
    /// Of its processor time, 0 … 1.
    package var userShare: Double
    package var rssBytes: Int

    enum CodingKeys: String, CodingKey {
        case pid
        case cpuUserSeconds = "cpu_user_seconds"
        case cpuSystemSeconds = "cpu_system_seconds"
        case cpuMicrosecondsPerMessage = "cpu_us_per_message"
        case cpuMicrosecondsPerConnection = "cpu_us_per_connection"
        case userShare = "user_share"
        case rssBytes = "rss_bytes"
    }
}

/// How an open loop's schedule was kept.
package struct OpenLoopReport: Encodable, Equatable, Sendable {
    /// The generator's own part of the latencies: how late it woke for what was due, and asked.
    package var lateness: LatencyReport
    /// Messages that were due in the measured time.
    package var intended: Int
    /// Those of them that were never answered; their latency counts as their age when the run ended.
    package var unanswered: Int
    /// The most messages that were ever due and not answered, and the number past which they count as too many.
    package var backlogMax: Int
    package var backlogLimit: Int
    /// The server cannot keep this rate. Nothing was dropped for it: every message stayed due and was counted.
    package var backlogExceeded: Bool

    enum CodingKeys: String, CodingKey {
        case lateness = "lateness_us"
        case intended
        case unanswered
        case backlogMax = "backlog_max"
        case backlogLimit = "backlog_limit"
        case backlogExceeded = "backlog_exceeded"
    }
}

package struct PacketReport: Equatable, Sendable {
    package var address: String
    package var connections: Int
    package var depth: Int
    package var size: Int
    /// Measured.
    package var seconds: Double
    package var rate: Double?
    /// Correct replies that arrived in the measured time.
    package var messages: Int
    package var messagesPerSecond: Double
    /// Of packets, in one direction.
    package var bytesPerSecond: Double
    /// Connections that were made anew; nil: none would have been.
    package var reconnections: Int?
    package var errors: LoadErrors
    package var latency: LatencyReport
    package var openLoop: OpenLoopReport?
    package var generator: GeneratorReport
    package var server: ServerReport?
}

extension PacketReport: Encodable {
    enum CodingKeys: String, CodingKey {
        case kind, address, connections, depth, size, seconds, rate, messages
        case messagesPerSecond = "messages_per_second"
        case bytesPerSecond = "bytes_per_second"
        case reconnections, errors
        case latency = "latency_us"
        case openLoop = "open_loop"
        case generator, server
    }

    /// Written out because what is absent is encoded as null, not left out.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode("packet", forKey: .kind)
        try container.encode(address, forKey: .address)
        try container.encode(connections, forKey: .connections)
        try container.encode(depth, forKey: .depth)
        try container.encode(size, forKey: .size)
        try container.encode(seconds, forKey: .seconds)
        try container.encode(rate, forKey: .rate)
        try container.encode(messages, forKey: .messages)
        try container.encode(messagesPerSecond, forKey: .messagesPerSecond)
        try container.encode(bytesPerSecond, forKey: .bytesPerSecond)
        try container.encode(reconnections, forKey: .reconnections)
        try container.encode(errors, forKey: .errors)
        try container.encode(latency, forKey: .latency)
        try container.encode(openLoop, forKey: .openLoop)
        try container.encode(generator, forKey: .generator)
        try container.encode(server, forKey: .server)
    }
}

package struct ConnectReport: Equatable, Sendable {
    package var address: String
    /// Connections that exchanged a PING for a PONG in the measured time.
    package var connections: Int
    package var concurrency: Int
    /// TLS sessions that were offered to go on from, and how many of them did.
    package var resumptionsOffered: Int
    package var resumed: Int
    package var connectionsPerSecond: Double
    package var seconds: Double
    package var errors: ConnectErrors
    /// From the start of the connect to the PONG.
    package var latency: LatencyReport
    package var generator: GeneratorReport
    package var server: ServerReport?
}

/// As `LoadErrors`, and one more.
package struct ConnectErrors: Encodable, Equatable, Sendable {
    package var mismatched = 0
    package var closed = 0
    package var connect = 0
    /// Connects that found no free port on our side; the generator slowed down for each.
    package var addressUnavailable = 0

    package init() {}

    enum CodingKeys: String, CodingKey {
        case mismatched, closed, connect
        case addressUnavailable = "address_unavailable"
    }
}

extension ConnectReport: Encodable {
    enum CodingKeys: String, CodingKey {
        case kind, address, connections, concurrency
        case connectionsPerSecond = "connections_per_second"
        case resumptionsOffered = "resumptions_offered"
        case resumed
        case seconds, errors
        case latency = "latency_us"
        case generator, server
    }

    /// Written out for the same reason.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode("connect", forKey: .kind)
        try container.encode(address, forKey: .address)
        try container.encode(connections, forKey: .connections)
        try container.encode(concurrency, forKey: .concurrency)
        try container.encode(resumptionsOffered, forKey: .resumptionsOffered)
        try container.encode(resumed, forKey: .resumed)
        try container.encode(connectionsPerSecond, forKey: .connectionsPerSecond)
        try container.encode(seconds, forKey: .seconds)
        try container.encode(errors, forKey: .errors)
        try container.encode(latency, forKey: .latency)
        try container.encode(generator, forKey: .generator)
        try container.encode(server, forKey: .server)
    }
}
