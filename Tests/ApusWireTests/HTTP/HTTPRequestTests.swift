// Requests that are right: what is read from them, however they are cut.

import ApusWire
import Testing

struct HTTPRequestTests {
    static let golden: [(text: String, request: FoundRequest)] = [
        (get(), FoundRequest()),
        ("\r\n" + get(), FoundRequest()),
        (get(to: "/status?connections=5&x=?y"), FoundRequest(path: "/status", query: "connections=5&x=?y")),
        (get(to: "/?"), FoundRequest(query: "")),
        (get("X-Long:\t a b \t", "x!#$%&'*+.^_`|~1:é"), FoundRequest()),
        ("HEAD /livez HTTP/1.1\r\nhOsT:\t[::1]:9600 \r\n\r\n",
         FoundRequest(method: .head, path: "/livez", host: "[::1]:9600")),
        ("GET http://b.example:80/m?q HTTP/1.1\r\nHost: a\r\n\r\n",
         FoundRequest(path: "/m", query: "q", host: "b.example:80")),
        ("GET HTTPS://b HTTP/1.1\r\nHost: a\r\n\r\n", FoundRequest(path: "", host: "b")),
        ("GET http://b?q HTTP/1.1\r\nHost: a\r\n\r\n", FoundRequest(path: "", query: "q", host: "b")),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", FoundRequest(method: .options, path: "*")),
        ("BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n", FoundRequest(method: .other, path: "/pot")),
        ("get / HTTP/1.1\r\nHost: a\r\n\r\n", FoundRequest(method: .other)),
        ("GET / HTTP/1.0\r\n\r\n", FoundRequest(host: nil, keepsAlive: false)),
        ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", FoundRequest(host: nil)),
        ("GET / HTTP/1.9\r\nHost: a\r\n\r\n", FoundRequest()),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", FoundRequest(host: "")),
        (get("Connection: close"), FoundRequest(keepsAlive: false)),
        (get("Connection: upgrade , CLOSE,keep-alive"), FoundRequest(keepsAlive: false)),
        (get("Connection: upgrade,,", "Connection: x"), FoundRequest()),
        (get("Connection: close-not"), FoundRequest()),
        ("POST /reload HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
         FoundRequest(method: .post, path: "/reload")),
        ("POST /d HTTP/1.1\r\nHost: a\r\nContent-Length: 0005\r\n\r\nhello",
         FoundRequest(method: .post, path: "/d", body: "hello")),
    ]

    @Test(arguments: golden.indices) func isRead(index: Int) {
        #expect(found(Self.golden[index].text) == Self.golden[index].request)
    }

    @Test(arguments: golden.indices) func isIncompleteAtEverySplit(index: Int) {
        let bytes = Array(Self.golden[index].text.utf8)
        for count in 0..<bytes.count {
            guard case .incomplete(let needed) = decodeHTTP(Array(bytes[..<count])) else {
                Issue.record("\(count) of \(bytes.count) bytes are not incomplete")
                return
            }
            #expect(needed > count && needed <= bytes.count)
        }
    }

    @Test(arguments: golden.indices) func isTheSameAtAnyOffsetAndBeforeAnything(index: Int) {
        let bytes = Array(Self.golden[index].text.utf8)
        guard case .request(let alone) = decodeHTTP(bytes) else { return }
        for next in [Array("GET /next HTTP/1.1\r\n".utf8), [0, 13, 10, 0xFF]] {
            guard case .request(let among) = decodeHTTP([7, 7, 7] + bytes + next, at: 3) else {
                Issue.record("not read among other bytes")
                return
            }
            #expect(among.end == alone.end + 3)
            #expect(among.path == alone.path.lowerBound + 3..<alone.path.upperBound + 3)
        }
    }

    @Test func pipelinedRequestsFollowOneAnother() {
        let bytes = Array((get(to: "/a") + get(to: "/b") + get(to: "/c")).utf8)
        var (offset, paths) = (0, [String]())
        while case .request(let request) = decodeHTTP(bytes, at: offset) {
            paths.append(String(decoding: bytes[request.path], as: UTF8.self))
            offset = request.end
        }
        #expect(paths == ["/a", "/b", "/c"])
        #expect(offset == bytes.count)
    }

    @Test func theFieldsAreWhereTheyLie() {
        let bytes = Array("GET / HTTP/1.1\r\nHost: a\r\nB: c\r\n\r\n".utf8)
        guard case .request(let request) = decodeHTTP(bytes) else { return }
        #expect(String(decoding: bytes[request.fields], as: UTF8.self) == "Host: a\r\nB: c\r\n")
        #expect(String(decoding: bytes[request.methodName], as: UTF8.self) == "GET")
        #expect(request.minorVersion == 1)
    }

    @Test func anOffsetOutsideTheBytesStopsTheProgram() async {
        await #expect(processExitsWith: .failure) { _ = decodeHTTP([1, 2, 3], at: 4) }
    }
}
