// Why a connection ended, a connection was refused, or something was dropped. Every such event has exactly one reason
// and is counted under it.

import ApusWire

/// The one reason for which a connection was closed.
public enum CloseReason: UInt8, CaseIterable, BitwiseCopyable, Sendable {
    /// The peer finished sending and has all its replies.
    case peerFinished
    /// The peer sent DISCONNECT and has all its replies.
    case disconnect
    /// The peer finished sending in the middle of a packet.
    case truncated
    /// The peer's system reset the connection.
    case reset
    case wrongMagic
    case unsupportedVersion
    case oversizePacket
    case malformedMessage
    case unknownCommand
    case firstByteTimeout
    case idleTimeout
    /// Silent for four heartbeat intervals.
    case deadPeer
    case stalledWrite
    /// The shard's buffers are all in use.
    case memoryBudget
    /// A handler asked for it.
    case handler
    /// A handler wrote a reply that is longer than a packet can be.
    case oversizeReply
    /// The server drained and this peer had all its replies.
    case drained
    /// The server drained and the deadline passed before this peer finished.
    case drainForced
    /// The server was told to stop at once.
    case stopped
    /// The kernel reported an error that has no reason of its own.
    case ioError
    /// No keys were agreed on in time.
    case handshakeTimeout
    /// NPRO's handshake was refused; `ServerMetrics.handshakeRefusals` says why.
    case handshakeRefused
    /// A TLS handshake failed; `ServerMetrics.tlsFailures` says why.
    case tlsHandshake
    /// A TLS connection broke after its handshake; `ServerMetrics.tlsFailures` says why.
    case tlsBroken
    /// A sealed packet was not opened: changed on the way, or sealed with another key.
    case sealTampered
    /// A sealed packet came a second time, or behind a later one.
    case sealReplayed
    /// A packet that we sealed came back to us.
    case sealReflected
    /// A packed payload is malformed, or larger than it may be when it is unpacked.
    case decompression
    /// A packet, or a TLS record, began and did not get on at the least rate.
    case slowRequest
    /// The peer takes its replies, but below the least rate.
    case slowConsumer
    /// More messages that ask for nothing than the budget of a connection.
    case controlFlood
    /// An admin peer sent what is no HTTP request; the response said what is wrong.
    case badRequest
    /// An admin peer's request was not whole in time.
    case requestTimeout
    /// A proxy did not say who its peer is, as its listener expects.
    case proxyViolation
    /// A proxy's peer has as many connections as its address may have, or opens them too fast.
    case addressLimit
    /// A relay's peer did not ask for a WebSocket as it must; the response said what is wrong.
    case upgradeRefused
    /// A relay's peer broke RFC 6455; the close frame said how.
    case webSocketViolation
    /// A relay's peer sent what is no message.
    case relayViolation
    /// A relay's peer was not believed to be one; `RelayCounters.refused` says why.
    case authRefused
    /// Another connection is this peer now.
    case replaced
    /// More was to be told to a peer about others than may wait.
    case newsOverflow

    /// The name in metrics and logs.
    public var label: String {
        switch self {
        case .peerFinished: "peer_finished"
        case .disconnect: "disconnect"
        case .truncated: "truncated"
        case .reset: "reset"
        case .wrongMagic: "wrong_magic"
        case .unsupportedVersion: "unsupported_version"
        case .oversizePacket: "oversize_packet"
        case .malformedMessage: "malformed_message"
        case .unknownCommand: "unknown_command"
        case .firstByteTimeout: "first_byte_timeout"
        case .idleTimeout: "idle_timeout"
        case .deadPeer: "dead_peer"
        case .stalledWrite: "stalled_write"
        case .memoryBudget: "memory_budget"
        case .handler: "handler"
        case .oversizeReply: "oversize_reply"
        case .drained: "drained"
        case .drainForced: "drain_forced"
        case .stopped: "stopped"
        case .ioError: "io_error"
        case .handshakeTimeout: "handshake_timeout"
        case .handshakeRefused: "handshake_refused"
        case .tlsHandshake: "tls_handshake"
        case .tlsBroken: "tls_broken"
        case .sealTampered: "seal_tampered"
        case .sealReplayed: "seal_replayed"
        case .sealReflected: "seal_reflected"
        case .decompression: "decompression"
        case .slowRequest: "slow_request"
        case .slowConsumer: "slow_consumer"
        case .controlFlood: "control_flood"
        case .badRequest: "bad_request"
        case .requestTimeout: "request_timeout"
        case .proxyViolation: "proxy_violation"
        case .addressLimit: "address_limit"
        case .upgradeRefused: "upgrade_refused"
        case .webSocketViolation: "websocket_violation"
        case .relayViolation: "relay_violation"
        case .authRefused: "auth_refused"
        case .replaced: "replaced"
        case .newsOverflow: "news_overflow"
        }
    }

