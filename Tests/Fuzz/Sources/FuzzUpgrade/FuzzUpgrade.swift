// libFuzzer driver for the server's side of the upgrade: a naive reader of the same request finds what makes it one,
// and nothing that an upgrade points to lies outside the fields.

import ApusWire
import FuzzSupport

@main
struct FuzzUpgrade {
    static func main() {
        runFuzzer { start, count in
            fuzz(Array(UnsafeBufferPointer(start: start, count: count)))
            return 0
        }
    }
}

/// An input is one byte that chooses the origins, and a request.
func fuzz(_ input: [UInt8]) {
    guard let first = input.first else { return }
    let stream = Array(input.dropFirst())
    guard case .request(let request) = HTTPRequestDecoder().step(stream.span.bytes, at: 0) else { return }
    let choices: [WebSocketOrigins] = [.any, .sameHost, .list(["https://a.example"]), .list([])]
    let policy = WebSocketUpgradePolicy(path: "/relay", origins: choices[Int(first & 3)])
    let reader = NaiveRequest(request, stream)
    do throws(WebSocketUpgradeRefusal) {
        let upgrade = try WebSocketUpgrade(judging: request, in: stream.span.bytes, by: policy)
        require(reader.refusal == nil, "an upgrade that the naive reader refuses with \(reader.refusal ?? .path)")
        check(upgrade, request)
    } catch {
        // Whom an origin admits is the unit tests' matter.
        require(error == .origin ? reader.refusal == nil : reader.refusal == error, "refused with \(error)")
        require(error != .origin || first & 3 != 0, "any origin was refused")
        require(!error.encodeResponse(unixSeconds: 0).isEmpty, "a refusal says nothing")
    }
    checkForwarding(request, stream)
}

func check(_ upgrade: WebSocketUpgrade, _ request: HTTPRequestLayout) {
    for range in [upgrade.key, upgrade.origin].compactMap({ $0 }) {
        let isInside = range.lowerBound >= request.fields.lowerBound && range.upperBound <= request.fields.upperBound
        require(isInside, "a value outside the fields")
    }
}

/// With nobody trusted the last address of X-Forwarded-For is the client, and X-Real-IP names the same or stands alone.
func checkForwarding(_ request: HTTPRequestLayout, _ stream: [UInt8]) {
    let fields = NaiveRequest(request, stream).fields
    let real = fields.last { $0.name == "x-real-ip" }.flatMap { IPAddress(parsing: $0.value) }
    let forwarded = fields.filter { $0.name == "x-forwarded-for" }
    let entries = forwarded.flatMap { $0.value.split(separator: ",").map(trimmed).filter { !$0.isEmpty } }
    let last = entries.last.flatMap { IPAddress(parsing: $0) }
    do throws(ForwardedClientViolation) {
        let found = try ForwardedClient.endpoint(in: request, stream.span.bytes, trusting: CIDRList())
        require(found?.address == (forwarded.isEmpty ? real : last), "another client")
        require(real == nil || real == found?.address, "one of two clients was believed")
    } catch {
        require(real != nil && !forwarded.isEmpty && real != last, "refused without a reason")
    }
}

/// A reader that splits at line ends and believes nothing.
struct NaiveRequest {
    let fields: [(name: String, value: String)]
    private(set) var refusal: WebSocketUpgradeRefusal?

    init(_ request: HTTPRequestLayout, _ stream: [UInt8]) {
        let head = String(decoding: stream[..<request.fields.upperBound], as: UTF8.self)
        let lines = head.split(separator: "\r\n", omittingEmptySubsequences: true)
        fields = lines.dropFirst().map { line in
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            return (lowered(parts[0]), trimmed(parts.count == 2 ? parts[1] : ""))
        }
        refusal = judge(lines[0], bodyByteCount: request.body.count)
    }

    private func judge(_ line: Substring, bodyByteCount: Int) -> WebSocketUpgradeRefusal? {
        let words = line.split(separator: " ")
        guard path(words[1]) == "/relay" else { return .path }
        guard words[0] == "GET" else { return .method }
        let isUpgrade = words[2] != "HTTP/1.0" && lists("upgrade", "websocket") && lists("connection", "upgrade")
        guard isUpgrade else { return .notAnUpgrade }
        guard values("sec-websocket-version") == ["13"] else { return .version }
        let keys = values("sec-websocket-key")
        guard keys.count == 1, isKey(Array(keys[0].utf8)) else { return .key }
        return bodyByteCount == 0 ? nil : .body
    }

    /// Of an absolute target what follows its host.
    private func path(_ target: Substring) -> Substring {
        let target = target.prefix { $0 != "?" }
        guard !target.hasPrefix("/") else { return target }
        return target.drop { $0 != ":" }.dropFirst(3).drop { $0 != "/" }
    }

    private func isKey(_ key: [UInt8]) -> Bool {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        return key.count == 24 && key[22...] == [0x3D, 0x3D] && key[..<22].allSatisfy(alphabet.contains)
    }

    private func values(_ name: String) -> [String] { fields.filter { $0.name == name }.map(\.value) }

    private func lists(_ name: String, _ token: String) -> Bool {
        values(name).contains { $0.split(separator: ",").contains { lowered(trimmed($0)) == token } }
    }
}

/// ASCII only: Unicode folds the Kelvin sign to k.
func lowered(_ text: some StringProtocol) -> String {
    String(decoding: text.utf8.map { 0x41...0x5A ~= $0 ? $0 | 0x20 : $0 }, as: UTF8.self)
}

func trimmed(_ text: Substring) -> String {
    let bytes = Array(text.utf8).drop { $0 == 32 || $0 == 9 }.reversed().drop { $0 == 32 || $0 == 9 }.reversed()
    return String(decoding: Array(bytes), as: UTF8.self)
}
