// A relay's client as a test needs it: a WebSocket over a blocking socket, one message a frame.

import ApusSecurity
import ApusWire
import Glibc
import TestSupport
import Testing

/// What the relay sent, in words that a test compares.
enum Said: Equatable {
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

final class RelayClient: Sendable {
    static let secret = "supersecret"
    let id: PeerID
    let peer: Peer

    /// Connect and ask for a WebSocket; the response's head is read.
    init(_ name: String, to address: String, receiveBufferByteCount: Int? = nil) throws {
        id = PeerID(hashing: name)
        peer = try Peer(to: address, receiveBufferByteCount: receiveBufferByteCount)
        try peer.send(bytes: Array(RelayClient.request().utf8))
        let head = try readHead()
        #expect(head.hasPrefix("HTTP/1.1 101 "), "\(head)")
    }

    /// The same, logged in.
    static func peer(
        _ name: String, to address: String, receiveBufferByteCount: Int? = nil
    ) throws -> RelayClient {
        let client = try RelayClient(name, to: address, receiveBufferByteCount: receiveBufferByteCount)
        try client.logIn()
        return client
    }

    func logIn() throws {
        try send(auth())
        guard case .authResponse = try read() else { throw PeerError.truncated }
    }

    static func request(path: String = "/relay", more: String = "") -> String {
        "GET \(path) HTTP/1.1\r\nHost: relay\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\(more)\r\n"
    }

    func readHead() throws -> String {
        var bytes: [UInt8] = []
        while !bytes.suffix(4).elementsEqual("\r\n\r\n".utf8) {
            guard let byte = try peer.readExactly(1)?.first else { break }
            bytes.append(byte)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    // MARK: Sending

    /// A message in a masked frame.
    func send(
        _ message: [UInt8], as opcode: WebSocketOpcode = .binary, isFinal: Bool = true, key: UInt32 = 0x1234_5678
    ) throws {
        try peer.send(bytes: RelayClient.frame(message, as: opcode, isFinal: isFinal, key: key))
    }

    static func frame(
        _ message: [UInt8], as opcode: WebSocketOpcode = .binary, isFinal: Bool = true, key: UInt32 = 0x1234_5678
    ) -> [UInt8] {
        encoded(message.count + 14) { output in
            WebSocketEncoder.writeHeader(
                opcode, isFinal: isFinal, payloadByteCount: message.count, maskingKey: key, into: &output)
            WebSocketMask.append(message.span.bytes, unmaskedWith: key, to: &output)
        }
    }

    func auth(_ token: [UInt8]? = nil) -> [UInt8] {
        let token = token ?? RelayTokenKeys(secrets: [RelayClient.secret]).mint(expirySeconds: 4_102_444_800)
        return encoded(300) { RelayEncoder.writeAuth(id, token: token.span.bytes, into: &$0) }
    }

    static func transport(to id: PeerID, _ datagram: [UInt8]) -> [UInt8] {
        encoded(RelayFormat.transportHeaderByteCount + datagram.count) { output in
            RelayEncoder.writeTransportHeader(id, into: &output)
            output.append(copying: datagram.span.bytes)
        }
    }

    func send(_ datagram: [UInt8], to id: PeerID) throws { try send(RelayClient.transport(to: id, datagram)) }

    func subscribe(to ids: PeerID...) throws { try send(list(.subscribePeerState, ids)) }
    func unsubscribe(from ids: PeerID...) throws { try send(list(.unsubscribePeerState, ids)) }

    private func list(_ type: RelayMessageType, _ ids: [PeerID]) -> [UInt8] {
        encoded(RelayEncoder.listByteCount(ids.count)) { RelayEncoder.writeList(type, ids.span, into: &$0) }
    }

    // MARK: Reading

    /// Nil when the relay has finished.
    func read() throws -> Said? {
        guard let head = try peer.readExactly(2) else { return nil }
        #expect(head[0] & 0x80 != 0, "the relay never fragments")
        #expect(head[1] & 0x80 == 0, "the relay never masks")
        var byteCount = Int(head[1])
        if byteCount == 126, let more = try peer.readExactly(2) { byteCount = Int(more[0]) << 8 | Int(more[1]) }
        #expect(byteCount != 127, "the relay sends nothing so long")
        let payload = byteCount == 0 ? [] : try peer.readExactly(byteCount) ?? []
        switch head[0] & 0x0F {
        case 2: return RelayClient.understood(payload)
        case 8: return .closeFrame(UInt16(payload[0]) << 8 | UInt16(payload[1]), text(payload.dropFirst(2)))
        case 10: return .pong(payload)
        default: return .other(payload)
        }
    }

    /// Everything until the relay finishes.
    func readToEnd() throws -> [Said] {
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
func encoded(_ byteCountMax: Int, _ body: (inout OutputRawSpan) -> Void) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: byteCountMax) { buffer, count in
        let room = UnsafeMutableRawBufferPointer(buffer)
        var output = OutputRawSpan(buffer: room, initializedCount: 0)
        body(&output)
        count = output.finalize(for: room)
    }
}

extension RelayClient {
    /// What comes within a moment; nil when nothing does.
    func readSoon() throws -> Said? { peer.hasBytes(within: 50) ? try read() : nil }

    /// A ping and its pong: what was sent before has been answered, and other shards have had time to hear of it.
    func pingThrough() throws {
        try send([42], as: .ping)
        #expect(try read() == .pong([42]))
        pause(milliseconds: 20)
    }
}

func pause(milliseconds: UInt32) { usleep(milliseconds * 1000) }
