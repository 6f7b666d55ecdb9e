// A server's events as log records: one message a kind, so that repeats are counted, and what differs in the
// metadata. It runs on the events' own thread.

import ApusLogging
import ApusServer
import Logging

struct ServerEventLog: ServerEventSink {
    static let label = "apus.server"

    private let logs: Logs
    private let peerLevel: Logger.Level

    /// - Parameter peerLevel: peers' addresses appear in records only while this level is written: `.info` shows them
    ///   in any ordinary log, `.debug` only to somebody who looks, and `.critical` always.
    init(_ logs: Logs, peerLevel: Logger.Level = .info) {
        self.logs = logs
        self.peerLevel = peerLevel
    }

    private var level: Logger.Level { logs.levels.level(of: ServerEventLog.label) }

    var severityMin: ServerEvent.Severity? {
        switch level {
        case .trace, .debug: .debug
        case .info: .info
        case .notice: .notice
        case .warning: .warning
        case .error: .error
        case .critical: nil
        }
    }

    func receive(_ event: ServerEvent) {
        logs.log(
            event.severity.level, label: ServerEventLog.label, event.message, metadata: metadata(of: event),
            wallMicroseconds: event.wallMicroseconds)
    }

    private func metadata(of event: ServerEvent) -> Logger.Metadata {
        var metadata = event.kind.metadata
        if let listener = event.listener { metadata["listener"] = .string(listener) }
        if let shard = event.shard { metadata["loop"] = .stringConvertible(shard) }
        if let connection = event.connectionText { metadata["connection"] = .string(connection) }
        if let peer = event.peer, level <= peerLevel { metadata["peer"] = .string(peer) }
        return metadata
    }
}

extension ServerEvent {
    fileprivate var message: String {
        if case .heldBack(let name, _) = kind { return "\(name.words): more were held back" }
        return "\(kind.name.words)"
    }
}

extension ServerEvent.Severity {
    fileprivate var level: Logger.Level {
        switch self {
        case .debug: .debug
        case .info: .info
        case .notice: .notice
        case .warning: .warning
        case .error: .error
        }
    }
}

extension ServerEvent.Kind {
    /// Reasons, counts and the system's errors: nothing that a peer has written, but the id of a relay's peer in digits
    /// of ours.
    fileprivate var metadata: Logger.Metadata {
        switch self {
        case .listening, .opened, .established, .acceptResumed, .starved, .handlerFailed, .certificateReplaced,
            .certificateKept, .reloadRefused:
            [:]
        case .closed(let reason, let received, let sent, let milliseconds):
            [
                "reason": .string(reason.label), "received_bytes": .stringConvertible(received),
                "sent_bytes": .stringConvertible(sent), "milliseconds": .stringConvertible(milliseconds),
            ]
        case .refused(let reason): ["reason": .string(reason.label)]
        case .proxyRefused(let violation): ["advice": "\(violation)"]
        case .relayFlapping(let id):
            ["peer_id": "\(id)", "advice": "two hosts may have one key: look for it on both"]
        case .relayRefused(let refusal): ["reason": .string(refusal.label), "advice": "\(refusal)"]
        case .handshakeRefused(let refusal): ["reason": .string(refusal.label), "advice": "\(refusal)"]
        case .tlsFailed(let failure): ["reason": "\(failure.label)", "advice": "\(failure)"]
        case .acceptPaused(let reason, let errno):
            ["reason": .string(reason.label), "errno": .stringConvertible(errno), "advice": .string(advice(reason))]
        case .reloadApplied(let added, let removed, let changed):
            [
                "added": .stringConvertible(added), "removed": .stringConvertible(removed),
                "changed": .stringConvertible(changed),
            ]
        case .drainBegun(let connections), .drainForced(let connections):
            ["connections": .stringConvertible(connections)]
        case .ended(let forced): ["forced": .stringConvertible(forced)]
        case .heldBack(_, let count), .lost(let count): ["count": .stringConvertible(count)]
        }
    }

    private func advice(_ reason: RefusalReason) -> String {
        reason == .noDescriptor
            ? "no descriptor or no memory is left: raise the nofile limit, or lower max_connections"
            : "the kernel could not accept; it is tried again"
    }
}
