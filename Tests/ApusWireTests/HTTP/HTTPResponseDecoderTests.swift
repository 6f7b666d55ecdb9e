// Responses as they arrive: heads that are right however they are cut, each violation at its byte, how bodies end.

import ApusWire
import Testing

struct HTTPResponseDecoderTests {
    struct Found: Equatable {
        var status: UInt16
        var reason = ""
        var minorVersion: UInt8 = 1
        var fields = ""
        var body = HTTPBodyEnd.connection
    }

    private func decode(_ bytes: [UInt8], at offset: Int = 0, limits: HTTPLimits = HTTPLimits()) -> HTTPResponseStep {
        HTTPResponseDecoder(limits: limits).step(bytes.span.bytes, at: offset)
    }

    private func violation(_ text: String, limits: HTTPLimits = HTTPLimits()) -> HTTPViolation? {
        guard case .violation(let violation) = decode(Array(text.utf8), limits: limits) else { return nil }
        return violation
    }

    static let golden: [(text: String, found: Found)] = [
        ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
         Found(status: 101, reason: "Switching Protocols", fields: "Upgrade: websocket\r\n", body: .none)),
        ("HTTP/1.1 200 OK\r\n\r\n", Found(status: 200, reason: "OK")),
        ("HTTP/1.1 200 \r\n\r\n", Found(status: 200)),
        ("HTTP/1.0 404 Not Found\r\n\r\n", Found(status: 404, reason: "Not Found", minorVersion: 0)),
        ("HTTP/1.9 999 é x\r\n\r\n", Found(status: 999, reason: "é x")),
        ("HTTP/1.1 204 No\r\n\r\n", Found(status: 204, reason: "No", body: .none)),
        ("HTTP/1.1 304 No\r\nContent-Length: 7\r\n\r\n",
         Found(status: 304, reason: "No", fields: "Content-Length: 7\r\n", body: .none)),
        ("HTTP/1.1 426 Go\r\nContent-Length: 007\r\n\r\n",
         Found(status: 426, reason: "Go", fields: "Content-Length: 007\r\n", body: .byteCount(7))),
        ("HTTP/1.1 200 OK\r\nContent-Length:0\r\n\r\n",
         Found(status: 200, reason: "OK", fields: "Content-Length:0\r\n", body: .none)),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
         Found(status: 200, reason: "OK", fields: "Transfer-Encoding: chunked\r\n", body: .transferCoding)),
    ]

    private func found(_ bytes: [UInt8], at offset: Int = 0) -> (Found, end: Int)? {
        guard case .response(let layout) = decode(bytes, at: offset) else { return nil }
        func part(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
        let found = Found(
            status: layout.status, reason: part(layout.reason), minorVersion: layout.minorVersion,
            fields: part(layout.fields), body: layout.body)
        return (found, layout.end)
    }

    @Test(arguments: golden.indices) func isReadAtAnyOffsetAndBeforeAnything(index: Int) {
        let bytes = Array(Self.golden[index].text.utf8)
        let surroundings: [([UInt8], [UInt8])] = [([], []), ([7, 13, 10], [0, 0xFF]), ([1], Array("HTTP/1.1".utf8))]
        for (front, back) in surroundings {
            let result = found(front + bytes + back, at: front.count)
            #expect(result?.0 == Self.golden[index].found)
            #expect(result?.end == front.count + bytes.count)
        }
    }

    @Test(arguments: golden.indices) func isIncompleteAtEverySplit(index: Int) {
        let bytes = Array(Self.golden[index].text.utf8)
        for count in 0..<bytes.count {
            #expect(decode(Array(bytes[..<count])) == .incomplete(byteCountNeeded: count + 1))
        }
    }

    /// The shortest refused text ends with the byte that shows the violation.
    static let refused: [(text: String, violation: HTTPViolation)] = [
        ("HTTP/1.1 200\r\n", .statusLine),
        ("HTTP/1.1 20 OK\r\n", .statusLine),
        ("HTTP/1.1 2000 OK\r\n", .statusLine),
        ("HTTP/1.1 2x0 OK\r\n", .statusLine),
        ("HTTP/1.1 099 OK\r\n", .statusLine),
        ("HTTP/1.1  200 OK\r\n", .statusLine),
        ("http/1.1 200 OK\r\n", .statusLine),
        ("HTTP/1,1 200 OK\r\n", .statusLine),
        ("HTTP/11 200 OK\r\n", .statusLine),
        ("\r\n", .statusLine),
        ("GET / HTTP/1.1\r\n", .statusLine),
        ("HTTP/2.0 200 OK\r\n", .version(major: 2)),
        ("HTTP/1.1 200 OK\n", .bareLineFeed),
        ("HTTP/1.1 200 OK\rX", .bareCarriageReturn),
        ("HTTP/1.1 200 O\0", .controlByte(0)),
        ("HTTP/1.1 200 OK\r\n X: y\r\n", .foldedLine),
        ("HTTP/1.1 200 OK\r\nX: y\r\n z\r\n", .foldedLine),
        ("HTTP/1.1 200 OK\r\nX\r\n", .fieldName),
        ("HTTP/1.1 200 OK\r\nX : y\r\n", .spaceBeforeColon),
        ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n", .contentLength),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n", .contentLengthTwice),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", .twoLengths),
    ]

    @Test(arguments: refused.indices) func isRefusedAtItsByteAndStaysSo(index: Int) {
        let (text, expected) = Self.refused[index]
        #expect(violation(text) == expected)
        #expect(violation(text + "Z") == expected)
        #expect(violation(String(text.dropLast())) == nil || text.last == "\r\n")
        for count in 0..<Array(text.utf8).count - 1 {
            #expect(decode(Array(text.utf8.prefix(count))) == .incomplete(byteCountNeeded: count + 1))
        }
    }

    @Test func limitsAreInclusive() {
        var limits = HTTPLimits()
        (limits.requestLineByteCountMax, limits.fieldCountMax, limits.fieldsByteCountMax) = (15, 2, 12)
        #expect(violation("HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\n\r\n", limits: limits) == nil)
        #expect(violation("HTTP/1.1 200 OKX", limits: limits) == .statusLineTooLong)
        #expect(violation("HTTP/1.1 200 OK\r\nA:\r\nB:\r\nC:\r\n", limits: limits) == .tooManyFields)
        #expect(violation("HTTP/1.1 200 OK\r\nA: bcdefghi", limits: limits) == .fieldsTooLong)
    }

    @Test func aGatewayWouldSaySo() {
        #expect(HTTPViolation.statusLine.status == .badGateway && HTTPViolation.statusLineTooLong.status == .badGateway)
        #expect("\(HTTPViolation.statusLine)".contains("status line"))
    }
}

