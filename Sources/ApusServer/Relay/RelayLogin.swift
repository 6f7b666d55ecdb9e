// How a connection becomes a peer and stops being one (relay.md §4.1). AuthResponse is written before anybody hears of
// the peer, so that nothing can precede it.

import ApusReactor
import ApusRelay
import ApusSecurity
import ApusWire

extension ShardState {
    /// The first message.
    mutating func login(
        _ message: RawSpan, _ slot: UInt32, _ peer: UnsafeMutablePointer<RelayPeer>,
        _ connection: UnsafeMutablePointer<Connection>
    ) -> Verdict {
        let auth: RelayAuth
        do throws(RelayAuthViolation) {
            auth = try RelayAuth(decoding: message)
        } catch {
            return refuse(.message(error), error.label, connection)
        }
        if let refusal = refusal(of: message.extracting(auth.token)) {
            return refuse(.token(refusal), refusal.label, connection)
        }
        guard mayTellHomes(1, for: slot) else { return .pause }
        let welcome = relayShard.pointee.settings.welcome
        let isWelcome = appendFrame(payloadByteCount: RelayFormat.headerByteCount + welcome.count, to: connection) {
            RelayEncoder.writeAuthResponse(url: welcome.span.bytes, into: &$0)
        }
        guard isWelcome else { return .finish(.memoryBudget) }
        peer.pointee.become(auth.peer, at: now)
        established(connection)
        counters.relay.logins.add()
        counters.relay.authenticationTimes.add(now - connection.pointee.opened)
        tellHome(of: auth.peer, .claim(auth.peer, holder: token(of: slot, connection).bits))
        return .changed
    }

    private mutating func refuse(
        _ refusal: RelayRefusal, _ reason: String, _ connection: UnsafeMutablePointer<Connection>
    ) -> Verdict {
        counters.relay.count(refusal)
        note(.relayRefused(refusal), of: connection)
        return sayClose(.policyViolation, reason, to: connection, .authRefused)
    }

    private func refusal(of token: RawSpan) -> RelayTokenRefusal? {
        guard let keys = relayShard.pointee.settings.keys else { return nil }
        do throws(RelayTokenRefusal) {
            _ = try keys.validate(token, at: Int64(WallClock.milliseconds() / 1000))
            return nil
        } catch {
            return error
        }
    }

    /// The connection ends: its home is told, once. False: there is no room to tell it yet.
    mutating func depart(_ slot: UInt32, _ connection: UnsafeMutablePointer<Connection>) -> Bool {
        let peer = relayShard.pointee.peer(slot)
        guard peer.pointee.stage != .gone else { return true }
        peer.pointee.fragments.discard(to: &pool)
        guard peer.pointee.stage == .peer else {
            peer.pointee.stage = .gone
            return true
        }
        guard hasRoomToDepart else { return false }
        peer.pointee.stage = .gone
        let bits = token(of: slot, connection).bits
        tellHome(of: peer.pointee.id, .release(peer.pointee.id, holder: bits))
        if peer.pointee.hasSubscribed { tellAll(.forget(subscriber: bits)) }
        relayShard.pointee.news.discard(slot)
        counters.count(DropReason.peerGone, UInt64(relayShard.pointee.backlog.discard(slot)))
        connection.pointee.hasBacklog = false
        counters.relay.departures.add()
        if peer.pointee.rest(after: 0, at: now) { counters.relay.countResting() }
        return true
    }

    /// Another connection is this peer now: this one ends, without a word (relay.md §4.2).
    mutating func evict(_ token: ConnectionToken) {
        guard token.shard == index,
            let connection = slab.connection(token.slot, generation: token.generation),
            connection.pointee.phase == .open
        else { return }
        counters.relay.replacements.add()
        abort(token.slot, connection, .replaced)
    }

    func token(of slot: UInt32, _ connection: UnsafeMutablePointer<Connection>) -> ConnectionToken {
        ConnectionToken(shard: index, generation: connection.pointee.generation, slot: slot)
    }
}

// MARK: Frames

extension ShardState {
    /// Append one binary frame, whose payload `body` writes: exactly so many bytes. False: no buffer is left.
    @inline(__always)
    mutating func appendFrame(
        payloadByteCount: Int, to connection: UnsafeMutablePointer<Connection>, _ body: (inout OutputRawSpan) -> Void
    ) -> Bool {
        let header = WebSocketEncoder.headerByteCount(payloadByteCount: payloadByteCount, isMasked: false)
        return append(byteCount: header + payloadByteCount, to: connection) { output in
            WebSocketEncoder.writeHeader(.binary, payloadByteCount: payloadByteCount, into: &output)
            body(&output)
        }
    }

    /// A close frame, after which the connection ends. Go's clients log its code and reason, and take any end for one.
    mutating func sayClose(
        _ code: WebSocketCloseCode?, _ reason: String, to connection: UnsafeMutablePointer<Connection>,
        _ closeReason: CloseReason
    ) -> Verdict {
        let text = Array(reason.utf8)
        // Without a buffer the connection's end says as much.
        _ = append(byteCountMax: WebSocketEncoder.controlFrameByteCountMax, to: connection) {
            WebSocketEncoder.writeClose(code, reason: text.span.bytes, into: &$0)
        }
        return .finish(closeReason)
    }
}
