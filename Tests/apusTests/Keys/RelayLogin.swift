// A relay's client as the tests of keys need one: a login, and what comes of it.

import ApusSecurity
import ApusWire
import TestSupport

final class RelayLogin: Sendable {
    static let secret = "supersecret-one"
    let id: PeerID
    let peer: Peer
    /// Of the upgrade.
    let status: Int

    /// Connect and ask for a WebSocket.
    /// - Parameter fields: of the request, each with its line's end.
    init(_ name: String, to address: String, fields: String = "", receiveBufferByteCount: Int? = nil) throws {
        id = PeerID(hashing: name)
        peer = try Peer(to: address, receiveBufferByteCount: receiveBufferByteCount)
        let request = "GET /relay HTTP/1.1\r\nHost: relay\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\(fields)\r\n"
        try peer.send(bytes: Array(request.utf8))
        var head: [UInt8] = []
        while !head.suffix(4).elementsEqual("\r\n\r\n".utf8) {
            guard let byte = try peer.readExactly(1)?.first else { break }
            head.append(byte)
        }
        let words = String(decoding: head, as: UTF8.self).split(separator: " ")
        status = words.count > 1 ? Int(words[1]) ?? 0 : 0
    }

    /// Log in with a token that is good until 2100. The instance URL, or why not.
    func logIn(secret: String = RelayLogin.secret) throws -> String {
        let token = RelayTokenKeys(secrets: [secret]).mint(expirySeconds: 4_102_444_800)
        try send(Self.encoded(300) { RelayEncoder.writeAuth(id, token: token.span.bytes, into: &$0) })
        guard let (opcode, payload) = try readFrame() else { return "closed" }
        // Behind two bytes each: the type, or the close code.
        let text = String(decoding: payload.dropFirst(2), as: UTF8.self)
        return opcode == WebSocketOpcode.binary.rawValue ? text : "refused: \(text)"
    }

    func send(_ message: [UInt8]) throws {
        try peer.send(bytes: Self.encoded(message.count + 14) { output in
            WebSocketEncoder.writeHeader(.binary, payloadByteCount: message.count, maskingKey: 7, into: &output)
            WebSocketMask.append(message.span.bytes, unmaskedWith: 7, to: &output)
        })
    }

    func send(_ datagram: [UInt8], to other: PeerID) throws {
        try send(Self.encoded(RelayFormat.transportHeaderByteCount + datagram.count) { output in
            RelayEncoder.writeTransportHeader(other, into: &output)
            output.append(copying: datagram.span.bytes)
        })
    }

    /// To as many peers as fit one message, that nobody else is interested in.
    func subscribe(_ names: String) throws {
        let ids = (0..<RelayFormat.listCountMax).map { PeerID(hashing: "\(names) \($0)") }
        try send(Self.encoded(RelayEncoder.listByteCount(ids.count)) {
            RelayEncoder.writeList(.subscribePeerState, ids.span, into: &$0)
        })
    }

    /// Opcode and payload; nil when the relay has finished.
    func readFrame() throws -> (opcode: UInt8, payload: [UInt8])? {
        guard let header = try peer.readExactly(2) else { return nil }
        var count = Int(header[1])
        if count == 126, let more = try peer.readExactly(2) { count = Int(more[0]) << 8 | Int(more[1]) }
        return (header[0] & 0x0F, try peer.readExactly(count) ?? [])
    }

    private static func encoded(_ capacity: Int, _ body: (inout OutputRawSpan) -> Void) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
            var output = OutputRawSpan(buffer: UnsafeMutableRawBufferPointer(buffer), initializedCount: 0)
            body(&output)
            count = output.finalize(for: UnsafeMutableRawBufferPointer(buffer))
        }
    }
}
