// libFuzzer driver for the message codec: a layout lies within its payload, its strings are what the standard library
// calls UTF-8, and decode → encode → decode is stable.

import ApusWire
import FuzzSupport

@main
struct FuzzMessage {
    static func main() {
        runFuzzer { start, count in
            fuzz(Array(UnsafeBufferPointer(start: start, count: count)))
            return 0
        }
    }
}

func fuzz(_ payload: [UInt8]) {
    switch MessageDecoder.step(payload.span.bytes) {
    case .message(let layout):
        check(layout, in: payload)
        checkRoundTrip(layout, payload)
    case .violation(let violation):
        check(violation, in: payload)
    }
}

func check(_ layout: MessageLayout, in payload: [UInt8]) {
    require(layout.byteCount <= payload.count, "the value is longer than its payload")
    for range in [layout.first, layout.second] {
        require(range.lowerBound >= 4 && range.upperBound <= layout.byteCount, "a field out of bounds")
    }
    require(layout.first.upperBound <= layout.second.lowerBound, "the fields overlap")
    require(layout.kind == MessageKind(discriminant: layout.discriminant), "the kind is not the discriminant's")
    guard layout.kind == .echo || layout.kind == .custom else { return }
    require(isUTF8(payload[layout.first]), "ill-formed text was accepted")
}

/// Bytes → message → bytes gives the bytes that were read; once more gives the same again.
func checkRoundTrip(_ layout: MessageLayout, _ payload: [UInt8]) {
    let message = MessageView(payload: payload.span.bytes, layout: layout).copyMessage()
    let encoded = encode(message)
    require(encoded.count == MessageEncoder.byteCount(of: message), "the byte count was wrong")
    // An unknown message is sent as 8, whatever it was.
    let expected = layout.kind == .unknown ? [8, 0, 0, 0] : Array(payload[..<layout.byteCount])
    require(encoded == expected, "a message encodes to other bytes")
    do {
        let again = try Message(decoding: encoded.span.bytes)
        require(encode(again) == encoded, "the second encoding differs")
        require(layout.kind == .unknown || again == message, "the second decoding differs")
    } catch {
        require(false, "what was encoded does not decode: \(error)")
    }
}

func check(_ violation: MessageViolation, in payload: [UInt8]) {
    switch violation {
    case .truncated(_, let needed, let found):
        require(found == payload.count && needed > found, "truncated, but all is there")
    case .lengthOverflow(_, let byteCount, let remaining):
        require(remaining <= payload.count && byteCount > UInt64(remaining), "overflow, but it fits")
    case .invalidUTF8(_, let offset):
        // Text and command both lie behind the discriminant and their length.
        let text = payload.dropFirst(12).prefix(payload[4..<12].reversed().reduce(0) { $0 << 8 | Int($1) })
        require(!isUTF8(text), "well-formed text was refused")
        require(isUTF8(text.prefix(offset)), "the fault lies before the offset")
    }
}

func isUTF8(_ bytes: ArraySlice<UInt8>) -> Bool {
    String(validating: bytes, as: UTF8.self) != nil
}

func encode(_ message: Message) -> [UInt8] {
    Array(PacketEncoder.encode(message).dropFirst(PacketFormat.headerByteCount))
}
