// The run of echoes says nothing that decoder and message decoder do not say one by one.

import ApusWire
import TestSupport
import Testing

struct EchoRunTests {
    private let echo = PacketEncoder.encode(.echo(String(repeating: "a", count: 100)))

    /// The same, slowly: packets that are each a whole Echo and nothing else.
    static func slowRun(_ bytes: [UInt8], byteCountMax: Int, _ decoder: PacketDecoder = PacketDecoder()) -> EchoRun {
        var (packetCount, end): (UInt64, Int) = (0, 0)
        while end < byteCountMax, case .packet(let payload) = decoder.step(bytes.span.bytes, at: end),
            case .message(let layout) = step(Array(bytes[payload])),
            layout.kind == .echo, layout.byteCount == payload.count
        { (packetCount, end) = (packetCount + 1, payload.upperBound) }
        return EchoRun(packetCount: packetCount, byteCount: end)
    }

    private func run(_ bytes: [UInt8], byteCountMax: Int = .max) -> EchoRun {
        PacketDecoder().leadingEchoes(of: bytes.span.bytes, byteCountMax: byteCountMax)
    }

    @Test func endsBeforeAnythingElse() {
        let others: [[UInt8]] = [
            [], Array(echo.dropLast()), Array(echo.prefix(9)), PacketEncoder.encode(.ping),
            PacketEncoder.encode(.custom(command: "ECHO", payload: [1])), Array("GET / HTTP/1.1\r\n\r\n-------".utf8),
            header(length: UInt32.max) + echo, [0x4E, 0x50, 0x52, 0x4F, 2] + echo.dropFirst(5),
            header(length: 14) + [5, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0x61, 0x62],  // a byte behind the text
            header(length: 13) + [5, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xFF],  // no UTF-8
            header(length: 13) + [5, 0, 0, 0] + [UInt8](repeating: 0xFF, count: 8) + [0x61],  // a length of 2^64-1
            header(length: 12) + [5, 0, 0, 0] + [UInt8](repeating: 0xFF, count: 8),
            header(length: 11) + [5, 0, 0, 0] + [UInt8](repeating: 0xFF, count: 8),  // the sum wraps to what is there
            header(length: 4) + [5, 0, 0, 0] + echo,
        ]
        for other in others {
            #expect(run(other) == EchoRun(packetCount: 0, byteCount: 0))
            let expected = EchoRun(packetCount: 2, byteCount: 2 * echo.count)
            #expect(run(echo + echo + other) == expected, "before \(other.prefix(24))")
        }
    }

    @Test func emptyAndMultiByteTextsCount() {
        let bytes = ["", "é", "日本語", String(repeating: "🦅", count: 40)].flatMap { PacketEncoder.encode(.echo($0)) }
        #expect(run(bytes) == EchoRun(packetCount: 4, byteCount: bytes.count))
    }

    /// The packet that reaches the limit is the last.
    @Test func endsAtTheLimit() {
        let bytes = echo + echo + echo
        for (limit, packetCount) in [(0, 0), (-1, 0), (1, 1), (echo.count, 1), (echo.count + 1, 2), (bytes.count, 3)] {
            let expected = EchoRun(packetCount: UInt64(packetCount), byteCount: packetCount * echo.count)
            #expect(run(bytes, byteCountMax: limit) == expected, "limit \(limit)")
        }
    }

    @Test func randomStreamsAgreeWithTheDecoders() {
        var generator = SeededGenerator.announced()
        var packetCount: UInt64 = 0
        for _ in 0..<3000 {
            var bytes = (0..<6).flatMap { _ in
                let echo = Message.echo("text é \(generator.next())")
                return PacketEncoder.encode(Bool.random(using: &generator) ? generator.message() : echo)
            }
            for _ in 0..<Int.random(in: 0...2, using: &generator) {
                bytes[Int.random(in: bytes.indices, using: &generator)] ^= UInt8.random(in: 1...255, using: &generator)
            }
            bytes.removeLast(Int.random(in: 0...20, using: &generator))
            let limit = Int.random(in: 0...2 * bytes.count, using: &generator)
            let found = run(bytes, byteCountMax: limit)
            #expect(found == Self.slowRun(bytes, byteCountMax: limit), "seed \(generator.seed)")
            packetCount += found.packetCount
        }
        #expect(packetCount > 1000)
    }
}
