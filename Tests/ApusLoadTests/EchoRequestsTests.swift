import ApusWire
import Testing

@testable import ApusLoad

@Suite struct EchoRequestsTests {
    @Test(arguments: [0, 1, 7, 8, 9, 64, 1000])
    func `every request is a valid Echo of the announced size`(textByteCount: Int) throws {
        let packet = EchoRequests.packet(of: 42, textByteCount: textByteCount)
        #expect(packet.count == EchoRequests.packetByteCount(textByteCount: textByteCount))
        let payload = try PacketDecoder().decodeWhole(packet.span.bytes)
        guard case .message(let layout) = MessageDecoder.step(packet.span.bytes.extracting(payload)) else {
            Issue.record("not a message")
            return
        }
        #expect(layout.kind == .echo)
        #expect(layout.first.count == textByteCount)
        #expect(packet.suffix(textByteCount).allSatisfy { $0 < 0x80 })
    }

    @Test func `a text of eight bytes or more names its connection`() {
        #expect(String(decoding: EchoRequests.packet(of: 42, textByteCount: 8).suffix(8), as: UTF8.self) == "00000042")
        #expect(EchoRequests.packet(of: 1, textByteCount: 64) != EchoRequests.packet(of: 2, textByteCount: 64))
        #expect(EchoRequests.packet(of: 1, textByteCount: 7) == EchoRequests.packet(of: 2, textByteCount: 7))
    }

    @Test func `a connection's run repeats its packet`() {
        let requests = EchoRequests(connections: 3, textByteCount: 10, countPerSendMax: 4)
        #expect(requests.countPerSend == 4)
        for connection in 0..<3 {
            let packet = EchoRequests.packet(of: connection, textByteCount: 10)
            #expect(Array(requests[connection].prefix(4)) == packet + packet + packet + packet)
            #expect(Array(requests[connection].prefix(1)) == packet)
        }
    }

    @Test func `a send is bounded, and large requests go one at a time`() {
        let small = EchoRequests(connections: 1, textByteCount: 64, countPerSendMax: .max)
        #expect(small.runByteCount <= EchoRequests.sendByteCountMax)
        #expect(small.runByteCount > EchoRequests.sendByteCountMax - small.packetByteCount)
        let large = EchoRequests(connections: 2, textByteCount: 1 << 20, countPerSendMax: 16)
        #expect(large.countPerSend == 1)
    }
}
