// Payloads that are messages, payloads that are not, and the lengths in between.

import ApusWire
import TestSupport
import Testing

struct MessageDecoderTests {
    /// One of each kind that has a body, with multi-byte text so that cuts fall inside sequences.
    static let samples: [Message] = [
        .ping,
        .handshakeInit(
            publicKey: [UInt8](0..<32), timestampMilliseconds: 0x0123_4567_89AB_CDEF, nonce: [UInt8](100..<116)),
        .handshakeResponse(
            publicKey: [UInt8](0..<32), nonce: [UInt8](100..<116), verification: [UInt8](200..<232)),
        .handshakeConfirm(verification: [UInt8](200..<232)),
        .echo("añb→c🐦"),
        .custom(command: "ré", payload: [1, 2, 3]),
    ]

    @Test(arguments: samples) func everyTruncationIsAViolation(message: Message) throws {
        let payload = encode(message)
        for count in 0..<payload.count {
            guard case .violation(let violation) = step(Array(payload[..<count])) else {
                Issue.record("\(count) of \(payload.count) bytes decoded")
                continue
            }
            switch violation {
            case .truncated(let kind, let needed, let found):
                #expect(found == count && needed > count && needed <= payload.count)
                #expect(kind == (count < 4 ? nil : message.kind))
            case .lengthOverflow(_, let byteCount, let remaining):
                #expect(byteCount > remaining)
            case .invalidUTF8:
                Issue.record("cut at \(count): the length was not checked before the text")
            }
        }
        #expect(try decode(payload) == message)
    }

    @Test(arguments: samples) func trailingBytesAreAccepted(message: Message) throws {
        let payload = encode(message)
        for tail in [[UInt8](arrayLiteral: 0), [0xFF, 0xC0], [UInt8](repeating: 0x80, count: 1000)] {
            #expect(try decode(payload + tail) == message)
            guard case .message(let layout) = step(payload + tail) else { continue }
            #expect(layout.byteCount == payload.count)
        }
    }

    @Test func truncationSaysWhatWasNeeded() {
        #expect(step([]) == .violation(.truncated(kind: nil, needed: 4, found: 0)))
        #expect(step([5, 0, 0]) == .violation(.truncated(kind: nil, needed: 4, found: 3)))
        #expect(step([5, 0, 0, 0]) == .violation(.truncated(kind: .echo, needed: 12, found: 4)))
        #expect(step([7, 0, 0, 0, 1]) == .violation(.truncated(kind: .custom, needed: 12, found: 5)))
        let custom = littleEndian(UInt32(7)) + littleEndian(UInt64(1)) + [0x41]
        #expect(step(custom) == .violation(.truncated(kind: .custom, needed: 21, found: 13)))
        #expect(step([2, 0, 0, 0]) == .violation(.truncated(kind: .handshakeInit, needed: 60, found: 4)))
        #expect(step([3, 0, 0, 0]) == .violation(.truncated(kind: .handshakeResponse, needed: 84, found: 4)))
        #expect(step([4, 0, 0, 0]) == .violation(.truncated(kind: .handshakeConfirm, needed: 36, found: 4)))
    }

    @Test(arguments: [UInt64.max, UInt64(Int.max), UInt64(Int.max) + 1, UInt64.max - 11, 1 << 32, 4])
    func lengthsBeyondTheEndAreViolations(length: UInt64) {
        let text = littleEndian(UInt32(5)) + littleEndian(length) + [1, 2, 3]
        #expect(step(text) == .violation(.lengthOverflow(.text, byteCount: length, remaining: 3)))
        let command = littleEndian(UInt32(7)) + littleEndian(length) + [1, 2, 3]
        #expect(step(command) == .violation(.lengthOverflow(.command, byteCount: length, remaining: 3)))
        let content = littleEndian(UInt32(7)) + littleEndian(UInt64(0)) + littleEndian(length) + [1, 2, 3]
        #expect(step(content) == .violation(.lengthOverflow(.content, byteCount: length, remaining: 3)))
    }