    init(_ violation: PacketViolation) {
        self = switch violation {
        case .magic: .wrongMagic
        case .version: .unsupportedVersion
        case .oversize: .oversizePacket
        }
    }
}

/// Why an accepted connection was closed before it became one.
public enum RefusalReason: UInt8, CaseIterable, BitwiseCopyable, Sendable {
    case connectionLimit
    case draining
    /// The kernel could not accept, since no descriptor or no memory was left: the connection waits in the backlog.
    case noDescriptor
    /// The peer was gone before it was accepted.
    case aborted
    /// The lane to the shard it was to go to was full.
    case laneFull
    /// The kernel reported an error that has no reason of its own; accepting pauses.
    case failed
    /// As many connections as may be are without keys.
    case handshakeLimit
    /// No TLS session could be made.
    case noSession
    /// Its address opens connections faster than one may.
    case addressRate
    /// Its address has as many connections as one may.
    case addressLimit

    public var label: String {
        switch self {
        case .connectionLimit: "connection_limit"
        case .draining: "draining"
        case .noDescriptor: "no_descriptor"
        case .aborted: "aborted"
        case .laneFull: "lane_full"
        case .failed: "failed"
        case .handshakeLimit: "handshake_limit"
        case .noSession: "no_session"
        case .addressRate: "address_rate"
        case .addressLimit: "address_limit"
        }
    }
}

/// Why something that was to be delivered was not.
public enum DropReason: UInt8, CaseIterable, BitwiseCopyable, Sendable {
    /// An asynchronous reply whose connection is gone.
    case replyForGoneConnection
    /// A push to a connection that is gone or closing.
    case pushForGoneConnection
    /// A push to another shard whose lane was full.
    case pushLaneFull
    /// A push to a connection that has as much waiting as it may.
    case pushOutstandingLimit
    /// A push to a connection that has no keys yet.
    case pushForUnestablished
    /// A push that is longer than a packet can be, or than the lane to its shard takes.
    case pushTooLarge
    /// A push or reply for which no buffer was left.
    case memoryBudget
    /// An asynchronous handler threw.
    case handlerError
    /// A message for which nothing is registered.
    case unknownCommand
    /// A relayed message for a peer that is not here.
    case unknownPeer
    /// One whose peer is on another shard, the lane to which was full.
    case peerLaneFull
    /// One that came to where its peer had been, and was posted on already or had nowhere to go.
    case peerMoved
    /// One that waited for a peer that has left.
    case peerGone
    /// One that waited for a slow peer: it made room for a later one, for one of the same shard, or grew too old.
    case peerBacklogFull
    case relayBudget
    case peerBacklogAged

    public var label: String {
        switch self {
        case .replyForGoneConnection: "reply_for_gone_connection"
        case .pushForGoneConnection: "push_for_gone_connection"
        case .pushLaneFull: "push_lane_full"
        case .pushOutstandingLimit: "push_outstanding_limit"
        case .pushForUnestablished: "push_for_unestablished"
        case .pushTooLarge: "push_too_large"
        case .memoryBudget: "memory_budget"
        case .handlerError: "handler_error"
        case .unknownCommand: "unknown_command"
        case .unknownPeer: "unknown_peer"
        case .peerLaneFull: "peer_lane_full"
        case .peerMoved: "peer_moved"
        case .peerGone: "peer_gone"
        case .peerBacklogFull: "peer_backlog_full"
        case .relayBudget: "relay_budget"
        case .peerBacklogAged: "peer_backlog_aged"
        }
    }
}
