// PROXY headers of both versions: the specification's own examples, every cut, every violation, the limits.

import ApusWire
import Testing

struct ProxyHeaderTests {
    struct Found: Equatable {
        var source: String?
        var destination: String?
        var isLocal = false
    }

    static let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]

    static func binary(_ command: UInt8, _ family: UInt8, _ rest: [UInt8], length: Int? = nil) -> [UInt8] {
        let length = length ?? rest.count
        return signature + [command, family, UInt8(length >> 8), UInt8(length & 0xFF)] + rest
    }

    static let ipv4: [UInt8] = [192, 0, 2, 7, 198, 51, 100, 1, 0x12, 0x67, 0x01, 0xBB]
    static let ipv6: [UInt8] =
        [0x20, 0x01, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [7]
        + [0x20, 0x01, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [1] + [0x12, 0x67, 0x01, 0xBB]
    static let unix = [UInt8](repeating: 0x61, count: 216)
    static let known = Found(source: "192.0.2.7:4711", destination: "198.51.100.1:443")
    static let known6 = Found(source: "2001:db8::7:4711", destination: "2001:db8::1:443")

    static let golden: [(bytes: [UInt8], found: Found)] = [
        (Array("PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n".utf8), known),
        (Array("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n".utf8),
         Found(source: "255.255.255.255:65535", destination: "255.255.255.255:65535")),
        (Array("PROXY TCP4 0.0.0.0 1.2.3.4 0 1\r\n".utf8), Found(source: "0.0.0.0:0", destination: "1.2.3.4:1")),
        (Array("PROXY TCP6 2001:db8::7 2001:DB8:0:0:0:0:0:1 4711 443\r\n".utf8), known6),
        (Array("PROXY UNKNOWN\r\n".utf8), Found()),
        (Array("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n".utf8), Found()),
        (Array("PROXY UNKNOWN and whatever else a proxy says here\r\n".utf8), Found()),
        (binary(0x21, 0x11, ipv4), known),
        (binary(0x21, 0x11, ipv4 + [4, 0, 1, 9]), known),
        (binary(0x21, 0x21, ipv6), known6),
        (binary(0x21, 0x21, ipv6 + [UInt8](repeating: 4, count: 484)), known6),
        (binary(0x21, 0x31, unix), Found()),
        (binary(0x21, 0x32, unix), Found()),
        (binary(0x21, 0x12, ipv4), Found()),
        (binary(0x21, 0x22, ipv6), Found()),
        (binary(0x21, 0x00, []), Found()),
        (binary(0x21, 0x00, [1, 2, 3]), Found()),
        (binary(0x20, 0x00, []), Found(isLocal: true)),
        (binary(0x20, 0x11, ipv4), Found(isLocal: true)),
        (binary(0x20, 0xFF, [9]), Found(isLocal: true)),
    ]

    private func decode(_ bytes: [UInt8], at offset: Int = 0, limit: Int = 536) -> ProxyHeaderStep {
        ProxyHeaderDecoder(byteCountMax: limit).step(bytes.span.bytes, at: offset)
    }

    private func text(_ endpoint: IPEndpoint?) -> String? {
        guard let endpoint else { return nil }
        let (high, low) = (endpoint.address.high, endpoint.address.low)
        guard !endpoint.address.isIPv4 else {
            return [24, 16, 8, 0].map { "\(low >> UInt64($0) & 255)" }.joined(separator: ".") + ":\(endpoint.port)"
        }
        return high == 0x2001_0DB8_0000_0000 ? "2001:db8::\(String(low, radix: 16)):\(endpoint.port)" : "another"
    }

    @Test(arguments: golden.indices) func isReadAtAnyOffsetAndBeforeAnything(index: Int) {
        let (bytes, expected) = Self.golden[index]
        let surroundings: [([UInt8], [UInt8])] = [([], []), ([1, 2], Array("GET / HTTP/1.1".utf8)), ([0], [0x0D])]
        for (front, back) in surroundings {
            guard case .header(let header) = decode(front + bytes + back, at: front.count) else {
                Issue.record("no header")
                return
            }
            #expect(header.end == front.count + bytes.count)
            let found = Found(
                source: text(header.source), destination: text(header.destination), isLocal: header.isLocal)
            #expect(found == expected)
        }
    }

    @Test(arguments: golden.indices) func isIncompleteAtEverySplit(index: Int) {
        let bytes = Self.golden[index].bytes
        for count in 0..<bytes.count {
            guard case .incomplete(let needed) = decode(Array(bytes[..<count])) else {
                Issue.record("\(count) of \(bytes.count) bytes are not incomplete")
                return
            }
            #expect(needed > count && needed <= bytes.count)
        }
    }

    @Test func anotherProtocolIsRefusedAtTheFirstByteThatDiffers() {
        for other in ["GET / HTTP/1.1\r\n", "NPRO\u{1}", "\u{16}\u{3}\u{1}", "\0", "proxy TCP4"] {
            let first = Array(other.utf8)[0]
            #expect(decode([first]) == .violation(.signature(offset: 0, found: first)))
        }
        for (signature, offsets) in [(Array("PROXY ".utf8), 1..<6), (Self.signature, 1..<12)] {
            for offset in offsets {
                let bytes = Array(signature[..<offset]) + [signature[offset] ^ 0x80]
                let expected = ProxyViolation.signature(offset: offset, found: signature[offset] ^ 0x80)
                #expect(decode(bytes) == .violation(expected))
                #expect(decode(bytes + Self.ipv4) == .violation(expected))
            }
        }
    }

    @Test(arguments: [
        "PROXY \r\n", "PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n", "PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY tcp4 1.2.3.4 1.2.3.4 1 2\r\n", "PROXY UNKNOWNS\r\n", "PROXY TCP4\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
        "PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4  2\r\n",
        "PROXY TCP4 01.2.3.4 1.2.3.4 1 2\r\n", "PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n",
        "PROXY TCP4 1.2.3.256 1.2.3.4 1 2\r\n",
        "PROXY TCP4 ::1 1.2.3.4 1 2\r\n", "PROXY TCP6 1.2.3.4 ::1 1 2\r\n", "PROXY TCP6 ::1 ::g 1 2\r\n",
        "PROXY TCP6 ::1%eth0 ::1 1 2\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\rX", "PROXY TCP4 1.2.3.4\n",
        "PROXY TCP4\t", "PROXY UNKNOWN \u{7F}",
    ])
    func malformedLinesAreRefused(text: String) {
        #expect(decode(Array(text.utf8)) == .violation(.line))
        #expect(decode(Array(text.utf8) + [0x41]) == .violation(.line))
    }

    /// 107 bytes with their end (§2.1).
    @Test func linesHaveALimit() {
        let longest = Array(("PROXY UNKNOWN " + String(repeating: "x", count: 91)).utf8)
        guard case .header(let header) = decode(longest + [13, 10]) else {
            Issue.record("107 bytes are refused")
            return
        }
        #expect(header.end == 107)
        #expect(decode(longest) == .incomplete(byteCountNeeded: 106))
        #expect(decode(longest + [0x78]) == .violation(.lineTooLong))
        #expect(decode(longest + [0x78, 13, 10]) == .violation(.lineTooLong))
    }

    static let refused: [(bytes: [UInt8], shownAt: Int, violation: ProxyViolation)] = [
        (binary(0x11, 0x11, ipv4), 13, .version(1)), (binary(0x31, 0x11, ipv4), 13, .version(3)),
        (binary(0x22, 0x11, ipv4), 13, .command(2)), (binary(0x2F, 0x11, ipv4), 13, .command(15)),
        (binary(0x21, 0x41, ipv4), 14, .family(0x41)), (binary(0x21, 0x13, ipv4), 14, .family(0x13)),
        (binary(0x21, 0x11, Array(ipv4.dropLast())), 16, .tooShort(byteCount: 11)),
        (binary(0x21, 0x21, Array(ipv6.dropLast())), 16, .tooShort(byteCount: 35)),
        (binary(0x21, 0x31, Array(unix.dropLast())), 16, .tooShort(byteCount: 215)),
        (binary(0x21, 0x11, ipv4, length: 521), 16, .tooLong(byteCount: 537, limit: 536)),
        (binary(0x20, 0x00, [], length: 65535), 16, .tooLong(byteCount: 65551, limit: 536)),
    ]

    @Test(arguments: refused.indices) func isRefusedAsSoonAsItShows(index: Int) {
        let (bytes, shownAt, violation) = Self.refused[index]
        for count in shownAt...bytes.count { #expect(decode(Array(bytes[..<count])) == .violation(violation)) }
        #expect(decode(Array(bytes[..<(shownAt - 1)])) == .incomplete(byteCountNeeded: 16))
        #expect(!"\(violation)".isEmpty)
    }

    @Test func theLimitIsInclusive() {
        let full = Self.binary(0x21, 0x11, Self.ipv4 + [UInt8](repeating: 4, count: 508))
        guard case .header(let header) = decode(full) else { return }
        #expect(header.end == 536)
        let smaller = Self.binary(0x21, 0x11, Self.ipv4 + [UInt8](repeating: 4, count: 205))
        #expect(decode(smaller, limit: 232) == .violation(.tooLong(byteCount: 233, limit: 232)))
    }

    @Test func anImpossibleLimitOrOffsetStopsTheProgram() async {
        await #expect(processExitsWith: .failure) { _ = ProxyHeaderDecoder(byteCountMax: 231) }
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let bytes: [UInt8] = [1]
            _ = ProxyHeaderDecoder().step(bytes.span.bytes, at: 2)
        }
        expect(result, says: "a header starts within the bytes")
    }
}
