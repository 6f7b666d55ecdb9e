import ApusReactor
import Glibc
import Testing

@Suite struct SocketAddressTests {
    @Test(arguments: [
        "127.0.0.1:9000", "0.0.0.0:0", "255.255.255.255:65535", "[::1]:9000", "[::]:80", "[2001:db8::42]:443",
        "[fe80::1%lo]:9000", "unix:/run/apus.sock", "unix:relative/path", "unix:/with space:and colon",
    ])
    func printsWhatItReads(_ text: String) throws {
        let address = try SocketAddress(parsing: text)
        #expect(address.description == text)
        #expect(try SocketAddress(parsing: address.description) == address)
    }

    @Test(arguments: [
        ("127.0.0.1", AddressError.noPort("127.0.0.1")), ("", .noPort("")), ("[::1]", .noPort("[::1]")),
        (":9000", .noHost(":9000")),
        ("127.0.0.1:", .badPort("")), ("127.0.0.1:65536", .badPort("65536")), ("127.0.0.1:-1", .badPort("-1")),
        ("127.0.0.1:+1", .badPort("+1")), ("127.0.0.1:http", .badPort("http")), ("127.0.0.1:٣", .badPort("٣")),
        ("::1:9000", .bracketsMissing("::1:9000")),
        ("localhost:9000", .notNumeric(host: "localhost")), ("127.1:9000", .notNumeric(host: "127.1")),
        ("256.0.0.1:9000", .notNumeric(host: "256.0.0.1")), ("127.0.0.1\0x:1", .notNumeric(host: "127.0.0.1\0x")),
        ("[127.0.0.1]:9000", .notNumeric(host: "127.0.0.1")),
        ("[fe80::1%nowhere]:1", .notNumeric(host: "fe80::1%nowhere")), ("[]:1", .notNumeric(host: "")),
        ("unix:", .emptyPath), ("unix:@name", .abstractPath("@name")), ("unix:/a\0b", .unusablePath("/a\0b")),
    ])
    func saysWhatIsWrong(_ text: String, _ expected: AddressError) {
        #expect(throws: expected) { try SocketAddress(parsing: text) }
    }

    @Test func pathMayFillTheStructure() throws {
        let longest = "/" + String(repeating: "x", count: SocketAddress.unixPathByteCountMax - 1)
        #expect(try SocketAddress(unixPath: longest).unixPath == longest)
        #expect(throws: AddressError.unusablePath(longest + "x")) { try SocketAddress(unixPath: longest + "x") }
    }

    @Test func everyErrorSaysWhatToDo() {
        let errors: [AddressError] = [
            .noHost(":1"), .noPort("a"), .badPort("x"), .bracketsMissing("::1:1"), .notNumeric(host: "a"),
            .unresolved(host: "a", reason: "b"), .emptyPath, .abstractPath("@a"), .unusablePath("/a"),
        ]
        for error in errors { #expect(error.description.hasSuffix("."), "\(error)") }
    }

    @Test func hasParts() throws {
        let (four, six) = (try SocketAddress(parsing: "127.0.0.1:9000"), try SocketAddress(parsing: "[::1]:9001"))
        let unix = try SocketAddress(parsing: "unix:/tmp/a")
        #expect([four.family, six.family, unix.family] == [.ipv4, .ipv6, .unix])
        #expect([four.port, six.port, unix.port] == [9000, 9001, nil])
        #expect([four.unixPath, six.unixPath, unix.unixPath] == [nil, nil, "/tmp/a"])
        #expect(four.with(port: 1).description == "127.0.0.1:1")
        #expect(six.with(port: 1).description == "[::1]:1")
        #expect(unix.with(port: 1) == unix)
    }

    @Test func equalAddressesHashAlike() throws {
        let texts = ["127.0.0.1:9000", "127.0.0.1:9001", "127.0.0.2:9000", "[::1]:9000", "unix:/a", "unix:/ab"]
        let addresses = try (texts + texts).map { text throws in try SocketAddress(parsing: text) }
        #expect(Set(addresses).count == texts.count)
    }

    @Test func resolvesNamesOnRequest() throws {
        let found = try SocketAddress.resolve("localhost:9000")
        #expect(found.contains { ["127.0.0.1:9000", "[::1]:9000"].contains($0.description) })
        #expect(Set(found).count == found.count)
    }

    @Test func resolvesNumbersAsThemselves() throws {
        for text in ["127.0.0.1:9000", "[::1]:9000", "unix:/tmp/a"] {
            #expect(try SocketAddress.resolve(text) == [try SocketAddress(parsing: text)])
        }
    }

    @Test func saysWhichNameIsUnknown() {
        #expect {
            try SocketAddress.resolve("no such host:9000")
        } throws: { error in
            guard case .unresolved(host: "no such host", _) = error as? AddressError else { return false }
            return true
        }
    }

    @Test func lendsItsBytes() throws {
        let pointer = UnsafeMutablePointer<SocketAddress>.allocate(capacity: 1)
        defer { pointer.deallocate() }
        pointer.initialize(to: try SocketAddress(parsing: "127.0.0.1:9000"))
        let bytes = SocketAddress.bytes(of: pointer)
        #expect(bytes.count == MemoryLayout<sockaddr_in>.size)
        #expect(Array(bytes[2..<8]) == [0x23, 0x28, 127, 0, 0, 1])
    }
}
