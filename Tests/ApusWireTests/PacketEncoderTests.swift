// What leaves: never oversize, always the bytes that were promised.

import ApusWire
import Testing

struct PacketEncoderTests {
    /// The bytes of one header.
    private func written(_ payloadByteCount: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 16) { buffer, count in
            var output = OutputRawSpan(buffer: UnsafeMutableRawBufferPointer(buffer), initializedCount: 0)
            PacketEncoder.writeHeader(payloadByteCount: payloadByteCount, into: &output)
            count = output.finalize(for: UnsafeMutableRawBufferPointer(buffer))
        }
    }

    @Test func headersAreNineBytes() {
        #expect(written(0) == [0x4E, 0x50, 0x52, 0x4F, 1, 0, 0, 0, 0])
        #expect(written(0x0012_3456) == [0x4E, 0x50, 0x52, 0x4F, 1, 0x00, 0x12, 0x34, 0x56])
        #expect(written(16 * 1024 * 1024) == [0x4E, 0x50, 0x52, 0x4F, 1, 1, 0, 0, 0])
    }

    @Test func theLargestMessageFitsAndOneByteMoreDoesNot() async {
        let room = PacketFormat.payloadByteCountMax - 21  // discriminant, two lengths, "X"
        let packet = PacketEncoder.encode(.custom(command: "X", payload: [UInt8](repeating: 3, count: room)))
        #expect(packet.count == 9 + PacketFormat.payloadByteCountMax)
        #expect(step(packet) == .packet(payload: 9..<packet.count))
        await #expect(processExitsWith: .failure) {
            let room = PacketFormat.payloadByteCountMax - 20
            _ = PacketEncoder.encode(.custom(command: "X", payload: [UInt8](repeating: 3, count: room)))
        }
    }

    @Test func spansEncodeAsOwnedMessagesDo() {
        let (text, content) = (Array("grüezi".utf8), [UInt8]([0, 255, 7]))
        let encoded = [UInt8](unsafeUninitializedCapacity: 100) { buffer, count in
            var output = OutputRawSpan(buffer: UnsafeMutableRawBufferPointer(buffer), initializedCount: 0)
            MessageEncoder.encodeBare(.pong, into: &output)
            MessageEncoder.encodeEcho(text: text.span.bytes, into: &output)
            MessageEncoder.encodeCustom(command: text.span.bytes, content: content.span.bytes, into: &output)
            count = output.finalize(for: UnsafeMutableRawBufferPointer(buffer))
        }
        let custom = Message.custom(command: "grüezi", payload: content)
        #expect(encoded == encode(.pong) + encode(.echo("grüezi")) + encode(custom))
        #expect(MessageEncoder.byteCountOfEcho(textByteCount: 7) == 19)
        #expect(MessageEncoder.byteCountOfCustom(commandByteCount: 7, contentByteCount: 3) == 30)
    }

    @Test func appendingNeedsRoom() async {
        let bytes = [UInt8](unsafeUninitializedCapacity: 3) { buffer, count in
            var output = OutputRawSpan(buffer: UnsafeMutableRawBufferPointer(buffer), initializedCount: 0)
            output.append(copying: RawSpan())
            output.append(copying: [1, 2, 3].span.bytes.extracting(0..<0))
            let three: [UInt8] = [1, 2, 3]
            output.append(copying: three.span.bytes)
            count = output.finalize(for: UnsafeMutableRawBufferPointer(buffer))
        }
        #expect(bytes == [1, 2, 3])
        let copying = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            var output = OutputRawSpan()
            let one: [UInt8] = [1]
            output.append(copying: one.span.bytes)
        }
        let storing = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            var output = OutputRawSpan()
            MessageEncoder.encodeBare(.ping, into: &output)
        }
        for result in [copying, storing] { expect(result, says: "the output has no room") }
    }

    @Test func unknownIsSentAsEight() {
        #expect(encode(.unknown(discriminant: 77)) == [8, 0, 0, 0])
    }

    @Test func fieldsOfTheWrongSizeStopTheProgram() async {
        await #expect(processExitsWith: .failure) { _ = encode(.handshakeConfirm(verification: [1, 2, 3])) }
        await #expect(processExitsWith: .failure) {
            let key = [UInt8](repeating: 0, count: 32)
            _ = encode(.handshakeInit(publicKey: key, timestampMilliseconds: 0, nonce: key))
        }
    }
}
