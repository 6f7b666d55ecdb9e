// Everything that can go wrong with a client, in one type. Each description says what, where, and what to do.

import ApusWire

public enum ClientError: Error, Equatable, Sendable {
    /// The address could not be read.
    case invalidAddress(String, reason: String)
    case invalidConfiguration([String])
    /// Nobody listens there.
    case connectionRefused(address: String)
    /// The kernel or the network would not connect, for the reason given.
    case cannotConnect(address: String, reason: String)
    case timeout(Wait, after: Duration, address: String)
    /// The server finished the connection, or announced that it leaves.
    case closedByServer(address: String)
    /// The connection broke.
    case connectionLost(address: String)
    /// Nothing came from the server for four heartbeat intervals.
    case unresponsive(address: String, silentFor: Duration)
    /// The server sent what is no packet or no message.
    case violation(ServerViolation, address: String)
    /// The connection could not be protected, or is not any more, for the reason given.
    case insecure(reason: String, address: String)
    /// The message was not sent: the peer would only close.
    case tooLarge(byteCount: Int, limit: Int)
    /// Too many calls wait for their turn.
    case overloaded(limit: Int)
    /// The server sent more than anybody has received.
    case unreadMessages(byteCount: Int, limit: Int)
    /// This side closed the connection.
    case closed(address: String)
    /// The calling task was cancelled.
    case cancelled
    /// This process has as many clients as it can have.
    case tooManyClients(limit: Int)
    /// There is no io_uring to run on, for the reason given.
    case hostNotFit(String)

    /// What was waited for.
    public enum Wait: Equatable, Sendable {
        case connection
        case reply(to: MessageKind)
        /// A reply to a request that was made before this one; its loss ended the connection.
        case earlierReply
        case message
        /// The server's end of the connection, after DISCONNECT.
        case goodbye
    }

    public enum ServerViolation: Error, Equatable, Sendable {
        case packet(PacketViolation)
        case message(MessageViolation)
        /// The stream ended inside a packet.
        case truncatedPacket
    }
}

extension ClientError {
    /// The connection has ended, in whatever way, and nothing else went wrong.
    var isEndOfConnection: Bool {
        switch self {
        case .closedByServer, .connectionLost, .closed: true
        case .invalidAddress, .invalidConfiguration, .connectionRefused, .cannotConnect, .timeout, .unresponsive,
            .violation, .insecure, .tooLarge, .overloaded, .unreadMessages, .cancelled, .tooManyClients, .hostNotFit:
            false
        }
    }
}

extension ClientError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .invalidAddress(let text, let reason): "\(text) is no address to connect to: \(reason)"
        case .invalidConfiguration(let problems):
            "The client's configuration is invalid: \(problems.joined(separator: "; "))."
        case .connectionRefused(let address):
            "\(address) refused the connection: nobody listens there; start the server or correct the address."
        case .cannotConnect(let address, let reason): "Cannot connect to \(address): \(reason)"
        case .timeout(let wait, let after, let address): wait.describe(after, address)
        case .closedByServer(let address):
            "\(address) closed the connection: the server stops, or has refused what it was sent; connect again."
        case .connectionLost(let address):
            "The connection to \(address) broke: the server or the network between went away; connect again."
        case .unresponsive(let address, let duration):
            "\(address) sent nothing for \(duration), not even answers to pings: its host or the network is gone; "
                + "connect again."
        case .violation(let violation, let address): "\(address) does not speak the protocol: \(violation)."
        case .insecure(let reason, let address): "The connection to \(address) is not secure: \(reason)."
        case .tooLarge(let byteCount, let limit):
            "The message takes \(byteCount) bytes and a payload at most \(limit): send it in parts."
        case .overloaded(let limit):
            "\(limit) calls wait for earlier replies already: make fewer at once, or use more connections."
        case .unreadMessages(let byteCount, let limit):
            "\(byteCount) bytes of messages were not received, \(limit) may be: call receive(), or request() for "
                + "replies."
        case .closed(let address): "The connection to \(address) was closed by this side: connect again."
        case .cancelled: "The task that waited was cancelled."
        case .tooManyClients(let limit): "\(limit) clients are open in this process: close some, or share them."
        case .hostNotFit(let reason): reason
        }
    }
}

extension ClientError.Wait {
    fileprivate func describe(_ duration: Duration, _ address: String) -> String {
        switch self {
        case .connection:
            "\(address) did not answer within \(duration): correct the address, or look at the firewall between."
        case .reply(let kind):
            "\(address) did not answer \(kind) within \(duration): servers are silent about a command they do not "
                + "know; check its name, or wait longer."
        case .earlierReply:
            "\(address) left an earlier request unanswered for \(duration), and replies carry no number: the "
                + "connection was closed; connect again."
        case .message: "\(address) sent no message within \(duration)."
        case .goodbye: "\(address) did not finish the connection within \(duration) of DISCONNECT; it was closed."
        }
    }
}

extension ClientError.ServerViolation: CustomStringConvertible {
    public var description: String {
        switch self {
        case .packet(let violation): violation.description
        case .message(let violation): violation.description
        case .truncatedPacket: "the stream ended inside a packet"
        }
    }
}
