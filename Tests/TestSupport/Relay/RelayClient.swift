// A relay's client as a test needs it: a WebSocket over a blocking socket, one message a frame.

import ApusSecurity
import ApusWire
import Glibc

/// What a relay sent, in words that a test compares.
package enum Said: Equatable {
    case authResponse(String)
    case transport(PeerID, [UInt8])
    case close
    case healthCheck
    case online([PeerID])
    case offline([PeerID])
    case pong([UInt8])
    /// A close frame: code and reason.
    case closeFrame(UInt16, String)
    case other([UInt8])
}

/// What a relay's client found wrong with the relay.
package enum RelayClientError: Error {
    case refused(String)
    /// The relay sent a frame that no relay sends.
    case frame([UInt8])
    case unexpected(Said?)
}

package final class RelayClient: Sendable {
    package static let secret = "supersecret"
    package let id: PeerID
    package let peer: Peer
    private let secret: String

    /// Connect and ask for a WebSocket; the response's head is read.
    package init(
        _ name: String, to address: String, secret: String = secret, receiveBufferByteCount: Int? = nil
    ) throws {
        id = PeerID(hashing: name)
        self.secret = secret
        peer = try Peer(to: address, receiveBufferByteCount: receiveBufferByteCount)
        try peer.send(bytes: Array(RelayClient.request().utf8))
        let head = try readHead()
        guard head.hasPrefix("HTTP/1.1 101 ") else { throw RelayClientError.refused(head) }
    }

    /// The same, logged in.
    package static func peer(
        _ name: String, to address: String, secret: String = secret, receiveBufferByteCount: Int? = nil
    ) throws -> RelayClient {
        let client = try RelayClient(
            name, to: address, secret: secret, receiveBufferByteCount: receiveBufferByteCount)
        try client.logIn()
        return client
    }

    package func logIn() throws {
        try send(auth())
        let said = try read()
        guard case .authResponse = said else { throw RelayClientError.unexpected(said) }
    }

    package static func request(path: String = "/relay", more: String = "") -> String {
        "GET \(path) HTTP/1.1\r\nHost: relay\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\(more)\r\n"
    }

    package func readHead() throws -> String {
        var bytes: [UInt8] = []
        while !bytes.suffix(4).elementsEqual("\r\n\r\n".utf8) {
            guard let byte = try peer.readExactly(1)?.first else { break }
            bytes.append(byte)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    // MARK: Sending

    /// A message in a masked frame.
    package func send(
        _ message: [UInt8], as opcode: WebSocketOpcode = .binary, isFinal: Bool = true, key: UInt32 = 0x1234_5678
    ) throws {
        try peer.send(bytes: RelayClient.frame(message, as: opcode, isFinal: isFinal, key: key))
    }

    package static func frame(
        _ message: [UInt8], as opcode: WebSocketOpcode = .binary, isFinal: Bool = true, key: UInt32 = 0x1234_5678
    ) -> [UInt8] {
        encoded(message.count + 14) { output in
            WebSocketEncoder.writeHeader(
                opcode, isFinal: isFinal, payloadByteCount: message.count, maskingKey: key, into: &output)
            WebSocketMask.append(message.span.bytes, unmaskedWith: key, to: &output)
        }
    }

    package func auth(_ token: [UInt8]? = nil) -> [UInt8] {
        let token = token ?? RelayTokenKeys(secrets: [secret]).mint(expirySeconds: 4_102_444_800)
        return encoded(300) { RelayEncoder.writeAuth(id, token: token.span.bytes, into: &$0) }
    }

    package static func transport(to id: PeerID, _ datagram: [UInt8]) -> [UInt8] {
        encoded(RelayFormat.transportHeaderByteCount + datagram.count) { output in
            RelayEncoder.writeTransportHeader(id, into: &output)
            output.append(copying: datagram.span.bytes)
        }
    }

    package func send(_ datagram: [UInt8], to id: PeerID) throws { try send(RelayClient.transport(to: id, datagram)) }

    package func subscribe(to ids: PeerID...) throws { try subscribe(to: ids) }
    package func subscribe(to ids: [PeerID]) throws { try send(list(.subscribePeerState, ids)) }
    package func unsubscribe(from ids: PeerID...) throws { try send(list(.unsubscribePeerState, ids)) }

    private func list(_ type: RelayMessageType, _ ids: [PeerID]) -> [UInt8] {
        encoded(RelayEncoder.listByteCount(ids.count)) { RelayEncoder.writeList(type, ids.span, into: &$0) }
    }

    // MARK: Reading

    /// Nil when the relay has finished.
    package func read() throws -> Said? {
        guard let head = try peer.readExactly(2) else { return nil }
        // It never fragments, never masks, and sends nothing whose length has eight bytes.
        guard head[0] & 0x80 != 0, head[1] < 127 else { throw RelayClientError.frame(head) }
        var byteCount = Int(head[1])
        if byteCount == 126, let more = try peer.readExactly(2) { byteCount = Int(more[0]) << 8 | Int(more[1]) }
        let payload = byteCount == 0 ? [] : try peer.readExactly(byteCount) ?? []
        switch head[0] & 0x0F {
        case 2: return RelayClient.understood(payload)
        case 8: return .closeFrame(UInt16(payload[0]) << 8 | UInt16(payload[1]), text(payload.dropFirst(2)))
        case 10: return .pong(payload)
        default: return .other(payload)
        }
    }

    /// Everything until the relay finishes.
    package func readToEnd() throws -> [Said] {
        var all: [Said] = []
        do {
            while let said = try read() { all.append(said) }
        } catch PeerError.reset {
            // As a replaced peer may see it.
        }
        return all
    }

    private func text(_ bytes: some Collection<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }

    private static func understood(_ message: [UInt8]) -> Said {
        if message.starts(with: [1, 7]) { return .authResponse(String(decoding: message.dropFirst(2), as: UTF8.self)) }
        switch RelayServerMessage(decoding: message.span.bytes) {
        case .transport(let source, let payload): return .transport(source, Array(message[payload]))
        case .close: return .close
        case .healthCheck: return .healthCheck
        case .peersOnline(let list): return .online(ids(list, message))
        case .peersWentOffline(let list): return .offline(ids(list, message))
        case .ignored, .violation: return .other(message)
        }
    }

    private static func ids(_ list: PeerIDList, _ message: [UInt8]) -> [PeerID] {
        list.indices.map { list.id(at: $0, in: message.span.bytes) }
    }
}

/// What `body` writes, at most so many bytes.
package func encoded(_ byteCountMax: Int, _ body: (inout OutputRawSpan) -> Void) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: byteCountMax) { buffer, count in
        let room = UnsafeMutableRawBufferPointer(buffer)
        var output = OutputRawSpan(buffer: room, initializedCount: 0)
        body(&output)
        count = output.finalize(for: room)
    }
}

extension RelayClient {
    /// What comes within a moment; nil when nothing does.
    package func readSoon() throws -> Said? { peer.hasBytes(within: 50) ? try read() : nil }

    /// A ping and its pong: what was sent before has been answered, and other shards have had time to hear of it.
    package func pingThrough() throws {
        try send([42], as: .ping)
        let said = try read()
        guard said == .pong([42]) else { throw RelayClientError.unexpected(said) }
        pause(milliseconds: 20)
    }
}

package func pause(milliseconds: UInt32) { usleep(milliseconds * 1000) }
