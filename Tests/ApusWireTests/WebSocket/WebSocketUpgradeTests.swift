// The upgrade from both sides: RFC 6455's own request and answer, each refusal, lists and case.

import ApusWire
import Testing

struct WebSocketUpgradeTests {
    static let fields = [
        "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
    ]

    /// The request line's target and version, and fields behind `Host: relay.example:8080`.
    static func request(_ fields: [String], _ line: String = "GET /relay HTTP/1.1", body: String = "") -> String {
        line + "\r\nHost: relay.example:8080\r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n" + body
    }

    private func judge(
        _ text: String, origins: WebSocketOrigins = .any
    ) throws(WebSocketUpgradeRefusal) -> (WebSocketUpgrade, [UInt8]) {
        let bytes = Array(text.utf8)
        guard case .request(let layout) = decodeHTTP(bytes) else { preconditionFailure("no request: \(text)") }
        let policy = WebSocketUpgradePolicy(path: "/relay", origins: origins)
        return (try WebSocketUpgrade(judging: layout, in: bytes.span.bytes, by: policy), bytes)
    }

    private func refusal(_ text: String, origins: WebSocketOrigins = .any) -> WebSocketUpgradeRefusal? {
        do throws(WebSocketUpgradeRefusal) {
            _ = try judge(text, origins: origins)
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: [
        [],
        ["Origin: https://anywhere.example"],
        ["Sec-WebSocket-Protocol: chat, superchat", "Sec-WebSocket-Extensions: permessage-deflate"],
        ["Content-Length: 0"],
    ])
    func isUpgraded(extra: [String]) throws {
        let (upgrade, bytes) = try judge(Self.request(Self.fields + extra))
        #expect(String(decoding: bytes[upgrade.key], as: UTF8.self) == "dGhlIHNhbXBsZSBub25jZQ==")
    }

    static let spellings: [(at: Int, field: String)] = [
        (0, "UPGRADE:WebSocket"), (0, "Upgrade: h2c, websocket"), (0, "Upgrade: ,\t websocket ,"),
        (1, "connection: keep-alive, UPGRADE"), (1, "Connection: upgrade,close"),
        (2, "sec-websocket-key:  AAAAAAAAAAAAAAAAAAAAAA=="),
        (2, "Sec-WebSocket-Key: ++//++//++//++//++//+w=="), (3, "SEC-WEBSOCKET-VERSION:13 "),
    ]

    @Test(arguments: spellings.indices) func listsAndCaseDoNotMatter(index: Int) {
        var fields = Self.fields
        fields[Self.spellings[index].at] = Self.spellings[index].field
        #expect(refusal(Self.request(fields)) == nil)
    }

    @Test func theTokensMayComeInSeveralFields() {
        #expect(refusal(Self.request(["Connection: keep-alive", "Upgrade: h2c"] + Self.fields)) == nil)
    }

    typealias Refused = (
        line: String, replaced: [Int: String], extra: [String], body: String, refusal: WebSocketUpgradeRefusal
    )

    static let refused: [Refused] = [
        ("GET / HTTP/1.1", [:], [], "", .path),
        ("GET /relay/ HTTP/1.1", [:], [], "", .path),
        ("GET /Relay HTTP/1.1", [:], [], "", .path),
        ("GET /rela HTTP/1.1", [:], [], "", .path),
        ("GET /%72elay HTTP/1.1", [:], [], "", .path),
        ("POST / HTTP/1.1", [:], [], "", .path),
        ("POST /relay HTTP/1.1", [:], [], "", .method),
        ("HEAD /relay HTTP/1.1", [:], [], "", .method),
        ("get /relay HTTP/1.1", [:], [], "", .method),
        ("GET /relay HTTP/1.0", [:], [], "", .notAnUpgrade),
        ("GET /relay HTTP/1.1", [0: "X: y"], [], "", .notAnUpgrade),
        ("GET /relay HTTP/1.1", [0: "Upgrade: websockets"], [], "", .notAnUpgrade),
        ("GET /relay HTTP/1.1", [0: "Upgrade: web socket"], [], "", .notAnUpgrade),
        ("GET /relay HTTP/1.1", [1: "Connection: keep-alive"], [], "", .notAnUpgrade),
        ("GET /relay HTTP/1.1", [1: "Connection: upgrade-not"], [], "", .notAnUpgrade),
        ("GET /relay HTTP/1.1", [3: "X: y"], [], "", .version),
        ("GET /relay HTTP/1.1", [3: "Sec-WebSocket-Version: 8"], [], "", .version),
        ("GET /relay HTTP/1.1", [3: "Sec-WebSocket-Version: 13, 8"], [], "", .version),
        ("GET /relay HTTP/1.1", [:], ["Sec-WebSocket-Version: 13"], "", .version),
        ("GET /relay HTTP/1.1", [2: "X: y"], [], "", .key),
        ("GET /relay HTTP/1.1", [2: "Sec-WebSocket-Key:"], [], "", .key),
        ("GET /relay HTTP/1.1", [2: "Sec-WebSocket-Key: AAAA"], [], "", .key),
        ("GET /relay HTTP/1.1", [2: "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAA="], [], "", .key),
        ("GET /relay HTTP/1.1", [2: "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA A=="], [], "", .key),
        ("GET /relay HTTP/1.1", [2: "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA-A=="], [], "", .key),
        ("GET /relay HTTP/1.1", [:], ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="], "", .key),
        ("GET /relay HTTP/1.1", [:], ["Content-Length: 2"], "ab", .body),
    ]

    @Test(arguments: refused.indices) func isRefused(index: Int) {
        let (line, replaced, extra, body, expected) = Self.refused[index]
        let fields = Self.fields.enumerated().map { replaced[$0] ?? $1 } + extra
        #expect(refusal(Self.request(fields, line, body: body)) == expected)
    }

    static let origins: [(origin: String, origins: WebSocketOrigins, isAdmitted: Bool)] = [
        ("https://relay.example:8080", .sameHost, true),
        ("http://RELAY.example:8080", .sameHost, true),
        ("https://relay.example", .sameHost, false),
        ("https://relay.example:80800", .sameHost, false),
        ("https://relay.example:8080.evil.example", .sameHost, false),
        ("ftp://relay.example:8080", .sameHost, false),
        ("null", .sameHost, false),
        ("", .sameHost, false),
        ("https://app.example", .list(["https://other.example", "https://App.example"]), true),
        ("http://app.example", .list(["https://app.example"]), false),
        ("https://app.example.evil.example", .list(["https://app.example"]), false),
        ("https://app.example", .list([]), false),
        ("null", .any, true),
    ]

    @Test(arguments: origins.indices) func originsAreJudged(index: Int) {
        let (origin, origins, isAdmitted) = Self.origins[index]
        let text = Self.request(Self.fields + ["Origin: \(origin)"])
        #expect(refusal(text, origins: origins) == (isAdmitted ? nil : .origin))
        #expect(refusal(Self.request(Self.fields), origins: origins) == nil, "what is no browser is admitted")
    }

    @Test func theOriginIsFound() throws {
        let (upgrade, bytes) = try judge(Self.request(Self.fields + ["Origin: https://a.example"]))
        #expect(upgrade.origin.map { String(decoding: bytes[$0], as: UTF8.self) } == "https://a.example")
    }

    @Test func refusalsTellWhatToDoBetter() {
        for refusal in WebSocketUpgradeRefusal.allCases {
            let text = String(decoding: refusal.encodeResponse(unixSeconds: 0), as: UTF8.self)
            #expect(text.hasPrefix("HTTP/1.1 \(refusal.status.rawValue) "))
            #expect(text.hasSuffix("\r\n\r\n\(refusal)\n"))
            let isUpgrade = refusal == .notAnUpgrade || refusal == .version
            // One field, which names both where the answer is an offer and the end.
            let options = text.split(separator: "\r\n").filter { $0.hasPrefix("Connection:") }
            #expect(options == [isUpgrade ? "Connection: Upgrade, close" : "Connection: close"])
            #expect(text.contains("\r\nSec-WebSocket-Version: 13\r\n") == isUpgrade)
            #expect(text.contains("\r\nUpgrade: websocket\r\n") == isUpgrade)
            #expect(text.contains("\r\nAllow: GET\r\n") == (refusal == .method))
        }
        let statuses = WebSocketUpgradeRefusal.allCases.map(\.status.rawValue)
        #expect(statuses == [404, 405, 426, 426, 400, 400, 403])
    }
}

struct WebSocketRequestTests {
    static let accept: [28 of UInt8] = {
        let text = Array("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".utf8)
        return [28 of UInt8] { text[$0] }
    }()

    /// RFC 6455 §1.2: the key is "the sample nonce" in base64.
    private var request: WebSocketRequest {
        let nonce = Array("the sample nonce".utf8)
        let fields = [HTTPField("Origin", "http://example.com")]
        return WebSocketRequest(
            host: "server.example.com", path: "/chat?x=1", fields: fields, nonce: [16 of UInt8] { nonce[$0] })
    }

    @Test func isWrittenByteForByteAndUpgraded() throws {
        let bytes = request.encode()
        let expected = "GET /chat?x=1 HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n"
            + "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            + "Origin: http://example.com\r\n\r\n"
        #expect(String(decoding: bytes, as: UTF8.self) == expected)
        guard case .request(let layout) = decodeHTTP(bytes) else { return }
        let policy = WebSocketUpgradePolicy(path: "/chat", origins: .list(["http://example.com"]))
        let upgrade = try WebSocketUpgrade(judging: layout, in: bytes.span.bytes, by: policy)
        #expect(Array(bytes[upgrade.key]) == request.key)
    }

    private func judge(_ text: String) throws {
        let bytes = Array(text.utf8)
        guard case .response(let layout) = HTTPResponseDecoder().step(bytes.span.bytes, at: 0) else {
            preconditionFailure("no response: \(text)")
        }
        try WebSocketRequest.judge(layout, in: bytes.span.bytes, accept: Self.accept)
    }

    static let answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"

    @Test func theAnswerIsTheRFCs() throws {
        let bytes = written { WebSocketUpgrade.writeResponse(accept: Self.accept, into: &$0) }
        #expect(String(decoding: bytes, as: UTF8.self) == Self.answer)
        #expect(bytes.count == WebSocketUpgrade.responseByteCount)
        try judge(Self.answer)
        try judge("HTTP/1.1 101 \r\nconnection: x,upgrade\r\nUPGRADE: WEBSOCKET\r\n"
            + "sec-websocket-accept:s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")
    }

    static let failures: [(from: String, to: String, WebSocketUpgradeFailure)] = [
        ("101", "200", .status(200)), ("101", "403", .status(403)), ("101", "100", .status(100)),
        ("Upgrade: websocket", "Upgrade: h2c", .notAnUpgrade),
        ("Connection: Upgrade", "Connection: close", .notAnUpgrade),
        ("xOo=", "xOO=", .accept), ("xOo=", "xOo", .accept), ("Sec-WebSocket-Accept", "X", .accept),
        ("\r\n\r\n", "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", .accept),
        ("\r\n\r\n", "\r\nSec-WebSocket-Protocol: chat\r\n\r\n", .unaskedFor),
        ("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n", .unaskedFor),
    ]

    @Test(arguments: failures.indices) func otherAnswersFail(index: Int) {
        let (from, to, failure) = Self.failures[index]
        let parts = Self.answer.split(separator: from, maxSplits: 1, omittingEmptySubsequences: false)
        #expect(parts.count == 2)
        #expect(throws: failure) { try judge(parts.joined(separator: to)) }
        #expect(!"\(failure)".isEmpty)
    }

    @Test func whatWouldBeAnotherRequestStopsTheProgram() async {
        let nonce = [16 of UInt8](repeating: 1)
        await #expect(processExitsWith: .failure) {
            _ = WebSocketRequest(host: "a", path: "relay", nonce: [16 of UInt8](repeating: 1)).encode()
        }
        await #expect(processExitsWith: .failure) {
            _ = WebSocketRequest(host: "a", path: "/a b", nonce: [16 of UInt8](repeating: 1)).encode()
        }
        await #expect(processExitsWith: .failure) {
            _ = WebSocketRequest(host: "a\r\nX: y", path: "/", nonce: [16 of UInt8](repeating: 1)).encode()
        }
        #expect(WebSocketRequest(host: "a", path: "/", nonce: nonce).key.count == 24)
    }
}
