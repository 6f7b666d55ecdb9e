// The table of a conversation: each frame in each state, limits over all fragments, and what a close leaves.

import ApusWire
import Testing

struct WebSocketConversationTests {
    /// How a conversation gets into each of its states.
    static let states: [(name: String, frames: [WebSocketFrame], closes: Bool)] = [
        ("between messages", [], false),
        ("in a text", [frame(.text, byteCount: 1, isFinal: false)], false),
        ("in a binary message", [frame(.binary, byteCount: 1, isFinal: false)], false),
        ("closing", [], true),
        ("closed", [frame(.close)], false),
        ("closed by both", [frame(.close)], true),
    ]

    private static func part(_ kind: WebSocketPart.Kind, _ isFirst: Bool, _ isLast: Bool) -> WebSocketEvent {
        .part(WebSocketPart(kind: kind, isFirst: isFirst, isLast: isLast))
    }

    private static let nothing = WebSocketEvent.violation(.continuationOfNothing)
    private static let inside = WebSocketEvent.violation(.messageInMessage)

    /// For each state the events of: text, binary, continuation (each final and not), close, ping, pong.
    static let table: [[WebSocketEvent]] = [
        [part(.text, true, true), part(.text, true, false), part(.binary, true, true), part(.binary, true, false),
         nothing, nothing, .close, .ping, .pong],
        [inside, inside, inside, inside, part(.text, false, true), part(.text, false, false), .close, .ping, .pong],
        [inside, inside, inside, inside, part(.binary, false, true), part(.binary, false, false), .close, .ping, .pong],
        [.ignored, .ignored, .ignored, .ignored, .ignored, .ignored, .close, .ignored, .ignored],
        Array(repeating: .ignored, count: 9),
        Array(repeating: .ignored, count: 9),
    ]

    static let messages: [WebSocketFrame] =
        [WebSocketOpcode.text, .binary, .continuation].flatMap {
            [frame($0, byteCount: 1), frame($0, byteCount: 1, isFinal: false)]
        } + [frame(.close), frame(.ping), frame(.pong)]

    @Test(arguments: states.indices) func everyFrameInEveryState(state: Int) {
        for (index, message) in Self.messages.enumerated() {
            var conversation = WebSocketConversation(messageByteCountMax: 100)
            for frame in Self.states[state].frames { _ = conversation.receive(frame) }
            if Self.states[state].closes { conversation.beginClosing() }
            let event = conversation.receive(message)
            #expect(event == Self.table[state][index], "\(Self.states[state].name): \(message.opcode)")
            #expect(conversation.isClosed == (state >= 4 || event == .close))
        }
    }

