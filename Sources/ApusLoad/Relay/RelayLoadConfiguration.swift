// What a run over a relay is told. It knows nothing of flags and texts; the command parses those.

import ApusWire

/// Pairs of peers that send each other datagrams.
package struct RelayLoadConfiguration: Sendable {
    package var access: RelayAccess
    package var pairs = 16
    /// Bytes of a datagram, without the relay's header; the first 16 are its number and its departure.
    package var datagramByteCount = 1200
    /// Datagrams that a pair keeps on their way, of both directions together; an open loop does not use it.
    package var window = 64
    /// Datagrams per second over all pairs, sent when due: an open loop. Nil: a closed loop.
    package var rate: Double?
    /// Each peer of a pair sends; otherwise the first of them does, and the second only receives. In a closed loop a
    /// peer that receives sends the next.
    package var sendsBothWays = false
    /// As `PacketLoadConfiguration.busyPolls`.
    package var busyPolls = false
    package var placement = RelayPlacement.any
    package var seconds = 10.0
    package var warmupSeconds = 1.0
    /// How long is waited at the end for what is still on its way; what then is missing is lost.
    package var drainSeconds = 1.0
    /// Datagrams that may be due and not delivered before the report says that the relay was overrun.
    package var backlogMax = 1_000_000
    package var serverPID: Int32?

    package init(access: RelayAccess) { self.access = access }

    /// Pairs, or directions where both send.
    var flows: Int { sendsBothWays ? 2 * pairs : pairs }

    package func validate() throws(LoadError) {
        try access.validate()
        try require("pairs", in: 1...LoadLimits.connections / 2, is: pairs)
        let sizes = RelayDatagram.byteCountMin...RelayFormat.datagramByteCountMax
        try require("size", in: sizes, is: datagramByteCount)
        try require("window", in: 1...LoadLimits.depth, is: window)
        try require("seconds", in: LoadLimits.seconds, is: seconds)
        try require("warmup", in: 0...LoadLimits.seconds.upperBound, is: warmupSeconds)
        try require("drain", in: 0...LoadLimits.seconds.upperBound, is: drainSeconds)
        if let rate { try require("rate", in: LoadLimits.rate, is: rate) }
        guard placement == .any || serverPID != nil else {
            throw .configuration("server-pid", value: "nothing", allowed: "given, for the shards' threads are its own")
        }
    }
}

/// Peers that log in and go, as somebody else each time.
package struct RelayLoginConfiguration: Sendable {
    package var access: RelayAccess
    /// Logins under way at a time.
    package var concurrency = 64
    package var seconds = 10.0
    package var warmupSeconds = 0.5
    package var serverPID: Int32?

    package init(access: RelayAccess) { self.access = access }

    package func validate() throws(LoadError) {
        try access.validate()
        try require("concurrency", in: 1...LoadLimits.connections, is: concurrency)
        try require("seconds", in: LoadLimits.seconds, is: seconds)
        try require("warmup", in: 0...LoadLimits.seconds.upperBound, is: warmupSeconds)
    }
}
