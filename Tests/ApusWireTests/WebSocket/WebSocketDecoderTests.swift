// Frames against RFC 6455's examples, each violation at the exact byte, every cut, the limits from both sides.

import ApusWire
import Testing

struct WebSocketDecoderTests {
    /// RFC 6455 §5.7.
    static let examples: [(bytes: [UInt8], role: WebSocketRole, found: [FoundFrame])] = [
        ([0x81, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F], .client,
         [FoundFrame(isFinal: true, opcode: .text, payload: Array("Hello".utf8))]),
        ([0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58], .server,
         [FoundFrame(isFinal: true, opcode: .text, payload: Array("Hello".utf8))]),
        ([0x01, 0x03, 0x48, 0x65, 0x6C, 0x80, 0x02, 0x6C, 0x6F], .client,
         [FoundFrame(isFinal: false, opcode: .text, payload: Array("Hel".utf8)),
          FoundFrame(isFinal: true, opcode: .continuation, payload: Array("lo".utf8))]),
        ([0x89, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F], .client,
         [FoundFrame(isFinal: true, opcode: .ping, payload: Array("Hello".utf8))]),
        ([0x8A, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58], .server,
         [FoundFrame(isFinal: true, opcode: .pong, payload: Array("Hello".utf8))]),
        // A relay's health check, both ways.
        ([0x82, 0x02, 0x01, 0x05], .client, [FoundFrame(isFinal: true, opcode: .binary, payload: [1, 5])]),
        ([0x82, 0x82, 0x37, 0xFA, 0x21, 0x3D, 0x36, 0xFF], .server,
         [FoundFrame(isFinal: true, opcode: .binary, payload: [1, 5])]),
    ]

    @Test(arguments: examples.indices) func examplesAreRead(index: Int) {
        let example = Self.examples[index]
        #expect(foundFrames(example.bytes, role: example.role) == example.found)
    }

    static let sizes = [0, 1, 2, 124, 125, 126, 127, 128, 1200, 65535, 65536, 70000]

    @Test(arguments: sizes, [WebSocketRole.server, .client]) func everyLengthIsRead(size: Int, role: WebSocketRole) {
        let payload = (0..<size).map { UInt8(truncatingIfNeeded: $0 * 31) }
        let bytes = RawFrame(payload: payload, key: role == .server ? [9, 0, 255, 3] : nil).bytes
        #expect(foundFrames(bytes, role: role) == [FoundFrame(isFinal: true, opcode: .binary, payload: payload)])
    }

    @Test(arguments: [0, 1, 125, 126, 300], [WebSocketRole.server, .client])
    func isIncompleteAtEverySplitAndAsksForWhatItNeeds(size: Int, role: WebSocketRole) {
        let key: [UInt8]? = role == .server ? [1, 2, 3, 4] : nil
        let bytes = RawFrame(payload: [UInt8](repeating: 7, count: size), key: key).bytes
        let (lengthEnd, keyByteCount) = (size < 126 ? 2 : 4, key?.count ?? 0)
        for count in 0..<bytes.count {
            let known = count >= 2 ? lengthEnd + keyByteCount : 2 + keyByteCount
            let expected = count >= lengthEnd ? bytes.count : known
            #expect(decodeFrame(Array(bytes[..<count]), role: role) == .incomplete(byteCountNeeded: expected))
        }
        let among = [0xFF, 0xFF, 0xFF] + bytes + [0xFF]
        guard case .frame(let frame) = decodeFrame(among, at: 3, role: role) else {
            Issue.record("not read among other bytes")
            return
        }
        #expect(frame.end == 3 + bytes.count && frame.payloadByteCount == size)
    }

