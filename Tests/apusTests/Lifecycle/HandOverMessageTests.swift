// The hand-over's bytes: every message there and back, every way to be wrong.

import Testing

@testable import apus

@Suite struct HandOverMessageTests {
    static let messages: [HandOverMessage] = [
        .take(processID: 70_000, program: "0.1.0"), .upgrade, .end, .released, .ready(processID: 1),
        .listener(
            HandOverListener(name: "edge", address: "[::1]:9000", isActivated: true, descriptorCount: 253)),
        .listener(HandOverListener(name: "", address: "unix:/ü", isActivated: false, descriptorCount: 0)),
        .refused(reason: "no"), .failed(reason: ""), .outcome(succeeded: true, text: "ä"),
        .outcome(succeeded: false, text: "x"),
    ]

    private func body(of message: HandOverMessage) -> [UInt8] {
        Array(message.encoded().dropFirst(HandOverMessage.lengthByteCount))
    }

    @Test(arguments: messages)
    func eachComesBack(message: HandOverMessage) throws {
        let bytes = message.encoded()
        let length = Array(bytes.prefix(HandOverMessage.lengthByteCount))
        #expect(try HandOverMessage.bodyByteCount(length) == bytes.count - length.count)
        #expect(try HandOverMessage(decoding: body(of: message)) == message)
    }

    /// A vector that must not change: programs of different ages read it.
    @Test func theBytesAreThese() {
        let message = HandOverMessage.take(processID: 0x0102_0304, program: "ab")
        #expect(message.encoded() == [0, 0, 0, 10, 1, 1, 1, 2, 3, 4, 0, 2, 97, 98])
        #expect(HandOverMessage.released.encoded() == [0, 0, 0, 2, 1, 6])
    }

    @Test(arguments: messages)
    func whatIsCutOffOrGoesOnIsMalformed(message: HandOverMessage) {
        let body = body(of: message)
        for count in 0..<body.count {
            #expect(throws: HandOverViolation.malformed) { try HandOverMessage(decoding: Array(body.prefix(count))) }
        }
        #expect(throws: HandOverViolation.malformed) { try HandOverMessage(decoding: body + [0]) }
    }

    @Test func strangersAreRefused() {
        #expect(throws: HandOverViolation.version(2)) { try HandOverMessage(decoding: [2, 6]) }
        #expect(throws: HandOverViolation.kind(0)) { try HandOverMessage(decoding: [1, 0]) }
        #expect(throws: HandOverViolation.kind(10)) { try HandOverMessage(decoding: [1, 10]) }
        // A flag that is neither.
        #expect(throws: HandOverViolation.malformed) { try HandOverMessage(decoding: [1, 9, 2, 0, 0]) }
        // More descriptors than the kernel passes at once, and fewer than none.
        for count: [UInt8] in [[0, 0, 0, 254], [0xFF, 0xFF, 0xFF, 0xFF]] {
            #expect(throws: HandOverViolation.malformed) {
                try HandOverMessage(decoding: [1, 3, 0, 0, 0, 0, 0] + count)
            }
        }
    }

    @Test(arguments: [0, 1, HandOverMessage.byteCountMax + 1, 0xFFFF_FFFF])
    func noLengthIsBelieved(count: Int) {
        let bytes = (0..<4).map { UInt8(truncatingIfNeeded: count >> (24 - 8 * $0)) }
        #expect(throws: HandOverViolation.length(count)) { try HandOverMessage.bodyByteCount(bytes) }
    }

    @Test func longTextsAreCutOff() throws {
        let message = HandOverMessage.refused(reason: String(repeating: "x", count: 100_000))
        let body = body(of: message)
        #expect(body.count <= HandOverMessage.byteCountMax)
        guard case .refused(let reason) = try HandOverMessage(decoding: body) else { return #expect(Bool(false)) }
        #expect(reason.utf8.count == HandOverMessage.textByteCountMax)
    }
}
