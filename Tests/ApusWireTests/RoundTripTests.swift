// Random messages, random cuts, random noise; each with its seed.

import ApusWire
import TestSupport
import Testing

struct RoundTripTests {
    @Test func randomMessagesComeBack() throws {
        var generator = SeededGenerator.announced()
        for _ in 0..<2000 {
            let message = generator.message()
            #expect(try decode(encode(message)) == message, "seed \(generator.seed)")
        }
    }

    @Test func randomCutsOfARandomStreamDecodeTheSame() throws {
        var generator = SeededGenerator.announced()
        for _ in 0..<100 {
            let messages = (0..<20).map { _ in generator.message() }
            var rest = ArraySlice(messages.flatMap(PacketEncoder.encode))
            var stream = PacketStream()
            while !rest.isEmpty {
                let piece = rest.prefix(Int.random(in: 1...100, using: &generator))
                stream.receive(piece)
                rest = rest.dropFirst(piece.count)
            }
            #expect(try stream.payloads.map(decode) == messages, "seed \(generator.seed)")
            #expect(stream.gathered.isEmpty && stream.violation == nil, "seed \(generator.seed)")
        }
    }

    /// What is accepted lies within its bytes and encodes to what was read, unless it is an unknown one.
    @Test func noiseIsRefusedOrReadsBackTheSame() throws {
        var generator = SeededGenerator.announced()
        for _ in 0..<5000 {
            var payload = encode(generator.message())
            let flips = Int.random(in: 1...3, using: &generator)
            for _ in 0..<flips {
                let offset = Int.random(in: 0..<payload.count, using: &generator)
                payload[offset] ^= UInt8(1) << UInt8.random(in: 0...7, using: &generator)
            }
            guard case .message(let layout) = step(payload) else { continue }
            #expect(layout.byteCount <= payload.count, "seed \(generator.seed)")
            if layout.kind == .unknown { continue }
            #expect(encode(try decode(payload)) == Array(payload[..<layout.byteCount]), "seed \(generator.seed)")
        }
    }
}