struct HTTPFieldLineTests {
    @Test func everyLineIsWalked() {
        let bytes = Array("GET / HTTP/1.1\r\nHost: a\r\nList: a, ,B\t,c d\r\nEmpty:\r\nColon: x:y\r\n\r\n".utf8)
        guard case .request(let request) = decodeHTTP(bytes) else { return }
        var lines = HTTPFieldLines(request.fields)
        var seen: [String] = []
        while let line = lines.next(in: bytes.span.bytes) {
            let (name, value) = (bytes[line.name], bytes[line.value])
            seen.append(String(decoding: name, as: UTF8.self) + "=" + String(decoding: value, as: UTF8.self))
            guard line.isNamed("list", in: bytes.span.bytes) else { continue }
            #expect(line.lists("b", in: bytes.span.bytes) && line.lists("c d", in: bytes.span.bytes))
            #expect(!line.lists("c", in: bytes.span.bytes) && !line.lists("", in: bytes.span.bytes))
        }
        #expect(seen == ["Host=a", "List=a, ,B\t,c d", "Empty=", "Colon=x:y"])
    }
}

struct Base64Tests {
    /// RFC 4648 §10.
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ])
    func isTheStandards(text: String, encoded: String) {
        let bytes = Array(text.utf8)
        #expect(String(decoding: Base64.encode(bytes.span.bytes), as: UTF8.self) == encoded)
    }

    @Test func everyDigitIsReached() {
        let digits = (0..<64).map { UInt32($0) }
        let bytes = stride(from: 0, to: 64, by: 4).flatMap { start -> [UInt8] in
            let group = digits[start] << 18 | digits[start + 1] << 12 | digits[start + 2] << 6 | digits[start + 3]
            return [UInt8(group >> 16), UInt8(group >> 8 & 0xFF), UInt8(group & 0xFF)]
        }
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        #expect(String(decoding: Base64.encode(bytes.span.bytes), as: UTF8.self) == alphabet)
    }
}
