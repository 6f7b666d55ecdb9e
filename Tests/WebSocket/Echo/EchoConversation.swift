// The client's side: a fixed conversation with somebody else's echo server, which fails at the first thing that does
// not come back.

import ApusSecurity
import ApusWire
import Foundation

struct EchoConversation {
    private let socket: BlockingSocket
    private let host: String
    private let path: String

    init(with host: String, path: String) throws {
        guard let colon = host.lastIndex(of: ":"), let port = UInt16(host[host.index(after: colon)...]) else {
            throw SocketFailure(description: "\(host) is not HOST:PORT")
        }
        socket = try BlockingSocket.connect(port: port)
        (self.host, self.path) = (host, path)
    }

    func play() throws {
        var received = try upgrade()
        var count = 0
        for size in [0, 1, 125, 126, 127, 1200, 65535, 65536, 1 << 20] {
            for opcode in [WebSocketOpcode.text, .binary] {
                let payload = (0..<size).map { UInt8($0 % 95 + 32) }
                try send(opcode, payload)
                try expect(opcode, payload, &received)
                count += 1
            }
        }
        try send(.ping, Array("are you there".utf8))
        try expect(.pong, Array("are you there".utf8), &received)
        try send(.close, [0x03, 0xE8])
        try expect(.close, [0x03, 0xE8], &received)
        socket.finish()
        print("\(count) messages came back")
    }

    /// Returns what came behind the response.
    private func upgrade() throws -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        let nonce = [16 of UInt8] { _ in generator.next() }
        let request = WebSocketRequest(host: host, path: path, nonce: nonce)
        let accept = WebSocketAccept.value(forKey: request.key.span.bytes)
        guard socket.send(request.encode()) else { throw SocketFailure(description: "the request was not taken") }
        var gathered: [UInt8] = []
        while let piece = socket.receive() {
            gathered += piece
            switch HTTPResponseDecoder().step(gathered.span.bytes, at: 0) {
            case .incomplete: continue
            case .violation(let violation): throw SocketFailure(description: "\(violation)")
            case .response(let response):
                try WebSocketRequest.judge(response, in: gathered.span.bytes, accept: accept)
                return Array(gathered[response.end...])
            }
        }
        throw SocketFailure(description: "the server ended without a response")
    }

    private func send(_ opcode: WebSocketOpcode, _ payload: [UInt8]) throws {
        let key = UInt32.random(in: 0...UInt32.max)
        let bytes = written(WebSocketFormat.headerByteCountMax + payload.count) {
            WebSocketEncoder.writeFrame(opcode, payload: payload.span.bytes, maskingKey: key, into: &$0)
        }
        guard socket.send(bytes) else { throw SocketFailure(description: "a frame was not taken") }
    }

    private func expect(_ opcode: WebSocketOpcode, _ payload: [UInt8], _ received: inout [UInt8]) throws {
        let decoder = WebSocketDecoder(role: .client, payloadByteCountMax: EchoSession.messageByteCountMax)
        while true {
            switch decoder.step(received.span.bytes, at: 0) {
            case .violation(let violation): throw SocketFailure(description: "\(violation)")
            case .incomplete:
                guard let piece = socket.receive() else { throw SocketFailure(description: "the server ended early") }
                received += piece
            case .frame(let frame):
                let found = Array(received[frame.payload])
                received.removeFirst(frame.end)
                guard frame.opcode == opcode, frame.isFinal, found == payload else {
                    throw SocketFailure(description: "\(found.count) bytes of \(frame.opcode) came for \(opcode)")
                }
                return
            }
        }
    }
}
