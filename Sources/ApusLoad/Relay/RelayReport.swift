// What a run over a relay found. The names and units of the encoded form are what scripts read; changing one breaks
// them.

package struct RelayReport: Equatable, Sendable {
    package var address: String
    package var pairs: Int
    /// `one`: the first of a pair sends; `both`: each does.
    package var direction: String
    package var placement: String
    /// Datagrams that a pair keeps on their way.
    package var window: Int
    /// Bytes of a datagram, without the relay's header and the frame's.
    package var size: Int
    /// Measured.
    package var seconds: Double
    package var rate: Double?
    /// Delivered whole in the measured time.
    package var messages: Int
    package var messagesPerSecond: Double
    /// Of frames as clients send them.
    package var bytesPerSecond: Double
    /// Of the whole run, warm-up included: sent = delivered + lost.
    package var sent: Int
    package var delivered: Int
    package var lost: Int
    /// Delivered after they were counted as lost, or once more.
    package var late: Int
    package var errors: LoadErrors
    /// Of those delivered, from when they left, or were due, until they were read.
    package var latency: LatencyReport
    package var openLoop: OpenLoopReport?
    package var generator: GeneratorReport
    package var server: ServerReport?
}

extension RelayReport: Encodable {
    enum CodingKeys: String, CodingKey {
        case kind, address, pairs, direction, placement, window, size, seconds, rate, messages
        case messagesPerSecond = "messages_per_second"
        case bytesPerSecond = "bytes_per_second"
        case sent, delivered, lost, late, errors
        case latency = "latency_us"
        case openLoop = "open_loop"
        case generator, server
    }

    /// Written out because what is absent is encoded as null, not left out.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode("relay", forKey: .kind)
        try encodeRun(into: &container)
        try container.encode(messages, forKey: .messages)
        try container.encode(messagesPerSecond, forKey: .messagesPerSecond)
        try container.encode(bytesPerSecond, forKey: .bytesPerSecond)
        try container.encode(sent, forKey: .sent)
        try container.encode(delivered, forKey: .delivered)
        try container.encode(lost, forKey: .lost)
        try container.encode(late, forKey: .late)
        try container.encode(errors, forKey: .errors)
        try container.encode(latency, forKey: .latency)
        try container.encode(openLoop, forKey: .openLoop)
        try container.encode(generator, forKey: .generator)
        try container.encode(server, forKey: .server)
    }

    /// What was asked for.
    private func encodeRun(into container: inout KeyedEncodingContainer<CodingKeys>) throws {
        try container.encode(address, forKey: .address)
        try container.encode(pairs, forKey: .pairs)
        try container.encode(direction, forKey: .direction)
        try container.encode(placement, forKey: .placement)
        try container.encode(window, forKey: .window)
        try container.encode(size, forKey: .size)
        try container.encode(seconds, forKey: .seconds)
        try container.encode(rate, forKey: .rate)
    }
}
