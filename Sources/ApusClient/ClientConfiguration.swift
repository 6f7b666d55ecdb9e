// What a client may be told. The defaults fit the servers that speak NPRO today.

import ApusCompression
import ApusSecurity
import ApusWire

public struct ClientConfiguration: Sendable {
    /// What protects the connection; nil: nothing does. The server must be asked for the same.
    public var security: ClientSecurity?
    /// How payloads are packed where the handshake agrees on it; `security` must be a handshake.
    public var compression = CompressionSettings()
    /// From `connect` to a connection with its keys, over all addresses of a name.
    public var connectionTimeout: Duration = .seconds(5)
    /// From a request to its reply.
    ///
    /// Replies carry no number, so after a request that got none, nobody can tell whose the next reply is: the
    /// connection is then closed.
    public var responseTimeout: Duration = .seconds(30)
    /// For what has no reply: from DISCONNECT to the server's end of the connection.
    public var operationTimeout: Duration = .seconds(5)
    /// Ping the server when nothing was sent or received for so long; a server silent for four intervals is given up.
    /// Nil: no pings, and no one notices a server that is gone without a word until a request times out.
    public var heartbeatInterval: Duration? = .seconds(15)
    /// Requests that may be unanswered at once; further ones wait here. The first NPRO daemon can lock up beyond 66
    /// unanswered messages, and up to four heartbeats count besides; what `send` says does too, and has no window.
    public var requestWindow: Int = 60
    /// Calls that may wait for the window; one more fails with `overloaded`.
    public var waitingCallsMax: Int = 16_384
    /// Bytes of messages that nobody has received yet; more end the connection. One message is always admitted.
    public var unreadByteCountMax: Int = 32 << 20
    /// The longest payload that is sent, or accepted from the server.
    public var payloadByteCountMax: Int = PacketFormat.payloadByteCountMax

    public init() {}

    /// Every mistake in the configuration, in words; empty when there is none.
    public func problems() -> [String] {
        var problems: [String] = []
        func require(_ holds: Bool, _ problem: @autoclosure () -> String) { if !holds { problems.append(problem()) } }
        require((1...4096).contains(requestWindow), "requestWindow: 1 to 4096, found \(requestWindow)")
        require(waitingCallsMax >= 1, "waitingCallsMax: at least 1, found \(waitingCallsMax)")
        require(unreadByteCountMax >= 0, "unreadByteCountMax: not negative, found \(unreadByteCountMax)")
        require(
            (1...PacketFormat.payloadByteCountMax).contains(payloadByteCountMax),
            "payloadByteCountMax: 1 to \(PacketFormat.payloadByteCountMax), found \(payloadByteCountMax)")
        problems += securityProblems
        let sensible = Duration.milliseconds(1)...Duration.seconds(86_400)
        for (name, duration) in durations where !sensible.contains(duration) {
            problems.append("\(name): 1 ms to 1 day, found \(duration)")
        }
        return problems
    }

    private var securityProblems: [String] {
        switch security {
        case .handshake(var settings):
            settings.compression = compression.algorithms.map(\.rawValue)
            return settings.problems() + compression.problems()
        case .tls(let material) where material.settings.role != .client:
            return ["security: the TLS material is a server's"]
        case .tls, nil:
            guard !compression.algorithms.isEmpty else { return [] }
            return ["compression: agreed on in NPRO's handshake only: use it, or leave compression out"]
        }
    }

    private var durations: [(String, Duration)] {
        [
            ("connectionTimeout", connectionTimeout), ("responseTimeout", responseTimeout),
            ("operationTimeout", operationTimeout),
            ("heartbeatInterval", heartbeatInterval ?? .seconds(1)),
        ]
    }
}
