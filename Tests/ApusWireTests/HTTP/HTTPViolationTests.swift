// Requests that are refused: each violation, told at its byte, and never taken back.

import ApusWire
import TestSupport
import Testing

struct HTTPViolationTests {
    /// The shortest refused text ends with the byte that shows the violation.
    static let refused: [(text: String, violation: HTTPViolation)] = [
        ("GET /\r\n", .requestLine),
        ("GET  / HTTP/1.1\r\n", .requestLine),
        ("GET / HTTP/1.1 \r\n", .requestLine),
        (" GET / HTTP/1.1\r\n", .requestLine),
        ("GET / http/1.1\r\n", .requestLine),
        ("GET / HTTP/1,1\r\n", .requestLine),
        ("GET / HTTP/11.1\r\n", .requestLine),
        ("GET / HTTP/x.1\r\n", .requestLine),
        ("G(T / HTTP/1.1\r\n", .requestLine),
        ("\r\n\r\n", .requestLine),
        ("GET / HTTP/2.0\r\n", .version(major: 2)),
        ("GET / HTTP/0.9\r\n", .version(major: 0)),
        ("GET a HTTP/1.1\r\n", .target),
        ("GET * HTTP/1.1\r\n", .target),
        ("CONNECT a:80 HTTP/1.1\r\n", .target),
        ("GET /a#b HTTP/1.1\r\n", .target),
        ("GET /é HTTP/1.1\r\n", .target),
        ("GET ftp://a/ HTTP/1.1\r\n", .target),
        ("GET http:///a HTTP/1.1\r\n", .target),
        ("GET http://u@a/ HTTP/1.1\r\n", .target),
        ("GET /\r ", .bareCarriageReturn),
        ("GET / HTTP/1.1\r\nHost: a\rX", .bareCarriageReturn),
        ("GET / HTTP/1.1\n", .bareLineFeed),
        ("GET / HTTP/1.1\r\nHost: a\n", .bareLineFeed),
        ("\n", .bareLineFeed),
        ("GET /\0", .controlByte(0)),
        ("GET / HTTP/1.1\r\nHost: a\0", .controlByte(0)),
        ("GET / HTTP/1.1\r\nHost: \u{7F}", .controlByte(0x7F)),
        ("\u{16}", .controlByte(0x16)),
        ("NPRO\u{1}", .controlByte(1)),
        ("GET / HTTP/1.1\r\n Host: a\r\n", .foldedLine),
        ("GET / HTTP/1.1\r\nHost: a\r\n\tb\r\n", .foldedLine),
        ("GET / HTTP/1.1\r\nHost\r\n", .fieldName),
        ("GET / HTTP/1.1\r\n: a\r\n", .fieldName),
        ("GET / HTTP/1.1\r\nHo st: a\r\n", .fieldName),
        ("GET / HTTP/1.1\r\nHost : a\r\n", .spaceBeforeColon),
        ("GET / HTTP/1.1\r\nContent-Length\t: 1\r\n", .spaceBeforeColon),
        ("GET / HTTP/1.1\r\nHost: a b\r\n", .host),
        ("GET / HTTP/1.1\r\nHost: a,b\r\n", .host),
        ("GET / HTTP/1.1\r\nHost: a/b\r\n", .host),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n", .hostTwice),
        ("GET / HTTP/1.1\r\nX: a\r\n\r\n", .hostMissing),
        ("GET http://a/ HTTP/1.1\r\n\r\n", .hostMissing),
        ("GET / HTTP/1.1\r\nContent-Length: \r\n", .contentLength),
        ("GET / HTTP/1.1\r\nContent-Length: +1\r\n", .contentLength),
        ("GET / HTTP/1.1\r\nContent-Length: 1, 1\r\n", .contentLength),
        ("GET / HTTP/1.1\r\nContent-Length: 0x1\r\n", .contentLength),
        ("GET / HTTP/1.1\r\nContent-Length: 1\r\ncontent-length: 1\r\n", .contentLengthTwice),
        ("GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n", .contentLengthTwice),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 4097\r\n\r\n", .bodyTooLarge),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999999\r\n\r\n", .bodyTooLarge),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", .transferEncoding),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", .transferEncoding),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: x\r\nContent-Length: 1\r\n\r\n", .twoLengths),
        ("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", .expectation),
    ]

    @Test(arguments: refused.indices) func isToldAtItsByte(index: Int) {
        let (text, expected) = Self.refused[index]
        let bytes = Array(text.utf8)
        #expect(violation(text) == expected)
        for count in 0..<bytes.count {
            guard case .incomplete(let needed) = decodeHTTP(Array(bytes[..<count])) else {
                Issue.record("told at \(count) of \(bytes.count) bytes")
                return
            }
            #expect(needed > count)
        }
        for rest in ["\r\n\r\n", "\n", " ", "\0", "Host: a\r\n\r\n"] { #expect(violation(text + rest) == expected) }
    }

    @Test func everyControlByteIsRefused() {
        for byte in (UInt8.min..<0x20).filter({ ![9, 10, 13].contains($0) }) + [0x7F] {
            for start in ["", "GE", "GET /", "GET / HTTP/1.1\r\nHo", "GET / HTTP/1.1\r\nHost: a"] {
                #expect(decodeHTTP(Array(start.utf8) + [byte]) == .violation(.controlByte(byte)))
            }
        }
    }

    @Test func theRequestLinesLimitIsInclusive() {
        var limits = HTTPLimits()
        limits.requestLineByteCountMax = "GET /abc HTTP/1.1".utf8.count
        #expect(violation("GET /abc HTTP/1.1\r\n", limits: limits) == nil)
        #expect(violation("GET /abcd HTTP/1.", limits: limits) == nil)
        #expect(violation("GET /abcd HTTP/1.1", limits: limits) == .requestLineTooLong)
    }

    @Test func theFieldsLimitIsInclusive() {
        var limits = HTTPLimits()
        limits.fieldsByteCountMax = "Host: a\r\nB: c\r\n".utf8.count
        #expect(violation(get("B: c"), limits: limits) == nil)
        #expect(violation(get("B: cd"), limits: limits) == .fieldsTooLong)
        #expect(violation(get("B: c", "D: e"), limits: limits) == .fieldsTooLong)
        guard case .request = decodeHTTP(get("B: c"), limits: limits) else {
            Issue.record("what fits is refused")
            return
        }
    }

    @Test func theFieldCountIsInclusive() {
        var limits = HTTPLimits()
        limits.fieldCountMax = 3
        #expect(violation(get("B: c", "D: e"), limits: limits) == nil)
        #expect(violation(get("B: c", "D: e", "F: g"), limits: limits) == .tooManyFields)
    }

    @Test func theBodysLimitIsInclusive() {
        var limits = HTTPLimits()
        limits.bodyByteCountMax = 3
        let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: "
        #expect(decodeHTTP(head + "3\r\n\r\nab", limits: limits) == .incomplete(byteCountNeeded: head.utf8.count + 8))
        guard case .request(let request) = decodeHTTP(head + "3\r\n\r\nabc", limits: limits) else {
            Issue.record("what fits is refused")
            return
        }
        #expect(request.body.count == 3)
        #expect(violation(head + "4\r\n\r\n", limits: limits) == .bodyTooLarge)
    }

    @Test func aRequestWithinAllLimitsFitsTheirSum() {
        let limits = HTTPLimits()
        let target = "/" + String(repeating: "a", count: limits.requestLineByteCountMax - 14)
        let fixed = "Host: a\r\nContent-Length: \(limits.bodyByteCountMax)\r\nX: ".utf8.count + 2
        let field = "X: " + String(repeating: "b", count: limits.fieldsByteCountMax - fixed)
        let text = "\r\n" + get("Content-Length: \(limits.bodyByteCountMax)", field, to: target)
            + String(repeating: "c", count: limits.bodyByteCountMax)
        #expect(found(text) != nil)
        #expect(text.utf8.count == limits.requestByteCountMax)
    }

    @Test func statusesSayWhatIsWrong() {
        #expect(HTTPViolation.requestLineTooLong.status == .targetTooLong)
        #expect(HTTPViolation.tooManyFields.status == .fieldsTooLarge)
        #expect(HTTPViolation.bodyTooLarge.status == .contentTooLarge)
        #expect(HTTPViolation.transferEncoding.status == .notImplemented)
        #expect(HTTPViolation.version(major: 2).status == .versionNotSupported)
        #expect(HTTPViolation.expectation.status == .expectationFailed)
        for (_, violation) in Self.refused {
            #expect(violation.status.rawValue >= 400)
            #expect(!violation.description.isEmpty)
        }
    }

    /// Whatever a stranger sends, cut anywhere: the same answer as for the whole.
    @Test func randomBytesAreReadTheSameInPieces() {
        var random = SeededGenerator.announced()
        let pieces = Self.refused.map { Array($0.text.utf8) } + HTTPRequestTests.golden.map { Array($0.text.utf8) }
        for _ in 0..<2000 {
            var bytes = pieces.randomElement(using: &random) ?? []
            for _ in 0..<Int.random(in: 0...3, using: &random) where !bytes.isEmpty {
                let index = Int.random(in: bytes.indices, using: &random)
                let byte = [0, 9, 10, 13, 32, 58, 65, 255, UInt8.random(in: 0...255, using: &random)]
                    .randomElement(using: &random) ?? 0
                bytes[index] = byte
            }
            let whole = decodeHTTP(bytes)
            for count in 0..<bytes.count {
                let part = decodeHTTP(Array(bytes[..<count]))
                if case .incomplete = part { continue }
                #expect(part == whole)
            }
        }
    }
}
