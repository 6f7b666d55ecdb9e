// Whether a relay's connections ended as they should: every reason has to be deserved.

import ApusReactor
import ApusServer

extension RelaySimulation {
    /// A connection is on its way out, for one reason.
    func judge(_ connection: Connection, _ client: RelayModelClient) {
        let known = audit.note(connection.reason, of: connection.descriptor)
        if known == connection.reason { return }
        let detail = "\(client.name), which \(client.script): \(known.map { "\($0), then " } ?? "")\(connection.reason)"
        if known != nil || !isJustified(connection.reason, client) {
            client.kernel.report(.unjustifiedClose, detail)
        }
    }

    private func isJustified(_ reason: CloseReason, _ client: RelayModelClient) -> Bool {
        let configuration = plan.configuration
        switch reason {
        // A reset that a send has reported looks like a FIN to the receive.
        case .peerFinished: return client.hasReset || client.hasFinished
        case .truncated: return client.hasReset || client.hasFinished && client.isTruncating
        case .drained: return ended != .never
        case .reset: return client.hasReset
        case .disconnect, .badRequest, .upgradeRefused, .authRefused, .webSocketViolation, .relayViolation:
            return client.lastReason == reason
        case .firstByteTimeout: return client.isLateToSpeak(configuration)
        case .handshakeTimeout: return isLateToLogIn(client)
        case .deadPeer: return isDead(client)
        case .stalledWrite: return client.hasStalled(configuration)
        case .slowConsumer: return client.isSlow(configuration)
        case .slowRequest: return client.isDribbling(configuration)
        case .memoryBudget: return plan.isTight
        case .controlFlood: return client.controlCount > configuration.controlRateMax
        case .replaced: return hasTwin(client)
        case .newsOverflow: return configuration.relay.map { $0.subscriptionsPerShardMax < 100 } ?? false
        case .drainForced: return isForced && !isStopped
        case .stopped: return isForced
        // Its peers are plain, come from where they say, and ask for nothing that takes time.
        case .wrongMagic, .unsupportedVersion, .oversizePacket, .malformedMessage, .unknownCommand, .idleTimeout,
            .handler, .oversizeReply, .ioError, .handshakeRefused, .tlsHandshake, .tlsBroken, .sealTampered,
            .sealReplayed, .sealReflected, .decompression, .requestTimeout, .proxyViolation, .addressLimit:
            return false
        }
    }

    private func isLateToLogIn(_ client: RelayModelClient) -> Bool {
        let due = client.arrival + Nanoseconds(plan.configuration.handshakeTimeout)
        guard client.kernel.now >= due, let socket = client.socket else { return false }
        // What is said is not yet written, and what is written is not yet read.
        return client.loginSaid == .never || !client.speech.isSaid || !socket.inbound.isEmpty
            || max(client.speech.lastWrite, socket.lastTaken) + SimulatedClient.slack > due
    }

    /// Nothing came from it for so long.
    private func isDead(_ client: RelayModelClient) -> Bool {
        guard let relay = plan.configuration.relay else { return false }
        let lastWrite = client.speech.lastWrite == .never ? client.arrival : client.speech.lastWrite
        return client.kernel.now >= lastWrite + Nanoseconds(relay.livenessTimeout)
    }

    /// Somebody else has logged in with its id.
    private func hasTwin(_ client: RelayModelClient) -> Bool {
        clients.contains {
            $0 !== client && $0.script.id == client.script.id && $0.script.becomesPeer && $0.loginSaid != .never
        }
    }
}
