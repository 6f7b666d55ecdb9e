// What a program sees of a connection to an NPRO server: calls that wait for replies. It encodes, posts to the loop and
// waits; it holds no state of the connection.

import ApusReactor
import ApusWire

/// A connection to an NPRO server.
///
/// Any number of tasks may call it at once: their requests leave in the order of the calls, and each gets its own
/// reply. The protocol's packets carry no number, so replies are paired with requests by their order. When the
/// connection ends, every call that waits fails at once with the reason, and so does every later one.
///
///     let client = try await Client.connect(to: "127.0.0.1:9000")
///     let reply = try await client.request(.echo("hello"))
///     try await client.disconnect()
///
/// A client that nobody holds any more is closed.
public final class Client: Sendable {
    /// For a program that imports this module only.
    public typealias Message = ApusWire.Message

    /// As it was given to `connect`.
    public let address: String
    private let configuration: ClientConfiguration
    private let calls: CallQueue<Call>
    private let arrivals: Arrivals
    private let line: Line

    /// Connect to a server.
    /// - Parameter address: `HOST:PORT`, `[IPv6]:PORT` or `unix:PATH`. The addresses of a name are tried one after the
    ///   other.
    public static func connect(
        to address: String, configuration: ClientConfiguration = .init()
    ) async throws(ClientError) -> Client {
        guard !Task.isCancelled else { throw .cancelled }
        let problems = configuration.problems()
        guard problems.isEmpty else { throw .invalidConfiguration(problems) }
        let candidates = try await Resolution.candidates(for: address)
        let opened = Waiter<Void>()
        let client = try Client(address, candidates, configuration, opened)
        try await opened.value()
        return client
    }

    private init(
        _ address: String, _ candidates: [SocketAddress], _ configuration: ClientConfiguration, _ opened: Waiter<Void>
    ) throws(ClientError) {
        let calls = CallQueue<Call>(countMax: configuration.waitingCallsMax)
        let arrivals = Arrivals(byteCountMax: configuration.unreadByteCountMax)
        let opening = Opening(
            address: address, candidates: candidates, timeout: configuration.connectionTimeout, opened: opened,
            security: configuration.security, compression: configuration.compression,
            payloadByteCountMax: configuration.payloadByteCountMax
        ) {
            Conversation(address: address, configuration: configuration, calls: calls, arrivals: arrivals)
        }
        line = try ClientLoop.shared().open(opening)
        (self.address, self.configuration, self.calls, self.arrivals) = (address, configuration, calls, arrivals)
    }

    deinit { close() }

    /// Why the connection ended; nil while it lasts.
    public var endReason: ClientError? { calls.fate }
}

// MARK: Talking

extension Client {
    /// Send a message and wait for its reply.
    ///
    /// Requests beyond the window wait for earlier replies. If the task is cancelled, only its wait ends: the reply,
    /// when it comes, is dropped, and later replies still go to their requests.
    /// - Parameter timeout: how long to wait; `responseTimeout` unless it is given. A shorter one ends this wait,
    ///   while a request that stays unanswered for `responseTimeout` ends the connection, since nobody could tell
    ///   whose the next reply is. Servers do not answer commands they do not know: use a connection of their own for
    ///   doubtful ones.
    public func request(_ message: Message, timeout: Duration? = nil) async throws(ClientError) -> Message {
        let reply = Waiter<Message>()
        let within = timeout ?? configuration.responseTimeout
        try post(.say(try utterance(message, .reply(reply, within: within))))
        return try await reply.value()
    }

    /// Send a message that is not answered, or whose answer is fetched with `receive()`.
    ///
    /// Returns when the message is on its way. While a request waits, the next message is its reply: a connection is
    /// used either with `request`, or with `send` and `receive`.
    public func send(_ message: Message) async throws(ClientError) {
        let sent = Waiter<Void>()
        try post(.say(try utterance(message, .statement(sent))))
        try await sent.value()
    }

    /// The next message that answers no request. The server's pings are answered and never seen.
    public func receive() async throws(ClientError) -> Message { try await arrivals.next() }

    private func utterance(_ message: Message, _ purpose: Utterance.Purpose) throws(ClientError) -> Utterance {
        guard !Task.isCancelled else { throw .cancelled }
        let byteCount = MessageEncoder.byteCount(of: message)
        guard byteCount <= configuration.payloadByteCountMax else {
            throw .tooLarge(byteCount: byteCount, limit: configuration.payloadByteCountMax)
        }
        return Utterance(kind: message.kind, packet: PacketEncoder.encode(message), purpose: purpose)
    }

    private func post(_ call: Call) throws(ClientError) {
        switch calls.post(call) {
        case .first: line.attend()
        case .behind: break
        case .refused(let error): throw error
        }
    }
}

// MARK: Leaving

extension Client {
    /// Wait for every reply that is due, tell the server, and close. Further calls fail from now on.
    ///
    /// Returns when the server has closed its side too.
    public func disconnect() async throws(ClientError) {
        let left = Waiter<Void>()
        do throws(ClientError) {
            try post(.disconnect(left))
        } catch .closed {
            return
        }
        try await left.value()
    }

    /// Close now. Whoever waits gets `closed`.
    public func close() {
        let error = ClientError.closed(address: address)
        guard let refused = calls.end(with: error) else { return }
        for call in refused { call.fail(with: error) }
        line.close()
    }
}
