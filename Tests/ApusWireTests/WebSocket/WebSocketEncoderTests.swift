// What leaves: every length in its shortest form, read back by the decoder; control frames and reasons cut to size.

import ApusWire
import Testing

struct WebSocketEncoderTests {
    @Test(arguments: WebSocketDecoderTests.sizes, [nil, UInt32(0x3D21_FA37), 0])
    func framesAreReadBack(size: Int, key: UInt32?) {
        let payload = (0..<size).map { UInt8(truncatingIfNeeded: $0 * 3) }
        let bytes = written { output in
            WebSocketEncoder.writeFrame(
                .text, isFinal: false, payload: payload.span.bytes, maskingKey: key, into: &output)
        }
        let headerByteCount = WebSocketEncoder.headerByteCount(payloadByteCount: size, isMasked: key != nil)
        #expect(bytes.count == headerByteCount + size)
        let expected = RawFrame(isFinal: false, opcode: 1, payload: payload, key: key.map(keyBytes)).bytes
        #expect(bytes == expected)
        let found = foundFrames(bytes, role: key == nil ? .client : .server)
        #expect(found == [FoundFrame(isFinal: false, opcode: .text, payload: payload)])
    }

    private func keyBytes(_ key: UInt32) -> [UInt8] { withUnsafeBytes(of: key.littleEndian, Array.init) }

    @Test func controlFramesAreRFCExamples() {
        let hello = Array("Hello".utf8)
        #expect(written { WebSocketEncoder.writePing(hello.span.bytes, into: &$0) } == [0x89, 5] + hello)
        let pong = written { WebSocketEncoder.writePong(hello.span.bytes, maskingKey: 0x3D21_FA37, into: &$0) }
        #expect(pong == [0x8A, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58])
        #expect(written { WebSocketEncoder.writeClose(nil, into: &$0) } == [0x88, 0])
        #expect(written { WebSocketEncoder.writeClose(.normal, into: &$0) } == [0x88, 2, 0x03, 0xE8])
        let refused = written { WebSocketEncoder.writeClose(.policyViolation, reason: "no", into: &$0) }
        #expect(refused == [0x88, 4, 0x03, 0xF0, 0x6E, 0x6F])
        let masked = written { WebSocketEncoder.writeClose(.normal, reason: "bye", maskingKey: 0x0403_0201, into: &$0) }
        let expected: [UInt8] = [0x88, 0x85, 1, 2, 3, 4, 0x02, 0xEA, 0x61, 0x7D, 0x64]
        #expect(masked == expected)
        #expect(WebSocketEncoder.controlFrameByteCountMax == 131)
    }

    /// Of every width of character, so that the cut falls on each of their bytes.
    @Test(arguments: ["a", "é", "€", "🐦"]) func reasonsAreCutBetweenCharacters(character: String) {
        for lead in 0...4 {
            let reason = String(repeating: "x", count: lead) + String(repeating: character, count: 130)
            let text = Array(reason.utf8)
            let bytes = written { WebSocketEncoder.writeClose(.normal, reason: text.span.bytes, into: &$0) }
            let sent = Array(bytes.dropFirst(4))
            #expect(sent.count > 123 - character.utf8.count && sent.count <= 123)
            #expect(String(validating: sent, as: UTF8.self).map { reason.hasPrefix($0) } == true)
            #expect(bytes[1] == UInt8(sent.count + 2))
        }
    }

    @Test func whatTheProtocolForbidsStopsTheProgram() async {
        let long = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = written { WebSocketEncoder.writeHeader(.ping, payloadByteCount: 126, into: &$0) }
        }
        let fragment = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = written { WebSocketEncoder.writeHeader(.close, isFinal: false, payloadByteCount: 2, into: &$0) }
        }
        for result in [long, fragment] { expect(result, says: "a control frame is whole and has at most 125 bytes") }
        let code = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = written { WebSocketEncoder.writeClose(WebSocketCloseCode(rawValue: 1005), into: &$0) }
        }
        expect(code, says: "this code never travels")
    }
}
