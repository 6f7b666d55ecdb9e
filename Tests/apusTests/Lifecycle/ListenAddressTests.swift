// Texts of addresses, and which socket serves which.

import Testing

@testable import apus

@Suite struct ListenAddressTests {
    @Test(arguments: ["127.0.0.1:9000", "[::1]:9000", "[2001:db8::7]:0", "unix:/run/apus/edge.sock", "0.0.0.0:65535"])
    func textsComeBack(text: String) { #expect(ListenAddress(text)?.description == text) }

    @Test(arguments: ["", "9000", "localhost:9000", "127.0.0.1:65536", "127.0.0.1:x", "[::1]", "::1:9000", "1.2.3:4"])
    func othersAreNone(text: String) { #expect(ListenAddress(text) == nil) }

    @Test func oneAddressHasManyTexts() {
        #expect(ListenAddress("[0:0:0:0:0:0:0:1]:7") == ListenAddress("[::1]:7"))
        #expect(ListenAddress("[fe80::1%lo]:7") == ListenAddress("[fe80::1]:7"))
    }

    @Test(arguments: [
        ("127.0.0.1:4711", "127.0.0.1:0", true), ("127.0.0.1:4711", "127.0.0.1:4711", true),
        ("127.0.0.1:4711", "127.0.0.1:4712", false), ("127.0.0.1:4711", "0.0.0.0:4711", false),
        ("127.0.0.1:4711", "[::1]:0", false), ("[::1]:1", "[::1]:0", true), ("[::1]:1", "[::]:1", false),
        ("unix:/a", "unix:/a", true), ("unix:/a", "unix:/b", false), ("unix:/a", "127.0.0.1:0", false),
    ])
    func aSocketServesWhatWasAskedFor(bound: String, wanted: String, serves: Bool) throws {
        let (bound, wanted) = (try #require(ListenAddress(bound)), try #require(ListenAddress(wanted)))
        #expect(bound.serves(wanted) == serves)
    }
}
