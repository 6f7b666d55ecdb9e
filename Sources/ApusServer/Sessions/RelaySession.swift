// WebSocket frames of a relay's peers: the upgrade, the login, then messages, most of which go on to another peer. It
// never reads, sends or closes.

import ApusReactor
import ApusRelay
import ApusWire

enum RelaySession {
    private static let firstMessage = WebSocketDecoder(
        role: .server, payloadByteCountMax: RelayFormat.authByteCountMax)
    private static let anyMessage = WebSocketDecoder(
        role: .server, payloadByteCountMax: RelayFormat.messageByteCountMax)

    static func answer(
        _ bytes: RawSpan, of slot: UInt32, _ connection: UnsafeMutablePointer<Connection>,
        in state: UnsafeMutablePointer<ShardState>
    ) -> SessionProgress {
        let peer = state.pointee.relayShard.pointee.peer(slot)
        switch peer.pointee.stage {
        case .upgrade: return RelayUpgrade.answer(bytes, peer, connection, in: state)
        case .auth: return converse(bytes, firstMessage, slot, peer, connection, in: state)
        case .peer: return converse(bytes, anyMessage, slot, peer, connection, in: state)
        case .gone: return SessionProgress(consumedByteCount: bytes.byteCount, stop: .finish(.disconnect))
        }
    }

    /// One frame after the other.
    private static func converse(
        _ bytes: RawSpan, _ decoder: WebSocketDecoder, _ slot: UInt32, _ peer: UnsafeMutablePointer<RelayPeer>,
        _ connection: UnsafeMutablePointer<Connection>, in state: UnsafeMutablePointer<ShardState>
    ) -> SessionProgress {
        var offset = 0
        var frameCount: UInt64 = 0
        defer { state.pointee.count(messages: frameCount, of: connection.pointee.listener) }
        while true {
            switch decoder.step(bytes, at: offset) {
            case .incomplete(let byteCountNeeded):
                return SessionProgress(consumedByteCount: offset, stop: .incomplete(byteCountNeeded: byteCountNeeded))
            case .violation(let violation):
                let verdict = refuse(violation, connection, in: state)
                return progress(verdict, from: offset, to: bytes.byteCount) ?? .finished(bytes.byteCount)
            case .frame(let frame):
                let verdict = answer(frame, bytes, slot, peer, connection, in: state)
                if let stop = progress(verdict, from: offset, to: frame.end) { return stop }
                frameCount += 1
                offset = frame.end
            }
        }
    }

    /// Nil: on to the next frame.
    @inline(__always)
    private static func progress(_ verdict: Verdict, from start: Int, to end: Int) -> SessionProgress? {
        switch verdict {
        case .next: nil
        case .pause: SessionProgress(consumedByteCount: start, stop: .paused)
        case .changed: SessionProgress(consumedByteCount: end, stop: .changed)
        case .finish(let reason): SessionProgress(consumedByteCount: end, stop: .finish(reason))
        }
    }

    /// Nearly all are datagrams in one piece, of a peer that is between messages: they go on from where they lie.
    @inline(__always)
    private static func answer(
        _ frame: WebSocketFrame, _ bytes: RawSpan, _ slot: UInt32, _ peer: UnsafeMutablePointer<RelayPeer>,
        _ connection: UnsafeMutablePointer<Connection>, in state: UnsafeMutablePointer<ShardState>
    ) -> Verdict {
        let payload = bytes.extracting(frame.payload)
        let event = peer.pointee.conversation.receive(frame)
        guard case .part(let part) = event, part.isWhole, part.kind == .binary, peer.pointee.stage == .peer,
            RelayTransport.isTransport(payload, maskedWith: frame.maskingKey)
        else { return answer(event, payload, frame.maskingKey, slot, peer, connection, in: state) }
        state.pointee.forward(payload, maskedWith: frame.maskingKey, from: peer)
        return .next
    }

    @inline(never)
    private static func answer(
        _ event: WebSocketEvent, _ payload: RawSpan, _ key: UInt32, _ slot: UInt32,
        _ peer: UnsafeMutablePointer<RelayPeer>, _ connection: UnsafeMutablePointer<Connection>,
        in state: UnsafeMutablePointer<ShardState>
    ) -> Verdict {
        switch event {
        case .part(let part):
            guard part.kind == .binary else {
                return state.pointee.sayClose(
                    .unsupportedData, "the relay speaks binary messages", to: connection, .webSocketViolation)
            }
            return answer(part, payload, key, slot, peer, connection, in: state)
        case .ping: return answerPing(payload, key, connection, in: state)
        case .pong: return state.pointee.admitControl(connection) ? .next : .finish(.controlFlood)
        case .close: return answerClose(payload, key, connection, in: state)
        case .ignored: return .next
        case .violation(let violation): return refuse(violation, connection, in: state)
        }
    }

