// Addresses and networks: texts that are one and texts that are none, what a prefix holds, whose word counts.

import ApusWire
import TestSupport
import Testing

struct IPAddressTests {
    static let known: [(text: String, high: UInt64, low: UInt64)] = [
        ("0.0.0.0", 0, 0xFFFF_0000_0000), ("192.0.2.7", 0, 0xFFFF_C000_0207), ("255.255.255.255", 0, 0xFFFF_FFFF_FFFF),
        ("::", 0, 0), ("::1", 0, 1), ("1::", 0x0001_0000_0000_0000, 0), ("::ffff:192.0.2.7", 0, 0xFFFF_C000_0207),
        ("2001:db8::7", 0x2001_0DB8_0000_0000, 7),
        ("2001:DB8:1:2:3:4:5:6", 0x2001_0DB8_0001_0002, 0x0003_0004_0005_0006),
        ("1:2:3:4:5:6:7::", 0x0001_0002_0003_0004, 0x0005_0006_0007_0000),
        ("64:ff9b::192.0.2.7", 0x0064_FF9B_0000_0000, 0xC000_0207),
        ("::2:3:4:5:6:7:8", 0x0000_0002_0003_0004, 0x0005_0006_0007_0008),
        ("1:2:3:4:5:6:7.8.9.10", 0x0001_0002_0003_0004, 0x0005_0006_0708_090A),
        ("0000:0000:0000:0000:0000:0000:0000:0001", 0, 1),
    ]

    @Test(arguments: known.indices) func isRead(index: Int) {
        let (text, high, low) = Self.known[index]
        #expect(IPAddress(parsing: text) == IPAddress(high: high, low: low))
        #expect(IPAddress(parsing: text)?.isIPv4 == (high == 0 && low >> 32 == 0xFFFF))
    }

    @Test(arguments: [
        "", "1", "1.2.3", "1.2.3.4.5", "1.2.3.", ".1.2.3", "1..2.3", "1.2.3.256", "01.2.3.4", "1.2.3.00", "1.2.3.4 ",
        " 1.2.3.4", "1.2.3.-4", "1.2.3.+4", "0x1.2.3.4", "1.2.3.4/8", "٣.2.3.4", ":", ":::", "1:", ":1",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "1::2::3", "1:::2", "12345::", "::g", "[::1]",
        "::1%lo",
        "::1.2.3", "1.2.3.4::", "1:2:3:4:5:6:7:1.2.3.4", "::1.2.3.4:5", "1:2:3:4:5:6:1.2.3.256",
    ])
    func isNone(text: String) { #expect(IPAddress(parsing: text) == nil) }

    /// As Python's ipaddress writes them, and RFC 5952 §4 asks for.
    @Test(arguments: [
        ("192.0.2.7", "192.0.2.7"), ("::ffff:192.0.2.7", "192.0.2.7"), ("::", "::"), ("0::1", "::1"), ("1::0", "1::"),
        ("2001:DB8::0:1", "2001:db8::1"), ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
        ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"), ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
        ("1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"), ("0:0:3:4:5:6:7:8", "::3:4:5:6:7:8"), ("00fe::00a", "fe::a"),
    ])
    func isWrittenInOneWay(text: String, written: String) throws {
        let address = try #require(IPAddress(parsing: text))
        #expect("\(address)" == written)
        #expect("\(IPEndpoint(address, port: 80))" == (address.isIPv4 ? "\(written):80" : "[\(written)]:80"))
    }

    @Test func randomAddressesAreReadBack() {
        var generator = SeededGenerator.announced()
        for _ in 0..<2000 {
            let groups = (0..<8).map { _ in
                Bool.random(using: &generator) ? 0 : UInt16.random(in: 0...UInt16.max, using: &generator)
            }
            let text = groups.map { String($0, radix: 16) }.joined(separator: ":")
            let (high, low) = (word(groups[..<4]), word(groups[4...]))
            #expect(IPAddress(parsing: text) == IPAddress(high: high, low: low), "seed \(generator.seed): \(text)")
            let written = IPAddress(high: high, low: low).description
            #expect(IPAddress(parsing: written) == IPAddress(high: high, low: low), "seed \(generator.seed)")
            guard let gap = longestGap(groups) else { continue }
            let short = [groups[..<gap.lowerBound], groups[gap.upperBound...]]
                .map { $0.map { String($0, radix: 16) }.joined(separator: ":") }.joined(separator: "::")
            #expect(IPAddress(parsing: short) == IPAddress(high: high, low: low), "seed \(generator.seed): \(short)")
        }
    }

    private func word(_ groups: ArraySlice<UInt16>) -> UInt64 { groups.reduce(0) { $0 << 16 | UInt64($1) } }

    private func longestGap(_ groups: [UInt16]) -> Range<Int>? {
        (0..<8).flatMap { start in (start + 1...8).map { start..<$0 } }
            .filter { groups[$0].allSatisfy { $0 == 0 } }.max { $0.count < $1.count }
    }
}

struct HostPrefixTests {
    static let held: [(prefix: String, address: String, isHeld: Bool)] = [
        ("10.0.0.0/8", "10.255.255.255", true), ("10.0.0.0/8", "11.0.0.0", false),
        ("10.0.0.0/8", "9.255.255.255", false),
        ("192.0.2.7", "192.0.2.7", true), ("192.0.2.7", "192.0.2.6", false), ("192.0.2.7/32", "192.0.2.7", true),
        ("0.0.0.0/0", "203.0.113.9", true), ("0.0.0.0/0", "2001:db8::1", false),
        ("192.0.2.128/25", "192.0.2.127", false),
        ("192.0.2.128/25", "192.0.2.128", true), ("2001:db8::/32", "2001:db8:ffff::1", true),
        ("2001:db8::/32", "2001:db9::", false), ("::/0", "2001:db8::1", true), ("::/0", "192.0.2.7", false),
        ("::1", "::1", true), ("::1/128", "::2", false), ("fd00::/65", "fd00::7fff:ffff:ffff:ffff", true),
        ("fd00::/65", "fd00::8000:0:0:0", false), ("fd00::/64", "fd00::ffff:0:0:1", true),
        ("fd00::/63", "fd00:0:0:1::", true),
        ("::ffff:10.0.0.0/8", "10.1.2.3", true),
    ]

