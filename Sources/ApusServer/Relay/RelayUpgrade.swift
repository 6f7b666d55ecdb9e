// The HTTP request with which a peer's connection begins: it becomes a WebSocket or gets an answer and ends
// (relay.md §3.2).

import ApusReactor
import ApusSecurity
import ApusWire

enum RelayUpgrade {
    private static let decoder = HTTPRequestDecoder(limits: limits)

    /// A handshake has no body.
    private static var limits: HTTPLimits {
        var limits = HTTPLimits()
        limits.bodyByteCountMax = 0
        return limits
    }

    static func answer(
        _ bytes: RawSpan, _ peer: UnsafeMutablePointer<RelayPeer>, _ connection: UnsafeMutablePointer<Connection>,
        in state: UnsafeMutablePointer<ShardState>
    ) -> SessionProgress {
        switch decoder.step(bytes, at: 0) {
        case .incomplete(let byteCountNeeded):
            return SessionProgress(consumedByteCount: 0, stop: .incomplete(byteCountNeeded: byteCountNeeded))
        case .violation(let violation):
            return refuse(bytes, violation.status, "\(violation)", .badRequest, connection, in: state)
        case .request(let request):
            do throws(WebSocketUpgradeRefusal) {
                let upgrade = try WebSocketUpgrade(
                    judging: request, in: bytes, by: state.pointee.relayShard.pointee.settings.upgrade)
                return answer(request, upgrade, bytes, peer, connection, in: state)
            } catch {
                let response = error.encodeResponse(unixSeconds: WallClock.milliseconds() / 1000)
                return refuse(bytes, response, .upgradeRefused, connection, in: state)
            }
        }
    }

    /// A request for a WebSocket that may be one, if whoever asks may connect.
    private static func answer(
        _ request: HTTPRequestLayout, _ upgrade: WebSocketUpgrade, _ bytes: RawSpan,
        _ peer: UnsafeMutablePointer<RelayPeer>, _ connection: UnsafeMutablePointer<Connection>,
        in state: UnsafeMutablePointer<ShardState>
    ) -> SessionProgress {
        do throws(ForwardedClientViolation) {
            guard try believe(request, bytes, connection, in: state) else {
                // A proxy that hears nothing tells its client that we are broken (RFC 6585 §4).
                let text = "this address has all the connections it may have, or opens them too fast"
                return refuse(bytes, .tooManyRequests, text, .addressLimit, connection, in: state)
            }
        } catch {
            return refuse(bytes, .badRequest, "\(error)", .upgradeRefused, connection, in: state)
        }
        guard accept(upgrade, bytes, connection, in: state) else {
            return SessionProgress(consumedByteCount: request.end, stop: .finish(.memoryBudget))
        }
        peer.pointee.stage = .auth
        return SessionProgress(consumedByteCount: request.end, stop: .changed)
    }

    /// Whom a trusted proxy speaks for. False: that address has all the connections it may have.
    private static func believe(
        _ request: HTTPRequestLayout, _ bytes: RawSpan, _ connection: UnsafeMutablePointer<Connection>,
        in state: UnsafeMutablePointer<ShardState>
    ) throws(ForwardedClientViolation) -> Bool {
        let proxies = state.pointee.relayShard.pointee.settings.trustedProxies
        guard !proxies.isEmpty, let proxy = state.pointee.peerAddress(of: connection)?.host,
            proxies.contains(IPAddress(high: proxy.high, low: proxy.low)),
            let client = try ForwardedClient.endpoint(in: request, bytes, trusting: proxies)
        else { return true }
        return state.pointee.believe(client, connection)
    }

    private static func accept(
        _ upgrade: WebSocketUpgrade, _ bytes: RawSpan, _ connection: UnsafeMutablePointer<Connection>,
        in state: UnsafeMutablePointer<ShardState>
    ) -> Bool {
        let accept = WebSocketAccept.value(forKey: bytes.extracting(upgrade.key))
        return state.pointee.append(byteCount: WebSocketUpgrade.responseByteCount, to: connection) {
            WebSocketUpgrade.writeResponse(accept: accept, into: &$0)
        }
    }

    private static func refuse(
        _ bytes: RawSpan, _ status: HTTPStatus, _ text: String, _ reason: CloseReason,
        _ connection: UnsafeMutablePointer<Connection>, in state: UnsafeMutablePointer<ShardState>
    ) -> SessionProgress {
        let response = HTTPResponse(
            status, fields: [HTTPField("Content-Type", "text/plain")], body: Array("\(text)\n".utf8)
        ).encode(unixSeconds: WallClock.milliseconds() / 1000, keepsAlive: false)
        return refuse(bytes, response, reason, connection, in: state)
    }

    private static func refuse(
        _ bytes: RawSpan, _ response: [UInt8], _ reason: CloseReason,
        _ connection: UnsafeMutablePointer<Connection>, in state: UnsafeMutablePointer<ShardState>
    ) -> SessionProgress {
        // Without a buffer the peer sees the connection end, which says as much.
        _ = state.pointee.append(packets: response.span.bytes, to: connection)
        return SessionProgress(consumedByteCount: bytes.byteCount, stop: .finish(reason))
    }
}
