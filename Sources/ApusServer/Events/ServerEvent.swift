// What happens in a server, for those who write it down: logs, audits, alarms. A value that holds no secret and no byte
// of what peers send, but the ids of a relay's peers: reasons, counts, names of listeners, addresses.

import ApusSecurity
import ApusWire

public struct ServerEvent: Sendable {
    public let kind: Kind
    /// Microseconds since 1970, UTC.
    public let wallMicroseconds: UInt64
    /// The shard it happened in; nil for the server as a whole.
    public let shard: Int?
    /// The listener's name, where there is one.
    public let listener: String?
    /// The same for all events of one connection.
    public let connection: ConnectionToken?
    /// `HOST:PORT`, or `unix:`; nil when nobody knows it any more.
    public let peer: String?

    public var severity: Severity { kind.severity }

    /// The connection as a log names it.
    public var connectionText: String? { connection.map { "\($0.shard)-\($0.slot)-\($0.generation)" } }

    /// How much an operator should care.
    public enum Severity: UInt8, CaseIterable, Comparable, Sendable {
        case debug, info, notice, warning, error

        public static func < (left: Severity, right: Severity) -> Bool { left.rawValue < right.rawValue }
    }

    public enum Kind: Equatable, BitwiseCopyable, Sendable {
        /// A listener accepts connections.
        case listening
        /// A connection was accepted.
        case opened
        /// A protected connection has its keys.
        case established
        /// A connection is gone: the one reason, the bytes of the wire in each direction, and how long it lasted.
        case closed(CloseReason, receivedByteCount: UInt64, sentByteCount: UInt64, milliseconds: UInt64)
        /// A connection was closed before it became one.
        case refused(RefusalReason)
        case handshakeRefused(HandshakeRefusal)
        case tlsFailed(TLSFailure)
        /// A listener behind a proxy was sent no PROXY header.
        case proxyRefused(ProxyViolation)
        /// A relay's peer did not log in: its first message is none, or its token is not believed. Whoever does not get
        /// that far in time is counted, and its `closed` says so.
        case relayRefused(RelayRefusal)
        /// This id of the relay is taken over again and again: two clients may have the same key. The event's
        /// connection is the one that took it over last; its address is known where that connection is of the id's
        /// home shard, or openings are told.
        case relayFlapping(PeerID)
        /// The kernel could not accept; the listener tries again soon.
        case acceptPaused(RefusalReason, errno: Int32)
        case acceptResumed
        /// Receives found no free buffer and were armed again.
        case starved
        /// An asynchronous handler threw; its request stays unanswered.
        case handlerFailed
        case certificateReplaced
        /// Short of memory: the old certificate stays.
        case certificateKept
        case reloadApplied(added: Int32, removed: Int32, changed: Int32)
        case reloadRefused
        /// The server ends: no connection is accepted any more.
        case drainBegun(connections: Int)
        /// The deadline passed, and this shard cut so many connections off.
        case drainForced(connections: Int)
        case ended(forced: Int)
        /// So many of one kind in the last second, beyond those that were told one by one.
        case heldBack(Name, count: UInt64)
        /// So many found no room on their way here.
        case lost(count: UInt64)
    }

    /// A kind without its particulars.
    public enum Name: UInt8, CaseIterable, BitwiseCopyable, Sendable {
        case listening, opened, established, closed, refused, handshakeRefused, tlsFailed, acceptPaused, acceptResumed
        case starved, handlerFailed, certificateReplaced, certificateKept, reloadApplied, reloadRefused, drainBegun
        case drainForced, ended, heldBack, lost, relayRefused, relayFlapping
        case proxyRefused
    }
}

extension ServerEvent.Kind {
    public var name: ServerEvent.Name {
        switch self {
        case .listening: .listening
        case .opened: .opened
        case .established: .established
        case .closed: .closed
        case .refused: .refused
        case .handshakeRefused: .handshakeRefused
        case .tlsFailed: .tlsFailed
        case .relayRefused: .relayRefused
        case .proxyRefused: .proxyRefused
        case .relayFlapping: .relayFlapping
        case .acceptPaused: .acceptPaused
        case .acceptResumed: .acceptResumed
        case .starved: .starved
        case .handlerFailed: .handlerFailed
        case .certificateReplaced: .certificateReplaced
        case .certificateKept: .certificateKept
        case .reloadApplied: .reloadApplied
        case .reloadRefused: .reloadRefused
        case .drainBegun: .drainBegun
        case .drainForced: .drainForced
        case .ended: .ended
        case .heldBack: .heldBack
        case .lost: .lost
        }
    }

    public var severity: ServerEvent.Severity {
        switch self {
        case .opened, .established: .debug
        case .closed(let reason, _, _, _): reason.severity
        case .refused(let reason): reason == .aborted ? .debug : .warning
        case .tlsFailed, .starved, .listening: .info
        case .acceptResumed, .certificateReplaced, .reloadApplied, .drainBegun: .notice
        case .handshakeRefused, .proxyRefused, .relayRefused, .relayFlapping, .acceptPaused, .reloadRefused,
            .drainForced, .heldBack, .lost:
            .warning
        case .ended(let forced): forced == 0 ? .notice : .warning
        case .handlerFailed, .certificateKept: .error
        }
    }
}

extension ServerEvent.Name {
    /// The words of a log's message.
    public var words: StaticString {
        switch self {
        case .listening: "listening"
        case .opened: "connection opened"
        case .established: "connection established"
        case .closed: "connection closed"
        case .refused: "connection refused"
        case .handshakeRefused: "handshake refused"
        case .tlsFailed: "TLS failed"
        case .relayRefused: "relay login refused"
        case .proxyRefused: "no PROXY header"
        case .relayFlapping: "a peer id flaps"
        case .acceptPaused: "accepting paused"
        case .acceptResumed: "accepting resumed"
        case .starved: "receive buffers ran out"
        case .handlerFailed: "handler failed"
        case .certificateReplaced: "certificate replaced"
        case .certificateKept: "certificate not replaced"
        case .reloadApplied: "reload applied"
        case .reloadRefused: "reload refused"
        case .drainBegun: "draining"
        case .drainForced: "connections cut off"
        case .ended: "ended"
        case .heldBack: "events held back"
        case .lost: "events lost"
        }
    }
}

extension CloseReason {
    /// What ends as it should is for those who look; a peer that breaks the protocol, or is too slow, happens on every
    /// open port; one that tampers does not.
    var severity: ServerEvent.Severity {
        switch self {
        case .peerFinished, .disconnect, .handler, .drained, .stopped, .idleTimeout, .reset, .tlsHandshake,
            .handshakeRefused, .upgradeRefused, .authRefused, .replaced:
            .debug
        case .truncated, .wrongMagic, .unsupportedVersion, .oversizePacket, .malformedMessage, .unknownCommand,
            .firstByteTimeout, .deadPeer, .stalledWrite, .handshakeTimeout, .tlsBroken, .drainForced, .slowRequest,
            .slowConsumer, .controlFlood, .badRequest, .requestTimeout, .webSocketViolation, .relayViolation,
            .proxyViolation, .addressLimit:
            .info
        case .memoryBudget, .newsOverflow, .oversizeReply, .ioError, .sealTampered, .sealReplayed, .sealReflected,
            .decompression:
            .warning
        }
    }
}
