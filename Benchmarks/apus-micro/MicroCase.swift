// What is measured: a name, the packets of one pass, and the work done on them.

import ApusWire

/// Each pass handles `packetCount` packets that lie behind one another, as in one receive.
enum MicroCase: String, CaseIterable {
    /// Decode packet and message, validate the text; answer nothing.
    case decodeEcho64 = "decode-echo-64"
    /// Encode an Echo packet.
    case encodeEcho64 = "encode-echo-64"
    /// Decode, dispatch, write the reply: what a connection's turn does between receive and send.
    case sessionEcho64 = "session-echo-64"
    case sessionEcho16k = "session-echo-16k"
    case sessionPing = "session-ping"
    /// A custom command with a registered handler: one table look-up and one closure more.
    case sessionCustom64 = "session-custom-64"

    var message: Message {
        switch self {
        case .decodeEcho64, .encodeEcho64, .sessionEcho64: .echo(String(repeating: "a", count: 64))
        case .sessionEcho16k: .echo(String(repeating: "a", count: 16 * 1024))
        case .sessionPing: .ping
        case .sessionCustom64: .custom(command: "SUM", payload: [UInt8](repeating: 7, count: 64))
        }
    }

    var packetCount: Int { self == .sessionEcho16k ? 2 : 64 }

    var packets: [UInt8] {
        let packet = PacketEncoder.encode(message)
        return (0..<packetCount).flatMap { _ in packet }
    }

    /// Handle at least `count` packets; returns how many it was.
    func run(packets count: Int, _ bytes: borrowing [UInt8], _ rig: borrowing SessionRig) -> Int {
        let passes = (count + packetCount - 1) / packetCount
        switch self {
        case .decodeEcho64: for _ in 0..<passes { decode(bytes.span.bytes) }
        case .encodeEcho64: encode(passes: passes)
        case .sessionEcho64, .sessionEcho16k, .sessionPing, .sessionCustom64:
            for _ in 0..<passes { precondition(rig.answer(bytes.span.bytes) > 0) }
        }
        return passes * packetCount
    }

    private func decode(_ bytes: RawSpan) {
        let decoder = PacketDecoder()
        var offset = 0
        while case .packet(let payload) = decoder.step(bytes, at: offset) {
            let step = MessageDecoder.step(bytes.extracting(payload))
            guard case .message(let layout) = step, layout.kind == .echo else {
                preconditionFailure("the packets are valid")
            }
            offset = payload.upperBound
        }
        precondition(offset == bytes.byteCount)
    }

    private func encode(passes: Int) {
        let text = [UInt8](repeating: 97, count: 64)
        let byteCount = MessageEncoder.byteCountOfEcho(textByteCount: 64)
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 9 + byteCount, alignment: 16)
        defer { memory.deallocate() }
        for _ in 0..<passes * packetCount {
            var output = OutputRawSpan(buffer: memory, initializedCount: 0)
            PacketEncoder.writeHeader(payloadByteCount: byteCount, into: &output)
            MessageEncoder.encodeEcho(text: text.span.bytes, into: &output)
            precondition(output.byteCount == 9 + byteCount)
        }
    }
}
