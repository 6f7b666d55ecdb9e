import ApusWire
import Testing

@testable import ApusLoad

@Suite final class ReplyReaderTests {
    /// Three copies, so that replies end in every place of the run that is compared with.
    private let requests = PacketCopies(of: .echo("00000007abcdef"), count: 3)
    private let reply = PacketEncoder.encode(.echo("00000007abcdef"))
    private let ping = PacketEncoder.encode(.ping)

    /// Feed `stream` in pieces that end at `ends`, and add up what was read.
    private func read(_ stream: [UInt8], cutAt ends: [Int] = []) -> Reading {
        var reader = ReplyReader()
        var sum = Reading()
        var start = 0
        for end in ends + [stream.count] where !sum.isBroken {
            let reading = Array(stream[start..<end]).withUnsafeBytes { reader.read($0, expecting: requests.run) }
            sum.replies += reading.replies
            sum.wrong += reading.wrong
            sum.pings += reading.pings
            sum.isDismissed = sum.isDismissed || reading.isDismissed
            sum.isBroken = reading.isBroken
            start = end
        }
        return sum
    }

    @Test func `replies count whole, however many arrive together`() {
        for count in 0...20 {
            let stream = Array(repeatElement(reply, count: count).joined())
            #expect(read(stream) == Reading(replies: count))
            #expect(read(stream + reply.dropLast()) == Reading(replies: count))
        }
    }

    @Test func `a stream of replies, PINGs, strangers and a goodbye reads the same at every split`() {
        let strangers = PacketEncoder.encode(.pong) + PacketEncoder.encode(.custom(command: "x", payload: [1, 2, 3]))
        let goodbye = PacketEncoder.encode(.disconnect)
        let stream = reply + ping + reply + reply + strangers + ping + ping + goodbye + reply
        let expected = Reading(replies: 4, wrong: 2, pings: 3, isDismissed: true)
        #expect(read(stream) == expected)
        for first in 0...stream.count {
            #expect(read(stream, cutAt: [first]) == expected)
            for second in first...stream.count { #expect(read(stream, cutAt: [first, second]) == expected) }
        }
        #expect(read(stream, cutAt: Array(1..<stream.count)) == expected)
    }

    @Test func `a text that differs in any byte is a wrong reply, and the next one is right again`() {
        let textStart = reply.count - 14
        for place in textStart..<reply.count {
            var wrong = reply
            wrong[place] ^= 1
            #expect(read(reply + wrong + reply) == Reading(replies: 2, wrong: 1))
            for cut in 0...wrong.count {
                #expect(read(reply + wrong + reply, cutAt: [reply.count + cut]) == Reading(replies: 2, wrong: 1))
            }
        }
    }

    @Test func `a reply to another connection is a wrong reply`() {
        let other = PacketEncoder.encode(.echo("00000008abcdef"))
        #expect(read(other + reply) == Reading(replies: 1, wrong: 1))
    }

    @Test func `shorter, longer and empty packets are wrong replies`() {
        for text in ["", "00000007abcde", "00000007abcdefg", String(repeating: "0", count: 70_000)] {
            let stream = PacketEncoder.encode(.echo(text)) + reply
            #expect(read(stream) == Reading(replies: 1, wrong: 1))
            #expect(read(stream, cutAt: [stream.count / 2]) == Reading(replies: 1, wrong: 1))
        }
        let empty: [UInt8] = [0x4E, 0x50, 0x52, 0x4F, 1, 0, 0, 0, 0]
        #expect(read(empty + reply) == Reading(replies: 1, wrong: 1))
    }

    @Test func `a PING with trailing bytes is a PING`() {
        let long: [UInt8] = [0x4E, 0x50, 0x52, 0x4F, 1, 0, 0, 0, 6, 0, 0, 0, 0, 9, 9]
        #expect(read(long + reply) == Reading(replies: 1, pings: 1))
    }

    @Test func `what is no packet breaks the connection at the byte that shows it`() {
        for place in 0..<5 {
            var broken = reply
            broken[place] ^= 0x20
            #expect(read(reply + broken) == Reading(replies: 1, isBroken: true))
            #expect(read(reply + broken.prefix(place + 1)) == Reading(replies: 1, isBroken: true))
            #expect(read(reply + broken.prefix(place)) == Reading(replies: 1))
        }
        var oversize = reply
        oversize[5] = 0xFF
        #expect(read(oversize).isBroken)
    }

    @Test func `random streams in random pieces read as they were made`() {
        let seed = UInt64.random(in: .min ... .max)
        print("ReplyReaderTests seed \(seed)")
        var random = SeededRandom(state: seed)
        for _ in 0..<300 {
            var stream: [UInt8] = []
            var expected = Reading()
            for _ in 0..<Int.random(in: 0...12, using: &random) {
                switch Int.random(in: 0..<6, using: &random) {
                case 0:
                    stream += ping
                    expected.pings += 1
                case 1:
                    let byteCount = Int.random(in: 0...40, using: &random)
                    let payload = [UInt8](repeating: 7, count: byteCount)
                    stream += PacketEncoder.encode(.custom(command: "c", payload: payload))
                    expected.wrong += 1
                default:
                    stream += reply
                    expected.replies += 1
                }
            }
            let cuts = (0..<8).map { _ in Int.random(in: 0...stream.count, using: &random) }.sorted()
            #expect(read(stream, cutAt: cuts) == expected, "seed \(seed)")
        }
    }
}

/// SplitMix64: small, and the same everywhere.
struct SeededRandom: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        // The generator is defined on wrapping arithmetic.
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
