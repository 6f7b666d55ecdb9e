// Whether connections ended as they should: every reason has to be deserved, and whoever deserves its replies has them.

import ApusReactor
import ApusServer

struct CloseAudit {
    /// By descriptor, which no two connections of a run share.
    fileprivate(set) var reasons: [Int32: CloseReason] = [:]
    /// Connections whose last replies were cut off by right.
    fileprivate var cut: Set<Int32> = []
    /// Connections that had not begun to close when the last turn ended, and those counted as forced by then.
    fileprivate var unfinishedCount = 0
    fileprivate var forcedCount = 0
    fileprivate var acceptedCount = 0

    /// - Returns: the reason that was known before.
    mutating func note(_ reason: CloseReason, of descriptor: Descriptor) -> CloseReason? {
        reasons.updateValue(reason, forKey: descriptor.number)
    }
}

// MARK: While it happens

extension Simulation {
    /// A connection is on its way out, for one reason.
    func judge(_ connection: Connection, _ client: ModelClient) {
        if isForced, connection.phase == .finishing || connection.phase == .closing {
            audit.cut.insert(connection.descriptor.number)
        }
        let known = audit.note(connection.reason, of: connection.descriptor)
        if known == connection.reason { return }
        if let known { kernel.report(.unjustifiedClose, "\(client.name): \(known), then \(connection.reason)") }
        if !isJustified(connection.reason, client) {
            kernel.report(.unjustifiedClose, "\(client.name), which \(client.script.ending): \(connection.reason)")
        }
    }

    /// Connections are forced at one moment, each once.
    func checkForced() {
        let accepted = Int(state.pointee.counters.accepted.count)
        let (before, now) = (audit.forcedCount, shared.forcedCount)
        let most = audit.unfinishedCount + accepted - audit.acceptedCount
        if now != before, before > 0 || !isForced || now > most {
            kernel.report(.countersDisagree, "forced \(before), then \(now) of \(most) connections")
        }
        (audit.forcedCount, audit.acceptedCount, audit.unfinishedCount) = (now, accepted, 0)
        forEachConnection { _, connection in
            if connection.phase == .open || connection.phase == .finishing { audit.unfinishedCount += 1 }
        }
    }

    private func isJustified(_ reason: CloseReason, _ client: ModelClient) -> Bool {
        switch reason {
        // A reset that a send has reported looks like a FIN to the receive.
        case .peerFinished: client.hasReset || client.hasFinished && !client.isTruncating
        case .drained: client.hasReset || client.hasFinished && !client.isTruncating && ended != .never
        case .truncated: client.hasReset || client.hasFinished && client.isTruncating
        case .disconnect, .wrongMagic, .unsupportedVersion, .oversizePacket, .malformedMessage, .unknownCommand,
            .handler, .oversizeReply:
            client.lastReason == reason
        case .reset: client.hasReset
        case .firstByteTimeout: client.isLateToSpeak(plan.configuration)
        case .idleTimeout: isIdle(client)
        case .deadPeer: isDead(client)
        case .stalledWrite: client.hasStalled(plan.configuration)
        case .memoryBudget: plan.isTight
        case .drainForced: isForced && !isStopped
        case .stopped: isForced
        case .slowRequest: client.isDribbling(plan.configuration)
        case .slowConsumer: client.isSlow(plan.configuration)
        // The model's connections are plain, and short of words.
        case .controlFlood, .ioError, .handshakeTimeout, .handshakeRefused, .tlsHandshake, .tlsBroken, .sealTampered,
            .sealReplayed, .sealReflected, .decompression, .badRequest, .requestTimeout, .upgradeRefused,
            .webSocketViolation, .relayViolation, .authRefused, .replaced, .newsOverflow,
            .proxyViolation, .addressLimit:
            false
        }
    }

    private func isIdle(_ client: ModelClient) -> Bool {
        guard let timeout = plan.configuration.idleTimeout else { return false }
        let seen = Instant(nanoseconds: kernel.now.nanoseconds - SimulatedClient.slack)
        let lastMessage = client.speech.lastMessage(before: seen) ?? client.arrival
        return kernel.now >= lastMessage + Nanoseconds(timeout)
    }

    /// Nothing came from it for four intervals, and it is not one that would have answered a PING.
    private func isDead(_ client: ModelClient) -> Bool {
        guard let interval = plan.configuration.heartbeatInterval else { return false }
        let lastWrite = client.speech.lastWrite == .never ? client.arrival : client.speech.lastWrite
        guard kernel.now >= lastWrite + 4 * Nanoseconds(interval) else { return false }
        return !client.manners.isAttentive || client.state != .connected
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
                if ended == .never { kernel.report(.noProgress, "\(client.name) found nobody listening") }
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
        guard !audit.cut.contains(socket.descriptor.number), isOwedReplies(client, reason) else { return }
        let detail = "\(client.name), \(reason): \(client.hearing.replyCount) of \(client.repliesEarned) replies"
        if client.state == .ended(.reset) {
            kernel.report(.resetInsteadOfReplies, detail)
        } else if !client.isAnswered {
            kernel.report(.replyMissing, detail)
        }
    }

    private func isOwedReplies(_ client: ModelClient, _ reason: CloseReason) -> Bool {
        if isStopped || plan.isTight { return false }
        if client.hasStalled(plan.configuration) || client.isSlow(plan.configuration) { return false }
        switch reason {
        case .peerFinished, .drained, .truncated: return true
        // Whoever goes on talking gets a reset in the end: the server lingers for so long and no longer.
        case .disconnect, .wrongMagic, .unsupportedVersion, .oversizePacket, .malformedMessage, .unknownCommand,
            .handler, .oversizeReply:
            return client.manners.isPrompt && plan.weather.latencyMax <= 2 * .millisecond
        case .reset, .firstByteTimeout, .idleTimeout, .deadPeer, .stalledWrite, .memoryBudget, .drainForced, .stopped,
            .slowRequest, .slowConsumer, .controlFlood, .ioError, .handshakeTimeout, .handshakeRefused, .tlsHandshake,
            .tlsBroken, .sealTampered, .sealReplayed, .sealReflected, .decompression, .badRequest, .requestTimeout,
            .upgradeRefused, .webSocketViolation, .relayViolation, .authRefused, .replaced, .newsOverflow,
            .proxyViolation, .addressLimit:
            return false
        }
    }
}