    @Test(arguments: held.indices) func holds(index: Int) throws {
        let (prefix, address, isHeld) = Self.held[index]
        let found = try #require(HostPrefix(parsing: prefix))
        #expect(found.contains(try #require(IPAddress(parsing: address))) == isHeld)
        #expect(HostPrefix(parsing: "\(found)") == found)
    }

    @Test(arguments: [
        "", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/08", "10.0.0.0/+8", "10.0.0.0/8/8",
        "10.0.0.0/x",
        "::/129", "2001:db8::1/32", "example.com", "10.0.0.0 /8",
    ])
    func isNone(text: String) {
        #expect(HostPrefix(parsing: text) == nil)
        #expect(throws: CIDRError(text: text)) { try CIDRList(parsing: ["::1", text]) }
    }

    @Test(arguments: [
        ("10.1.2.3/8", "10.0.0.0/8"), ("10.0.0.0/8", "10.0.0.0/8"), ("192.0.2.255/25", "192.0.2.128/25"),
        ("192.0.2.7", "192.0.2.7/32"), ("203.0.113.9/0", "0.0.0.0/0"), ("2001:db8::1/32", "2001:db8::/32"),
        ("fd00::ffff:0:0:1/65", "fd00::8000:0:0:0/65"), ("::ffff:10.1.2.3/8", "10.0.0.0/8"),
    ])
    func anAddressMeansTheNetworkAroundIt(text: String, network: String) {
        #expect(HostPrefix(parsingAround: text)?.description == network)
    }

    @Test(arguments: ["", "10.1.2.3/33", "10.1.2.3/08", "::ffff:10.0.0.0/104", "::1/129", "example.com/8", "10.0.0.1/"])
    func aroundNothingIsNothing(text: String) {
        #expect(HostPrefix(parsingAround: text) == nil)
    }

