// The wire format, written down a second time: what simulated clients send and what they must get is not made by the
// encoder that is under test (NPRO §1.1, §1.2).

import ApusWire

enum Wire {
    static func packet(_ payload: [UInt8]) -> [UInt8] { header(payloadByteCount: payload.count) + payload }

    static func header(payloadByteCount: Int) -> [UInt8] {
        [0x4E, 0x50, 0x52, 0x4F, 0x01] + (0..<4).map { UInt8(truncatingIfNeeded: payloadByteCount >> (24 - 8 * $0)) }
    }

    static let ping = packet([0, 0, 0, 0])
    static let pong = packet([1, 0, 0, 0])
    static let disconnect = packet([6, 0, 0, 0])
    static let unknown = packet([9, 0, 0, 0])

    static func echo(_ text: [UInt8]) -> [UInt8] { packet([5, 0, 0, 0] + run(text)) }

    static func custom(_ command: String, _ content: [UInt8]) -> [UInt8] {
        packet([7, 0, 0, 0] + run(Array(command.utf8)) + run(content))
    }

    /// What the server is told to push: it names its addressee, and its place among all pushes.
    static func push(to client: UInt8, number: Int) -> [UInt8] { custom("PUSH", [client] + count(number)) }

    /// What all pushes have in common, behind the packet's header.
    static let pushPrefix = Array(push(to: 0, number: 0).dropFirst(9).dropLast(9))

    /// A length, u64 in little-endian order, and that many bytes.
    static func run(_ bytes: [UInt8]) -> [UInt8] { count(bytes.count) + bytes }

    static func count(_ count: Int) -> [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: count >> (8 * $0)) } }

    /// ASCII that differs from place to place; a slice of one long text, because a debug build makes bytes slowly.
    static func text(_ byteCount: Int, _ random: inout Generator) -> [UInt8] {
        let start = random.below(longText.count - byteCount)
        return Array(longText[start..<start + byteCount])
    }

    private static let longText: [UInt8] = {
        var random = Generator(seed: 1)
        return (0..<1 << 19).map { _ in UInt8(random.within(0x20, 0x7E)) }
    }()
}
