// Whether connections ended as they should: every reason has to be deserved, and whoever deserves its replies has them.

import ApusReactor
import ApusServer

struct CloseAudit {
    /// By the number of the client's socket.
    fileprivate(set) var reasons: [Int32: CloseReason] = [:]
}

extension Simulation {
    /// What the server does before it knows better: it reacts to what it has been told, and completions take a while.
    private static let slack: Nanoseconds = 400 * .millisecond

    /// A connection is on its way out. Its reason is final, except that a drain's end overrides it.
    func judge(_ connection: Connection, _ client: ModelClient) {
        let known = audit.reasons[connection.descriptor.number]
        guard known != connection.reason else { return }
        if let known, connection.reason != .drainForced {
            kernel.report(.unjustifiedClose, "\(client.name): \(known), then \(connection.reason)")
        }
        audit.reasons[connection.descriptor.number] = connection.reason
        if !isJustified(connection.reason, client) {
            kernel.report(.unjustifiedClose, "\(client.name) closed: \(connection.reason); \(client.script.ending)")
        }
    }

    private func isJustified(_ reason: CloseReason, _ client: ModelClient) -> Bool {
        let configuration = plan.configuration
        switch reason {
        case .peerFinished: return client.hasFinished && !isTruncating(client)
        case .drained: return client.hasFinished && client.isToldToLeave
        case .truncated: return client.hasFinished && isTruncating(client)
        case .disconnect, .wrongMagic, .unsupportedVersion, .oversizePacket, .malformedMessage, .unknownCommand, .handler:
            return client.lastReason == reason
        case .reset: return client.state == .ended(.ownReset)
        case .firstByteTimeout: return isOverdue(client.firstWriteOrNever, client.arrival, configuration.firstByteTimeout)
        case .idleTimeout:
            guard let timeout = configuration.idleTimeout else { return false }
            return kernel.now >= client.latest(client.lastMessage) + Nanoseconds(timeout)
        case .deadPeer: return isDead(client)
        case .stalledWrite: return hasStalled(client)
        case .memoryBudget: return plan.isTight
        case .drainForced: return isForced && !isStopped
        case .stopped: return isForced
        case .oversizeReply, .ioError: return false
        }
    }
}