    @Test func reservedBitsAreRefusedAtTheFirstByte() {
        for bits in UInt8(1)...7 {
            for opcode in UInt8(0)...15 {
                let bytes = RawFrame(reserved: bits, opcode: opcode).bytes
                for count in 1...bytes.count { #expect(frameViolation(Array(bytes[..<count])) == .reservedBits(bits)) }
            }
        }
    }

    @Test func unknownOpcodesAreRefusedAtTheFirstByte() {
        for opcode in UInt8(0)...15 where WebSocketOpcode(rawValue: opcode) == nil {
            let bytes = RawFrame(opcode: opcode).bytes
            for count in 1...bytes.count { #expect(frameViolation(Array(bytes[..<count])) == .opcode(opcode)) }
        }
    }

    @Test func fragmentedControlFramesAreRefusedAtTheFirstByte() {
        for opcode in WebSocketOpcode.allCases where opcode.isControl {
            let bytes = RawFrame(isFinal: false, opcode: opcode.rawValue).bytes
            for count in 1...bytes.count {
                #expect(frameViolation(Array(bytes[..<count])) == .controlFragmented(opcode))
            }
        }
    }

    @Test func longControlFramesAreRefusedAtTheSecondByte() {
        for opcode in WebSocketOpcode.allCases where opcode.isControl {
            for length in [126, 127, 65536] {
                let bytes = RawFrame(opcode: opcode.rawValue, payload: [UInt8](repeating: 0, count: length)).bytes
                #expect(frameViolation(Array(bytes[..<2])) == .controlTooLong)
                #expect(frameViolation(bytes) == .controlTooLong)
            }
            let longest = RawFrame(opcode: opcode.rawValue, payload: [UInt8](repeating: 0, count: 125)).bytes
            #expect(foundFrames(longest).map(\.payload.count) == [125])
        }
    }

    @Test func theWrongMaskingIsRefusedAtTheSecondByte() {
        for opcode in WebSocketOpcode.allCases {
            let (masked, plain) = (RawFrame(opcode: opcode.rawValue), RawFrame(opcode: opcode.rawValue, key: nil))
            #expect(frameViolation(Array(plain.bytes[..<2])) == .notMasked)
            #expect(frameViolation(Array(masked.bytes[..<2]), role: .client) == .masked)
            #expect(decodeFrame([masked.bytes[0]], role: .client) == .incomplete(byteCountNeeded: 2))
        }
    }

    @Test func lengthsAreInTheirShortestForm() {
        for length in [0, 1, 125] {
            let payload = [UInt8](repeating: 0, count: length)
            #expect(frameViolation(RawFrame(payload: payload, lengthByteCount: 2).bytes) == .lengthNotShortest)
            #expect(frameViolation(RawFrame(payload: payload, lengthByteCount: 8).bytes) == .lengthNotShortest)
        }
        for length in [126, 65535] {
            let payload = [UInt8](repeating: 0, count: length)
            let bytes = RawFrame(payload: payload, lengthByteCount: 8).bytes
            #expect(frameViolation(Array(bytes[..<10])) == .lengthNotShortest)
            #expect(decodeFrame(Array(bytes[..<9])) == .incomplete(byteCountNeeded: 14))
        }
    }

    @Test func theTopBitOfALengthIsRefused() {
        for top in [UInt8(0x80), 0xFF] {
            let bytes: [UInt8] = [0x82, 0xFF, top, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]
            #expect(frameViolation(bytes, limit: .max) == .lengthTopBit)
        }
        let largest: [UInt8] = [0x82, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]
        #expect(decodeFrame(largest, limit: .max) == .incomplete(byteCountNeeded: .max))
        #expect(frameViolation(largest) == .frameTooLarge(byteCount: .max, limit: 1 << 20))
    }

    /// With the header's length alone, before the key and before any payload.
    @Test(arguments: [0, 10, 125, 126, 8820, 65535, 65536]) func theLimitIsInclusiveAndJudgedEarly(limit: Int) {
        let fits = RawFrame(payload: [UInt8](repeating: 1, count: limit)).bytes
        guard case .frame(let frame) = decodeFrame(fits, limit: limit) else {
            Issue.record("exactly the limit is refused")
            return
        }
        #expect(frame.payloadByteCount == limit)
        let exceeds = RawFrame(payload: [UInt8](repeating: 1, count: limit + 1)).bytes
        let lengthEnd = limit + 1 < 126 ? 2 : limit + 1 < 65536 ? 4 : 10
        let expected = WebSocketViolation.frameTooLarge(byteCount: limit + 1, limit: limit)
        for count in lengthEnd...lengthEnd + 4 {
            #expect(frameViolation(Array(exceeds[..<count]), limit: limit) == expected)
        }
        #expect(frameViolation(Array(exceeds[..<(lengthEnd - 1)]), limit: limit) == nil)
    }

    @Test func whatAFrameHoldsIsNotLookedAt() {
        let key: [UInt8] = [0, 0, 0, 0]
        let bytes = RawFrame(payload: [0xFF, 0x80], key: key).bytes
        guard case .frame(let frame) = decodeFrame(bytes) else { return }
        #expect(frame.maskingKey == 0 && frame.payload == 6..<8 && frame.end == 8)
        #expect(MemoryLayout<WebSocketFrame>.size <= 24)
    }

    @Test func anOffsetOutsideTheBytesStopsTheProgram() async {
        let behind = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = decodeFrame([1, 2, 3], at: 4)
        }
        expect(behind, says: "a frame starts within the bytes")
        await #expect(processExitsWith: .failure) {
            _ = WebSocketDecoder(role: .server, payloadByteCountMax: -1)
        }
    }

    static let codes: [(violation: WebSocketViolation, code: UInt16)] = [
        (.reservedBits(4), 1002), (.opcode(3), 1002), (.notMasked, 1002), (.masked, 1002),
        (.controlFragmented(.ping), 1002), (.controlTooLong, 1002), (.lengthNotShortest, 1002), (.lengthTopBit, 1002),
        (.frameTooLarge(byteCount: 9, limit: 8), 1009), (.continuationOfNothing, 1002), (.messageInMessage, 1002),
        (.messageTooLarge(limit: 8), 1009), (.textNotUTF8, 1007), (.closePayloadCut, 1002), (.closeCode(1005), 1002),
        (.closeReasonNotUTF8, 1007),
    ]

    @Test(arguments: codes.indices) func violationsCloseWithTheirCode(index: Int) {
        let (violation, code) = Self.codes[index]
        #expect(violation.closeCode.rawValue == code && violation.closeCode.mayBeSent)
        #expect(violation.closeReason.utf8CodeUnitCount <= WebSocketFormat.closeReasonByteCountMax)
        #expect(!"\(violation)".isEmpty)
    }

    @Test func violationsSayWhat() {
        #expect("\(WebSocketViolation.reservedBits(0b101))".contains("RSV bits 101"))
        #expect("\(WebSocketViolation.controlFragmented(.close))".contains("a close frame is fragmented"))
        #expect("\(WebSocketViolation.frameTooLarge(byteCount: 99, limit: 98))".contains("99 bytes, the limit is 98"))
    }
}
