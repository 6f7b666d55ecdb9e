// The golden vectors, both ways, at every split. Expected messages are written out here: a decoder and an encoder that
// err alike would pass a mere round trip.

import ApusWire
import Testing

struct GoldenVectorTests {
    /// In the order of the file.
    static let expected: [(name: String, message: Message)] = [
        ("Ping", .ping),
        ("Pong", .pong),
        ("Echo \"hi\"", .echo("hi")),
        ("Echo \"\"", .echo("")),
        ("Echo \"é\"", .echo("é")),
        ("Disconnect", .disconnect),
        ("Custom X dead", .custom(command: "X", payload: [0xDE, 0xAD])),
        ("Custom RUN empty", .custom(command: "RUN", payload: [])),
        ("Unknown", .unknown(discriminant: 8)),
    ]

    @Test func everyVectorHasItsExpectation() throws {
        #expect(try Vectors.load().messages.map(\.name) == Self.expected.map(\.name))
    }

    @Test func vectorsDecode() throws {
        for (vector, expected) in zip(try Vectors.load().messages, Self.expected) {
            #expect(step(vector.packet.bytes) == .packet(payload: 9..<vector.packet.bytes.count), "\(vector.name)")
            #expect(Array(vector.packet.bytes.dropFirst(9)) == vector.message.bytes, "\(vector.name)")
            #expect(try decode(vector.message.bytes) == expected.message, "\(vector.name)")
        }
    }

    @Test func vectorsEncode() throws {
        for (vector, expected) in zip(try Vectors.load().messages, Self.expected) {
            #expect(PacketEncoder.encode(expected.message) == vector.packet.bytes, "\(vector.name)")
            #expect(MessageEncoder.byteCount(of: expected.message) == vector.message.bytes.count, "\(vector.name)")
        }
    }

    @Test func layoutTakesTheWholeVector() throws {
        for (vector, expected) in zip(try Vectors.load().messages, Self.expected) {
            guard case .message(let layout) = step(vector.message.bytes) else {
                Issue.record("\(vector.name) did not decode")
                continue
            }
            #expect(layout.byteCount == vector.message.bytes.count, "\(vector.name)")
            #expect(layout.kind == expected.message.kind, "\(vector.name)")
        }
    }

    @Test func everySplitPointIsIncompleteUntilTheLastByte() throws {
        for vector in try Vectors.load().messages {
            let packet = vector.packet.bytes
            for split in 0..<packet.count {
                let expected = PacketStep.incomplete(byteCountNeeded: split < 9 ? 9 : packet.count)
                #expect(step(Array(packet[..<split])) == expected, "\(vector.name) at \(split)")
            }
        }
    }

    @Test func everySplitOfTheJoinedStreamDecodesTheSame() throws {
        let vectors = try Vectors.load().messages
        let stream = vectors.flatMap(\.packet.bytes)
        for split in 0...stream.count {
            var pieces = PacketStream()
            pieces.receive(stream[..<split])
            pieces.receive(stream[split...])
            #expect(pieces.payloads == vectors.map(\.message.bytes), "split at \(split)")
            #expect(pieces.gathered.isEmpty && pieces.violation == nil, "split at \(split)")
        }
    }

    @Test func oneByteAtATimeDecodesTheSame() throws {
        let vectors = try Vectors.load().messages
        var pieces = PacketStream()
        for byte in vectors.flatMap(\.packet.bytes) { pieces.receive([byte]) }
        #expect(pieces.payloads == vectors.map(\.message.bytes))
    }
}