    @Test func listsHoldWhatOneOfThemHolds() throws {
        let list = try CIDRList(parsing: ["10.0.0.0/8", "2001:db8::/32"])
        let addresses = ["10.1.1.1", "2001:db8::1", "192.0.2.1"].compactMap(IPAddress.init(parsing:))
        #expect(addresses.map(list.contains) == [true, true, false])
        #expect(CIDRList().isEmpty && !CIDRList().contains(addresses[0]))
        let own = ["127.0.0.1", "127.255.255.255", "::1", "128.0.0.1", "::2"].compactMap(IPAddress.init(parsing:))
        #expect(own.map(CIDRList.loopback.contains) == [true, true, true, false, false])
        #expect("\(CIDRError(text: "x"))".contains("\"x\" is no network"))
    }
}

struct ForwardedClientTests {
    /// 10.0.0.0/8 is trusted.
    static let cases: [(fields: [String], client: String?)] = [
        ([], nil),
        (["X-Real-IP: 192.0.2.7"], "192.0.2.7:0"),
        (["X-Real-IP: 198.51.100.66", "X-Real-IP: 192.0.2.7", "X-Real-Port: 4711"], "192.0.2.7:4711"),
        (["X-Real-IP: 2001:db8::7", "x-real-port:  4711"], "[2001:db8::7]:4711"),
        (["X-Real-IP: 192.0.2.7", "X-Real-Port: 65536"], "192.0.2.7:0"),
        (["X-Real-IP: nobody", "X-Real-Port: 4711"], nil),
        (["X-Real-Port: 4711"], nil),
        (["X-Forwarded-For: 192.0.2.7"], "192.0.2.7:0"),
        (["X-Forwarded-For: 198.51.100.66, 192.0.2.7"], "192.0.2.7:0"),
        (["X-Forwarded-For: 198.51.100.66, 192.0.2.7, 10.1.1.1, 10.2.2.2"], "192.0.2.7:0"),
        (
            ["X-Forwarded-For: 198.51.100.66", "X-Forwarded-For: 192.0.2.7", "X-Forwarded-For: 10.1.1.1"],
            "192.0.2.7:0"
        ),
        (["X-Forwarded-For: 10.3.3.3, 10.1.1.1"], "10.3.3.3:0"),
        (["X-Forwarded-For: forged, 192.0.2.7"], "192.0.2.7:0"),
        (["X-Forwarded-For: 192.0.2.7, unknown"], nil),
        (["X-Forwarded-For: 192.0.2.7, unknown, 10.1.1.1"], nil),
        (["X-Forwarded-For: ,"], nil),
        // Both, and they agree. A port that the client may have sent does not count.
        (["X-Real-IP: 192.0.2.7", "X-Real-Port: 4711", "X-Forwarded-For: 192.0.2.7"], "192.0.2.7:0"),
        (["X-Forwarded-For: 198.51.100.66, 192.0.2.7, 10.1.1.1", "X-Real-IP: 192.0.2.7"], "192.0.2.7:0"),
        (["X-Real-IP: 10.1.1.1", "X-Forwarded-For: 192.0.2.7, 10.1.1.1"], "192.0.2.7:0"),
        (["X-Real-IP: nobody", "X-Forwarded-For: 192.0.2.9"], "192.0.2.9:0"),
    ]

    @Test(arguments: cases.indices) func isWhoTheLastTrustedProxyHeard(index: Int) throws {
        let (fields, client) = Self.cases[index]
        #expect(try endpoint(fields).map { "\($0)" } == client)
    }

    /// What a client writes into the field that its proxy leaves alone: HAProxy's `option forwardfor` passes X-Real-IP
    /// on, nginx's `proxy_set_header X-Real-IP` passes X-Forwarded-For on. Neither makes it somebody else.
    @Test(arguments: [
        ["X-Real-IP: 127.0.0.1", "X-Forwarded-For: 192.0.2.7"],
        ["X-Real-IP: 127.0.0.1", "X-Real-Port: 1", "X-Forwarded-For: 10.1.1.1, 192.0.2.7"],
        ["X-Forwarded-For: 127.0.0.1", "X-Real-IP: 192.0.2.7", "X-Real-Port: 4711"],
        ["X-Forwarded-For: 127.0.0.1, 10.1.1.1", "X-Real-IP: 192.0.2.7"],
        ["X-Forwarded-For: unknown", "X-Real-IP: 192.0.2.7"],
        ["X-Forwarded-For:", "X-Real-IP: 192.0.2.7"],
    ])
    func aFieldThatTheProxyLeftAloneIsNotBelieved(fields: [String]) {
        #expect(throws: ForwardedClientViolation.twoClients) { try endpoint(fields) }
    }

    private func endpoint(_ fields: [String]) throws -> IPEndpoint? {
        let text = "GET / HTTP/1.1\r\nHost: a\r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n"
        let bytes = Array(text.utf8)
        guard case .request(let request) = decodeHTTP(bytes) else { preconditionFailure("no request: \(text)") }
        let trusted = try CIDRList(parsing: ["10.0.0.0/8"])
        return try ForwardedClient.endpoint(in: request, bytes.span.bytes, trusting: trusted)
    }
}
