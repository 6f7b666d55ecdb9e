// What a reload did, by the names that configuration uses.

public struct ServerReload: Equatable, Sendable {
    /// Listeners, by name.
    public var added: [String] = []
    /// They accept no more; their connections go on under their old settings until they end.
    public var removed: [String] = []
    /// They have another address, session, security or socket options, or a PROXY header before everything or none, for
    /// connections that begin from now on.
    public var changed: [String] = []
    /// Other settings that hold now.
    public var applied: [String] = []
    /// Settings that stay as they are until the server starts anew.
    public var needsRestart: [String] = []

    public init() {}

    /// Nothing was different.
    public var isEmpty: Bool { self == ServerReload() }
}

extension ServerConfiguration {
    /// Settings besides the listeners that differ, by name.
    func differences(from other: ServerConfiguration) -> [String] {
        var names: [String] = []
        func compare<Value: Equatable>(_ name: String, _ path: KeyPath<ServerConfiguration, Value>) {
            if self[keyPath: path] != other[keyPath: path] { names.append(name) }
        }
        compare("max_connections", \.maxConnections)
        compare("first_byte_timeout", \.firstByteTimeout)
        compare("handshake_timeout", \.handshakeTimeout)
        compare("max_handshakes_at_once", \.handshakesAtOncePerShard)
        compare("max_handshake_rate", \.handshakesPerSecondMax)
        compare("stalled_write_timeout", \.stalledWriteTimeout)
        compare("slow_peer_grace", \.slowPeerGrace)
        compare("min_peer_rate", \.peerByteRateMin)
        compare("max_control_rate", \.controlRateMax)
        compare("address_limits", \.addressLimits)
        compare("idle_timeout", \.idleTimeout)
        compare("heartbeat_interval", \.heartbeatInterval)
        compare("backpressure_limit", \.backpressureLimit)
        compare("max_outstanding_bytes", \.outstandingByteCountMax)
        compare("max_payload_size", \.payloadByteCountMax)
        compare("unknown_command", \.unknownCommand)
        compare("shutdown_timeout", \.shutdownTimeout)
        return names
    }
}

extension ListenerConfiguration {
    /// No other listener can have the address it asks for.
    var takesAnyPort: Bool { !address.hasPrefix("unix:") && address.hasSuffix(":0") }

    func hasSameOptions(as other: ListenerConfiguration) -> Bool {
        sendBufferByteCount == other.sendBufferByteCount && notSentByteCountMax == other.notSentByteCountMax
            && userTimeout == other.userTimeout
    }
}