    @Test func controlFramesDoNotEndAMessage() {
        var conversation = WebSocketConversation(messageByteCountMax: 100)
        let frames = [
            frame(.text, byteCount: 1, isFinal: false), frame(.ping), frame(.continuation, isFinal: false),
            frame(.pong), frame(.continuation, byteCount: 2), frame(.binary),
        ]
        let events = frames.map { conversation.receive($0) }
        #expect(events == [
            Self.part(.text, true, false), .ping, Self.part(.text, false, false), .pong, Self.part(.text, false, true),
            Self.part(.binary, true, true),
        ])
        #expect(!conversation.isClosed)
    }

    @Test func anEndThatIsTakenBackComesAgain() {
        var conversation = WebSocketConversation(messageByteCountMax: 100)
        _ = conversation.receive(frame(.binary, byteCount: 60, isFinal: false))
        for _ in 0..<3 {
            let end = frame(.continuation, byteCount: 40)
            #expect(conversation.receive(end) == Self.part(.binary, false, true))
            conversation.takeBackEnd(byteCount: 40)
        }
        // Its bytes were taken back with it, no more and no less.
        var tooLarge = conversation
        let event = tooLarge.receive(frame(.continuation, byteCount: 41))
        #expect(event == .violation(.messageTooLarge(limit: 100)))
        #expect(conversation.receive(frame(.continuation, byteCount: 40)) == Self.part(.binary, false, true))
        #expect(conversation.receive(frame(.binary)) == Self.part(.binary, true, true))
    }

    @Test func theLimitIsOfAllFragmentsTogether() {
        for sizes in [[100], [50, 50], [0, 100, 0], [99, 1], [1, 99]] {
            #expect(events(ofFragments: sizes).allSatisfy { if case .part = $0 { true } else { false } })
        }
        for sizes in [[101], [50, 51], [100, 0, 1], [1, 100], [.max], [1, .max]] {
            #expect(events(ofFragments: sizes).last == .violation(.messageTooLarge(limit: 100)), "\(sizes)")
        }
    }

    private func events(ofFragments sizes: [Int]) -> [WebSocketEvent] {
        var conversation = WebSocketConversation(messageByteCountMax: 100)
        // A message before it has no part in the sum.
        _ = conversation.receive(frame(.text, byteCount: 60, isFinal: false))
        _ = conversation.receive(frame(.continuation, byteCount: 40))
        return sizes.enumerated().map { index, size in
            let opcode: WebSocketOpcode = index == 0 ? .binary : .continuation
            return conversation.receive(frame(opcode, byteCount: size, isFinal: index == sizes.count - 1))
        }
    }

    @Test func theStateIsSmall() {
        #expect(MemoryLayout<WebSocketConversation>.size <= 32)
        #expect(WebSocketPart(kind: .text, isFirst: true, isLast: true).isWhole)
        #expect(!WebSocketPart(kind: .text, isFirst: true, isLast: false).isWhole)
    }

    @Test func textIsJudgedAcrossFragmentsAndAnewWithEachMessage() {
        let bird = Array("🐦".utf8)
        var conversation = WebSocketConversation(messageByteCountMax: 100)
        func receive(_ bytes: [UInt8], _ isLast: Bool) -> Bool {
            conversation.receiveText(bytes.span.bytes, isLast: isLast)
        }
        for split in 0...4 {
            #expect(receive(Array(bird[..<split]), false))
            #expect(receive(Array(bird[split...]), true))
        }
        #expect(receive(Array(bird[..<3]), false))
        #expect(!receive([], true), "a message ends within a character")
        #expect(receive([], true), "the next begins anew")
        #expect(!receive([0xF4, 0x90], false), "no character begins like this, so it fails before its end")
        #expect(receive(bird, true))
    }
}

struct WebSocketClosureTests {
    private func closure(_ bytes: [UInt8]) throws(WebSocketViolation) -> WebSocketClosure {
        try WebSocketClosure(payload: bytes.span.bytes)
    }

    @Test func codesThatMayTravel() throws {
        for code in UInt16.min...UInt16.max {
            let isValid = [1000...1003, 1007...1014, 3000...4999].contains { $0.contains(Int(code)) }
            do throws(WebSocketViolation) {
                let found = try closure([UInt8(code >> 8), UInt8(code & 0xFF)]).code?.rawValue
                if !isValid || found != code { Issue.record("\(code) is read as \(found ?? 0)") }
            } catch {
                if isValid || error != .closeCode(code) { Issue.record("\(code) is refused as \(error)") }
            }
        }
    }

    @Test func emptyOneByteAndReason() throws {
        #expect(try closure([]).code == nil)
        #expect(throws: WebSocketViolation.closePayloadCut) { try closure([3]) }
        let found = try closure([0x03, 0xE8] + Array("grüezi".utf8))
        #expect(found.code == .normal && found.reason == 2..<9)
        #expect(throws: WebSocketViolation.closeReasonNotUTF8) { try closure([0x03, 0xE8, 0xC3]) }
        #expect(throws: WebSocketViolation.closeReasonNotUTF8) { try closure([0x03, 0xE8, 0xED, 0xA0, 0x80]) }
    }
}
