// libFuzzer driver for WebSocket frames: however a stream is cut, it decodes the same; what is refused is refused with
// the first byte that shows it; what is accepted a second, naive reader frames alike and the encoder writes again; the
// messages are what that reader joins of the fragments.

import ApusWire
import FuzzSupport

@main
struct FuzzFrames {
    static func main() {
        runFuzzer { start, count in
            fuzz(Array(UnsafeBufferPointer(start: start, count: count)))
            return 0
        }
    }
}

/// An input is one byte n, n & 15 bytes of piece lengths (used in turn, 0 means 256), and then the stream. Bit 6 reads
/// it as a client, bit 7 asks for limits that short streams can exceed.
func fuzz(_ input: [UInt8]) {
    guard let first = input.first else { return }
    let lengths = input.dropFirst().prefix(Int(first & 15))
    let stream = Array(input.dropFirst(1 + lengths.count))
    let limit = first & 0x80 == 0 ? 1 << 20 : 40
    let decoder = WebSocketDecoder(role: first & 0x40 == 0 ? .server : .client, payloadByteCountMax: limit)

    let whole = decodeWhole(stream, decoder)
    require(decodePieces(stream, lengths: Array(lengths), decoder) == whole, "the pieces decode otherwise")
    for (frame, bytes) in zip(whole.frames, whole.extents) { check(frame, Array(stream[bytes]), decoder) }
    if let violation = whole.violation { checkEarliest(violation, of: stream, at: whole.end, decoder) }
    checkConversation(whole, stream, limit: limit)
}

/// What a stream holds; offsets into it.
struct Outcome: Equatable {
    var frames: [WebSocketFrame] = []
    var extents: [Range<Int>] = []
    var violation: WebSocketViolation?
    var end = 0
}

func decodeWhole(_ stream: [UInt8], _ decoder: WebSocketDecoder) -> Outcome {
    var outcome = Outcome()
    decode(stream, from: 0, into: &outcome, decoder)
    return outcome
}

/// As a connection does it: keep what is not whole, add the next piece, look again.
func decodePieces(_ stream: [UInt8], lengths: [UInt8], _ decoder: WebSocketDecoder) -> Outcome {
    var (outcome, gathered, arrived, turn) = (Outcome(), [UInt8](), 0, 0)
    while arrived < stream.count, outcome.violation == nil {
        let length = lengths.isEmpty ? 1 : Int(lengths[turn % lengths.count])
        let piece = stream[arrived...].prefix(length == 0 ? 256 : length)
        (arrived, turn) = (arrived + piece.count, turn + 1)
        gathered += piece
        let base = arrived - gathered.count
        decode(gathered, from: base, into: &outcome, decoder)
        gathered.removeFirst(outcome.end - base)
        let isKept = outcome.violation == nil
            && gathered.count >= decoder.payloadByteCountMax + WebSocketFormat.headerByteCountMax
        require(!isKept, "more is kept than a frame may have")
    }
    return outcome
}

/// Take every whole frame of `bytes`, which lie at `base` of the stream.
func decode(_ bytes: [UInt8], from base: Int, into outcome: inout Outcome, _ decoder: WebSocketDecoder) {
    while true {
        let offset = outcome.end - base
        switch decoder.step(bytes.span.bytes, at: offset) {
        case .frame(let frame):
            require(frame.end > offset && frame.end <= bytes.count, "a frame ends outside the bytes")
            let payload = base + frame.payload.lowerBound..<base + frame.payload.upperBound
            outcome.frames.append(
                WebSocketFrame(
                    isFinal: frame.isFinal, opcode: frame.opcode, maskingKey: frame.maskingKey, payload: payload))
            outcome.extents.append(outcome.end..<payload.upperBound)
            outcome.end = payload.upperBound
        case .incomplete(let byteCountNeeded):
            require(byteCountNeeded > bytes.count - offset, "incomplete, but all it needs is there")
            return
        case .violation(let violation):
            outcome.violation = violation
            return
        }
    }
}

