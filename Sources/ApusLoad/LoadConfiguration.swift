// What a run is told: where, how many, how long. It knows nothing of flags and texts; the command parses those.

import ApusReactor
import ApusSecurity
import ApusWire

/// Echo requests over connections that stay.
package struct PacketLoadConfiguration: Sendable {
    package var address: SocketAddress
    package var connections = 64
    /// Requests a connection keeps outstanding; an open loop does not use it.
    package var depth = 16
    /// ASCII bytes of an Echo's text; its packet has 21 more.
    package var textByteCount = 64
    /// How long is measured, and how long is run before that.
    package var seconds = 10.0
    package var warmupSeconds = 1.0
    /// Messages per second over all connections, sent when due: an open loop. Nil: a closed loop.
    package var rate: Double?
    /// Messages that may be due and unanswered in an open loop before the report says that the server was overrun.
    package var backlogMax = 1_000_000
    /// Ask the kernel again and again instead of sleeping: the generator's own wake-ups are in no latency then, and its
    /// core is busy all the time.
    package var busyPolls = false
    /// How long an open loop waits for the replies that are missing at its end.
    package var drainSeconds = 1.0
    /// A connection that the server ends is made anew, and what it owed a reply for is counted as lost.
    package var reconnects = false
    /// The process whose processor time is read; nil: none is.
    package var serverPID: Int32?
    /// What protects the connections; nil: nothing does.
    package var security: ClientSecurity?
    package var tier = RingTier.newest

    package init(address: SocketAddress) { self.address = address }

    package func validate() throws(LoadError) {
        try require("connections", in: 1...LoadLimits.connections, is: connections)
        try require("depth", in: 1...LoadLimits.depth, is: depth)
        try require("size", in: 0...LoadLimits.textByteCount, is: textByteCount)
        try require("seconds", in: LoadLimits.seconds, is: seconds)
        try require("warmup", in: 0...LoadLimits.seconds.upperBound, is: warmupSeconds)
        try require("drain", in: 0...LoadLimits.seconds.upperBound, is: drainSeconds)
        if let rate { try require("rate", in: LoadLimits.rate, is: rate) }
        let requestByteCount = connections * EchoRequests.packetByteCount(textByteCount: textByteCount)
        guard requestByteCount <= EchoRequests.byteCountMax else {
            throw .tooLarge(requestByteCount: requestByteCount, limit: EchoRequests.byteCountMax)
        }
    }
}

/// Connections that come, exchange one PING for one PONG, and go.
package struct ConnectLoadConfiguration: Sendable {
    package var address: SocketAddress
    /// Connections under way at a time.
    package var concurrency = 64
    package var seconds = 10.0
    package var warmupSeconds = 0.5
    package var serverPID: Int32?
    package var security: ClientSecurity?
    /// TLS: each connection goes on from the session of an earlier one, where there is one.
    package var resumes = false
    package var tier = RingTier.newest

    package init(address: SocketAddress) { self.address = address }

    package func validate() throws(LoadError) {
        try require("concurrency", in: 1...LoadLimits.connections, is: concurrency)
        try require("seconds", in: LoadLimits.seconds, is: seconds)
        try require("warmup", in: 0...LoadLimits.seconds.upperBound, is: warmupSeconds)
    }
}

/// What idle connections speak.
package enum IdleSession: Sendable {
    /// One Echo each.
    case packet
    /// One datagram each, to another peer.
    case relay(RelayAccess)

    var name: String {
        switch self {
        case .packet: "packet"
        case .relay: "relay"
        }
    }
}

/// Connections that exchange one message each and then do nothing.
package struct IdleLoadConfiguration: Sendable {
    package var address: SocketAddress
    package var session = IdleSession.packet
    package var connections = 10_000
    /// Connections at the first reading of the server's memory.
    package var baseline = 200
    /// How long the server is left alone before each reading.
    package var settleSeconds = 1.0
    package var serverPID: Int32
    package var security: ClientSecurity?
    package var tier = RingTier.newest

    package init(address: SocketAddress, serverPID: Int32) {
        self.address = address
        self.serverPID = serverPID
    }

    package func validate() throws(LoadError) {
        try require("connections", in: 2...LoadLimits.connections, is: connections)
        try require("baseline", in: 1...connections - 1, is: baseline)
        try require("settle", in: 0...LoadLimits.seconds.upperBound, is: settleSeconds)
    }
}

enum LoadLimits {
    /// The sources of `SourceAddresses` have ports for four times as many.
    static let connections = 100_000
    static let depth = 65_536
    /// The largest payload less what an Echo adds to its text.
    static let textByteCount = PacketFormat.payloadByteCountMax - MessageEncoder.byteCountOfEcho(textByteCount: 0)
    static let seconds = 0.001...86_400.0
    static let rate = 0.001...100_000_000.0
}

func require<Value: Comparable & Sendable>(
    _ name: String, in range: ClosedRange<Value>, is value: Value
) throws(LoadError) {
    guard range.contains(value) else {
        throw .configuration(name, value: "\(value)", allowed: "\(range.lowerBound) … \(range.upperBound)")
    }
}

extension Nanoseconds {
    /// - Parameter seconds: within `LoadLimits.seconds`, or zero.
    init(seconds: Double) { self = UInt64((seconds * 1e9).rounded()) }

    var seconds: Double { Double(self) / 1e9 }
}