    /// A message, or a part of one.
    private static func answer(
        _ part: WebSocketPart, _ payload: RawSpan, _ key: UInt32, _ slot: UInt32,
        _ peer: UnsafeMutablePointer<RelayPeer>, _ connection: UnsafeMutablePointer<Connection>,
        in state: UnsafeMutablePointer<ShardState>
    ) -> Verdict {
        guard part.isWhole || !part.isLast || state.pointee.mayTellHomes(RelayFormat.listCountMax, for: slot) else {
            // Asked before anything of it is kept: the message may be one that homes must hear, and would have to wait.
            peer.pointee.conversation.takeBackEnd(byteCount: payload.byteCount)
            return .pause
        }
        let plain = state.pointee.relayShard.pointee.unmask(payload, key)
        guard !part.isWhole else {
            return answer(RawSpan(_unsafeBytes: plain), slot, peer, connection, in: state)
        }
        guard peer.pointee.fragments.copyIn(plain, pool: &state.pointee.pool) else { return .finish(.memoryBudget) }
        guard part.isLast else { return state.pointee.admitControl(connection) ? .next : .finish(.controlFlood) }
        let whole = RawSpan(_unsafeBytes: UnsafeRawBufferPointer(peer.pointee.fragments.bytes))
        let verdict = answer(whole, slot, peer, connection, in: state)
        peer.pointee.fragments.discard(to: &state.pointee.pool)
        return verdict
    }

    /// A whole message, unmasked.
    private static func answer(
        _ message: RawSpan, _ slot: UInt32, _ peer: UnsafeMutablePointer<RelayPeer>,
        _ connection: UnsafeMutablePointer<Connection>, in state: UnsafeMutablePointer<ShardState>
    ) -> Verdict {
        guard peer.pointee.stage == .peer else { return state.pointee.login(message, slot, peer, connection) }
        switch RelayClientMessage(decoding: message) {
        case .transport:
            state.pointee.forward(message, maskedWith: 0, from: peer)
            return .next
        case .close: return .finish(.disconnect)
        case .healthCheck: return state.pointee.admitControl(connection) ? .next : .finish(.controlFlood)
        case .subscribe(let ids): return state.pointee.subscribe(ids, in: message, slot, peer, connection)
        case .unsubscribe(let ids): return state.pointee.unsubscribe(ids, in: message, slot, peer, connection)
        case .ignored:
            state.pointee.counters.relay.messagesIgnored.add()
            return state.pointee.admitControl(connection) ? .next : .finish(.controlFlood)
        case .violation(let violation):
            return state.pointee.sayClose(.protocolError, violation.label, to: connection, .relayViolation)
        }
    }
}

// MARK: What WebSocket itself asks for

extension RelaySession {
    private static func answerPing(
        _ payload: RawSpan, _ key: UInt32, _ connection: UnsafeMutablePointer<Connection>,
        in state: UnsafeMutablePointer<ShardState>
    ) -> Verdict {
        guard state.pointee.admitControl(connection) else { return .finish(.controlFlood) }
        // Who asks and does not listen to the answers has asked enough.
        guard state.pointee.mayAddControl(connection) else { return .finish(.slowConsumer) }
        let byteCount = WebSocketEncoder.headerByteCount(payloadByteCount: payload.byteCount, isMasked: false)
            + payload.byteCount
        let isAnswered = state.pointee.append(byteCount: byteCount, to: connection) { output in
            WebSocketEncoder.writeHeader(.pong, payloadByteCount: payload.byteCount, into: &output)
            WebSocketMask.append(payload, unmaskedWith: key, to: &output)
        }
        return isAnswered ? .next : .finish(.memoryBudget)
    }

    /// A close frame is answered with the same code, or told what is wrong with it.
    private static func answerClose(
        _ payload: RawSpan, _ key: UInt32, _ connection: UnsafeMutablePointer<Connection>,
        in state: UnsafeMutablePointer<ShardState>
    ) -> Verdict {
        let plain = state.pointee.relayShard.pointee.unmask(payload, key)
        do throws(WebSocketViolation) {
            let closure = try WebSocketClosure(payload: RawSpan(_unsafeBytes: plain))
            return state.pointee.sayClose(closure.code, "", to: connection, .disconnect)
        } catch {
            return refuse(error, connection, in: state)
        }
    }

    private static func refuse(
        _ violation: WebSocketViolation, _ connection: UnsafeMutablePointer<Connection>,
        in state: UnsafeMutablePointer<ShardState>
    ) -> Verdict {
        var reason = CloseReason.webSocketViolation
        if violation.closeCode == .messageTooBig, !connection.pointee.isEstablished {
            // Longer than a first message may be: a login that is refused, whatever layer noticed.
            let refusal = RelayRefusal.message(.oversize(byteCount: RelayFormat.authByteCountMax + 1))
            state.pointee.counters.relay.count(refusal)
            state.pointee.note(.relayRefused(refusal), of: connection)
            reason = .authRefused
        }
        return state.pointee.sayClose(violation.closeCode, "\(violation.closeReason)", to: connection, reason)
    }
}

extension SessionProgress {
    fileprivate static func finished(_ byteCount: Int) -> SessionProgress {
        SessionProgress(consumedByteCount: byteCount, stop: .finish(.webSocketViolation))
    }
}
