// A whole conversation over a stream that arrives in pieces: however it is cut, the same messages come out.

import ApusWire
import TestSupport
import Testing

/// What a server makes of the bytes of one client: the same messages as lists of bytes, and how it ended.
struct WebSocketStream: Equatable {
    private(set) var messages: [[UInt8]] = []
    private(set) var pings: [[UInt8]] = []
    private(set) var close: [UInt8]?
    private(set) var violation: WebSocketViolation?

    private var gathered: [UInt8] = []
    private var message: [UInt8] = []
    private var conversation = WebSocketConversation(messageByteCountMax: 1000)

    static func == (one: Self, other: Self) -> Bool {
        one.messages == other.messages && one.pings == other.pings && one.close == other.close
            && one.violation == other.violation
    }

    mutating func receive(_ piece: some Sequence<UInt8>) {
        gathered += piece
        let decoder = WebSocketDecoder(role: .server, payloadByteCountMax: 500)
        var offset = 0
        while violation == nil {
            switch decoder.step(gathered.span.bytes, at: offset) {
            case .frame(let frame):
                read(frame, unmasked(Array(gathered[frame.payload]), frame.maskingKey))
                offset = frame.end
            case .incomplete(let byteCountNeeded):
                #expect(byteCountNeeded > gathered.count - offset)
                gathered.removeFirst(offset)
                return
            case .violation(let found): violation = found
            }
        }
    }

    private mutating func read(_ frame: WebSocketFrame, _ payload: [UInt8]) {
        switch conversation.receive(frame) {
        case .part(let part): read(part, payload)
        case .ping: pings.append(payload)
        case .close: close = payload
        case .violation(let found): violation = found
        case .pong, .ignored: break
        }
    }

    private mutating func read(_ part: WebSocketPart, _ payload: [UInt8]) {
        if part.kind == .text, !conversation.receiveText(payload.span.bytes, isLast: part.isLast) {
            violation = .textNotUTF8
            return
        }
        message = part.isFirst ? payload : message + payload
        if part.isLast { messages.append(message) }
    }
}

struct WebSocketStreamTests {
    @Test func everySplitPointTellsTheSame() {
        let text = Array("grüezi 🐦".utf8)
        let bytes = RawFrame(opcode: 1, payload: text).bytes
            + RawFrame(isFinal: false, opcode: 1, payload: Array(text[..<3])).bytes
            + RawFrame(opcode: 9, payload: [1, 2]).bytes
            + RawFrame(isFinal: false, opcode: 0, payload: Array(text[3..<10])).bytes
            + RawFrame(opcode: 0, payload: Array(text[10...])).bytes
            + RawFrame(payload: [UInt8](repeating: 9, count: 200)).bytes
            + RawFrame(opcode: 8, payload: [3, 232]).bytes + RawFrame(opcode: 9, payload: [7]).bytes
        var whole = WebSocketStream()
        whole.receive(bytes)
        #expect(whole.messages == [text, text, [UInt8](repeating: 9, count: 200)])
        #expect(whole.pings == [[1, 2]] && whole.close == [3, 232] && whole.violation == nil)
        for split in 0...bytes.count {
            var cut = WebSocketStream()
            cut.receive(bytes[..<split])
            cut.receive(bytes[split...])
            #expect(cut == whole, "cut at \(split)")
        }
        var single = WebSocketStream()
        for byte in bytes { single.receive([byte]) }
        #expect(single == whole)
    }

    /// Random messages in random fragments with pings between them, in random pieces: what went in comes out.
    @Test func randomFragmentsInRandomPieces() {
        var generator = SeededGenerator.announced()
        for _ in 0..<200 {
            let messages = (0..<5).map { _ in generator.bytes(Int.random(in: 0...400, using: &generator)) }
            let bytes = messages.flatMap { frames(of: $0, using: &generator) }
            var (stream, rest) = (WebSocketStream(), bytes[...])
            while !rest.isEmpty {
                let count = Int.random(in: 1...min(rest.count, 40), using: &generator)
                stream.receive(rest.prefix(count))
                rest = rest.dropFirst(count)
            }
            #expect(stream.messages == messages && stream.violation == nil, "seed \(generator.seed)")
        }
    }

    private func frames(of message: [UInt8], using generator: inout SeededGenerator) -> [UInt8] {
        var (bytes, rest, isFirst) = ([UInt8](), message[...], true)
        repeat {
            let count = Int.random(in: 0...rest.count, using: &generator)
            let isLast = count == rest.count
            let key = generator.bytes(4)
            let payload = Array(rest.prefix(count))
            bytes += RawFrame(isFinal: isLast, opcode: isFirst ? 2 : 0, payload: payload, key: key).bytes
            if Bool.random(using: &generator) { bytes += RawFrame(opcode: 9, payload: [1], key: key).bytes }
            (rest, isFirst) = (rest.dropFirst(count), false)
            if isLast { return bytes }
        } while true
    }
}