    @Test func everyUnknownDiscriminantIsUnknownWithAndWithoutTail() throws {
        var generator = SeededGenerator.announced()
        var discriminants: [UInt32] = [9, 10, 255, 256, 0x0005_0000, 0x0500_0000, 0x8000_0000, .max - 1, .max]
        discriminants += (0..<32).map { UInt32(1) << $0 }.filter { $0 > 8 }
        discriminants += (0..<2000).map { _ in UInt32.random(in: 9...UInt32.max, using: &generator) }
        for discriminant in discriminants {
            let bare = littleEndian(discriminant)
            #expect(try decode(bare) == .unknown(discriminant: discriminant))
            #expect(try decode(bare + [0xC0, 0xFF]) == .unknown(discriminant: discriminant))
            guard case .message(let layout) = step(bare + [0xC0, 0xFF]) else { continue }
            #expect(layout.discriminant == discriminant && layout.kind == .unknown && layout.byteCount == 4)
            #expect(layout.first.isEmpty && layout.second.isEmpty)
        }
    }

    @Test func knownDiscriminantsAreTheirRawValues() {
        #expect(MessageKind.allCases.map(\.rawValue) == Array(0...8))
        for kind in MessageKind.allCases { #expect(MessageKind(discriminant: kind.rawValue) == kind) }
    }

    @Test func invalidTextIsRefusedAtItsByte() {
        let text: [UInt8] = Array("0123456789".utf8) + [0xC3, 0x28]
        let echo = littleEndian(UInt32(5)) + littleEndian(UInt64(text.count)) + text
        #expect(step(echo) == .violation(.invalidUTF8(.text, offset: 10)))
        let custom = littleEndian(UInt32(7)) + littleEndian(UInt64(text.count)) + text + littleEndian(UInt64(0))
        #expect(step(custom) == .violation(.invalidUTF8(.command, offset: 10)))
    }

    @Test func aSequenceMustNotRunOverTheEndOfItsField() {
        // C3 A9 is "é", but the length cuts it in two and leaves A9 as a trailing byte.
        let echo = littleEndian(UInt32(5)) + littleEndian(UInt64(1)) + [0xC3, 0xA9]
        #expect(step(echo) == .violation(.invalidUTF8(.text, offset: 0)))
    }

    @Test func aCustomPayloadMayBeAnyBytes() throws {
        let message = Message.custom(command: "", payload: [0xC0, 0xFF, 0x80])
        #expect(try decode(encode(message)) == message)
    }

    @Test func viewsShowTextCommandAndContent() {
        let echo = encode(.echo("grüezi")) + [9, 9]
        withView(echo) { view in
            let (text, encoded) = (view.text.copyBytes(), view.encoded.copyBytes())
            #expect(text == Array("grüezi".utf8))
            #expect(encoded == echo.dropLast(2))
        }
        withView(encode(.custom(command: "RUN", payload: [1, 2]))) { view in
            let (command, content) = (view.command.copyBytes(), view.content.copyBytes())
            #expect(command == Array("RUN".utf8))
            #expect(content == [1, 2])
        }
    }

    @Test func askingForAFieldOfAnotherKindStopsTheProgram() async {
        await #expect(processExitsWith: .failure) { withView(encode(.ping)) { _ = $0.text } }
        await #expect(processExitsWith: .failure) { withView(encode(.echo("x"))) { _ = $0.command } }
        await #expect(processExitsWith: .failure) { withView(encode(.echo("x"))) { _ = $0.content } }
    }

    @Test func violationsSayWhatAndWhere() {
        let cut = MessageViolation.truncated(kind: nil, needed: 4, found: 1)
        let short = MessageViolation.truncated(kind: .echo, needed: 12, found: 5)
        #expect("\(cut)".contains("the message takes at least 4 bytes and the payload has 1"))
        #expect("\(short)".contains("Echo takes at least 12 bytes and the payload has 5"))
        let overflow = MessageViolation.lengthOverflow(.content, byteCount: .max, remaining: 3)
        #expect("\(overflow)".contains("the content announces 18446744073709551615 bytes and 3 follow"))
        #expect("\(MessageViolation.invalidUTF8(.text, offset: 7))".contains("the text is not UTF-8 at its byte 7"))
    }
}

/// Lend the view of a payload that is known to decode.
func withView(_ payload: [UInt8], _ body: (borrowing MessageView) -> Void) {
    let bytes = payload.span.bytes
    guard case .message(let layout) = MessageDecoder.step(bytes) else {
        Issue.record("the payload did not decode")
        return
    }
    body(MessageView(payload: bytes, layout: layout))
}