/// The encoder writes an accepted frame as it came: every length has one form.
func check(_ frame: WebSocketFrame, _ bytes: [UInt8], _ decoder: WebSocketDecoder) {
    let payload = Array(bytes.suffix(frame.payloadByteCount))
    let isMasked = decoder.role == .server
    let plain = isMasked ? naive(payload, frame.maskingKey) : payload
    let encoded = [UInt8](unsafeUninitializedCapacity: bytes.count) { buffer, count in
        var output = OutputRawSpan(buffer: UnsafeMutableRawBufferPointer(buffer), initializedCount: 0)
        WebSocketEncoder.writeFrame(
            frame.opcode, isFinal: frame.isFinal, payload: plain.span.bytes,
            maskingKey: isMasked ? frame.maskingKey : nil, into: &output)
        count = output.finalize(for: UnsafeMutableRawBufferPointer(buffer))
    }
    require(encoded == bytes, "an accepted frame encodes to other bytes")
    require(payload.count <= decoder.payloadByteCountMax, "a frame over the limit was accepted")
}

func naive(_ bytes: [UInt8], _ key: UInt32) -> [UInt8] {
    let key = withUnsafeBytes(of: key.littleEndian, Array.init)
    return bytes.enumerated().map { $1 ^ key[$0 % 4] }
}

/// Every shorter stream was not refused, and with every byte more it stays refused alike.
func checkEarliest(_ violation: WebSocketViolation, of stream: [UInt8], at offset: Int, _ decoder: WebSocketDecoder) {
    let rest = Array(stream[offset...].prefix(WebSocketFormat.headerByteCountMax))
    var isRefused = false
    for count in 0...rest.count {
        let seen = Array(rest[..<count])
        switch decoder.step(seen.span.bytes, at: 0) {
        case .violation(let found):
            require(found == violation, "a violation changes with the bytes behind it")
            isRefused = true
        case .incomplete: require(!isRefused, "what was refused is taken back")
        case .frame: require(false, "what is refused was a frame")
        }
    }
    require(isRefused, "a violation needs more than a header")
}

// MARK: Messages

/// The conversation against a reader that keeps whole messages in lists.
func checkConversation(_ outcome: Outcome, _ stream: [UInt8], limit: Int) {
    var conversation = WebSocketConversation(messageByteCountMax: limit)
    var reader = NaiveReader(limit: limit)
    for frame in outcome.frames {
        let payload = naive(Array(stream[frame.payload]), frame.maskingKey)
        let event = conversation.receive(frame)
        require(event == reader.read(frame, payload), "\(event) is not what the naive reader says")
        guard case .part(let part) = event, part.kind == .text else {
            if case .violation = event { return }
            continue
        }
        let isText = conversation.receiveText(payload.span.bytes, isLast: part.isLast)
        if part.isLast {
            require(isText == (String(validating: reader.ended, as: UTF8.self) != nil), "a text is judged otherwise")
        }
        if !isText { return }
    }
}

struct NaiveReader {
    let limit: Int
    var opened: WebSocketOpcode?
    var message: [UInt8] = []
    var ended: [UInt8] = []
    var hasClosed = false

    init(limit: Int) { self.limit = limit }

    mutating func read(_ frame: WebSocketFrame, _ payload: [UInt8]) -> WebSocketEvent {
        if hasClosed { return .ignored }
        switch frame.opcode {
        case .ping: return .ping
        case .pong: return .pong
        case .close:
            hasClosed = true
            return .close
        case .continuation where opened == nil: return .violation(.continuationOfNothing)
        case .text where opened != nil, .binary where opened != nil: return .violation(.messageInMessage)
        case .text, .binary, .continuation: return add(frame, payload)
        }
    }

    private mutating func add(_ frame: WebSocketFrame, _ payload: [UInt8]) -> WebSocketEvent {
        let isFirst = opened == nil
        let kind = opened ?? frame.opcode
        message = isFirst ? payload : message + payload
        if message.count > limit { return .violation(.messageTooLarge(limit: limit)) }
        opened = frame.isFinal ? nil : kind
        if frame.isFinal { ended = message }
        return .part(WebSocketPart(kind: kind == .text ? .text : .binary, isFirst: isFirst, isLast: frame.isFinal))
    }
}
