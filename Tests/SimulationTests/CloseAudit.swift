// Whether connections ended as they should: every reason has to be deserved, and whoever deserves its replies has them.

import ApusReactor
import ApusServer

struct CloseAudit {
    /// By the number of the client's socket.
    fileprivate(set) var reasons: [Int32: CloseReason] = [:]
}

// MARK: While it happens

extension Simulation {
    /// Completions take a while, so the server may not have seen yet what a client has done just now.
    private static let slack: Nanoseconds = 400 * .millisecond

    /// A connection is on its way out. Its reason is final, except that the end of a drain overrides it.
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
        switch reason {
        // A reset that a send has reported looks like a FIN to the receive.
        case .peerFinished: client.hasReset || client.hasFinished && !client.isTruncating
        case .drained: client.hasReset || client.hasFinished && !client.isTruncating && endedAt != .never
        case .truncated: client.hasReset || client.hasFinished && client.isTruncating
        case .disconnect, .wrongMagic, .unsupportedVersion, .oversizePacket, .malformedMessage, .unknownCommand,
            .handler:
            client.lastReason == reason
        case .reset: client.hasReset
        case .firstByteTimeout: isLateToSpeak(client)
        case .idleTimeout: isIdle(client)
        case .deadPeer: isDead(client)
        case .stalledWrite: hasStalled(client)
        case .memoryBudget: plan.isTight
        case .drainForced: isForced && !isStopped
        case .stopped: isForced
        case .oversizeReply, .ioError: false
        }
    }

    private func isLateToSpeak(_ client: ModelClient) -> Bool {
        let isDue = kernel.now >= client.arrival + Nanoseconds(plan.configuration.firstByteTimeout)
        return isDue && (client.firstWrite == .never || client.firstWrite + Simulation.slack > kernel.now)
    }

    private func isIdle(_ client: ModelClient) -> Bool {
        guard let timeout = plan.configuration.idleTimeout else { return false }
        return kernel.now >= client.lastMessage(before: Instant(nanoseconds: kernel.now.nanoseconds - Simulation.slack)) + Nanoseconds(timeout)
    }

    /// Nothing came from it for four intervals, and it is not one that would have answered a PING.
    private func isDead(_ client: ModelClient) -> Bool {
        guard let interval = plan.configuration.heartbeatInterval else { return false }
        let lastWrite = client.lastWrite == .never ? client.arrival : client.lastWrite
        guard kernel.now >= lastWrite + 4 * Nanoseconds(interval) else { return false }
        let answers = client.manners.isAttentive && client.state == .connected
        return !answers || plan.weather.latencyMax > 2 * .millisecond
    }

    /// It did not read for as long as a send may stand still.
    private func hasStalled(_ client: ModelClient) -> Bool {
        guard let socket = client.socket else { return false }
        var longest = socket.longestUnread
        if !socket.outbound.isEmpty { longest = max(longest, kernel.now - socket.lastRead) }
        return longest + Simulation.slack >= Nanoseconds(plan.configuration.stalledWriteTimeout)
    }
}

// MARK: When it is over

extension Simulation {
    /// Every client has seen an end, and those that had a right to their replies have them.
    func checkClients() {
        for client in clients {
            switch client.state {
            case .waiting, .connected:
                kernel.report(.noProgress, "\(client.name) was left without an end")
            case .ended(.notConnected):
                if endedAt == .never { kernel.report(.noProgress, "\(client.name) found nobody listening") }
            case .ended(.vanished), .ended(.ownReset): break
            case .ended(.finish), .ended(.reset): checkReplies(client)
            }
        }
    }

    private func checkReplies(_ client: ModelClient) {
        guard let socket = client.socket, socket.isAccepted, !socket.isRefused else { return }
        guard let reason = audit.reasons[socket.descriptor.number] else {
            return kernel.report(.unjustifiedClose, "\(client.name) closed without a reason")
        }
        guard isOwedReplies(client, reason) else { return }
        if client.state == .ended(.reset) {
            kernel.report(.resetInsteadOfReplies, "\(client.name), \(reason): \(client.repliesReceived) replies")
        } else if !client.isAnswered {
            let detail = "\(client.repliesReceived) of \(client.repliesDueForWritten) replies"
            kernel.report(.replyMissing, "\(client.name), \(reason): \(detail)")
        }
    }

    private func isOwedReplies(_ client: ModelClient, _ reason: CloseReason) -> Bool {
        if isStopped || plan.isTight || hasStalled(client) { return false }
        switch reason {
        case .peerFinished, .drained, .truncated: return true
        // Whoever still talks to a server that has closed gets a reset; it waits for so long and no longer.
        case .disconnect, .wrongMagic, .unsupportedVersion, .oversizePacket, .malformedMessage, .unknownCommand,
            .handler:
            return client.manners.isPrompt && plan.weather.latencyMax <= 2 * .millisecond
        case .reset, .firstByteTimeout, .idleTimeout, .deadPeer, .stalledWrite, .memoryBudget, .drainForced, .stopped,
            .oversizeReply, .ioError:
            return false
        }
    }
}
