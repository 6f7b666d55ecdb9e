// libFuzzer driver for HTTP responses and the client's side of the upgrade: what is refused stays refused, what is
// accepted needs no byte behind it, and a 101 is believed only when a naive reader finds all that it has to say.

import ApusWire
import FuzzSupport

@main
struct FuzzResponse {
    static func main() {
        runFuzzer { start, count in
            fuzz(Array(UnsafeBufferPointer(start: start, count: count)))
            return 0
        }
    }
}

let accept = Array("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".utf8)

func fuzz(_ stream: [UInt8]) {
    let decoder = HTTPResponseDecoder()
    let whole = decoder.step(stream.span.bytes, at: 0)
    var decided: HTTPResponseStep?
    for count in 0...stream.count {
        let seen = Array(stream[..<count])
        let step = decoder.step(seen.span.bytes, at: 0)
        if let decided {
            require(step == decided, "a decision changes with the bytes behind it")
        } else if case .incomplete(let byteCountNeeded) = step {
            require(byteCountNeeded > count, "incomplete, but all it needs is there")
        } else {
            decided = step
        }
    }
    require(decided == nil || decided == whole, "the pieces decode otherwise")
    if case .response(let response) = whole { check(response, stream) }
}

/// A reader that splits at line ends and believes nothing.
func check(_ response: HTTPResponseLayout, _ stream: [UInt8]) {
    let head = Array(stream[..<response.end])
    require(head.suffix(4).elementsEqual([13, 10, 13, 10]), "a head does not end with a blank line")
    require(!head.contains(0), "a head holds NUL")
    let lines = String(decoding: head, as: UTF8.self).split(separator: "\r\n", omittingEmptySubsequences: true)
    let fields = lines.dropFirst().map(field)
    require(fields.allSatisfy { !$0.name.isEmpty && !$0.name.contains(" ") }, "a blank in a name")
    require(fields.count { $0.name == "content-length" } <= 1, "two lengths were accepted")
    let isUpgraded = response.status == 101
        && has("upgrade", "websocket", fields) && has("connection", "upgrade", fields)
        && fields.filter { $0.name == "sec-websocket-accept" }.map { Array($0.value.utf8) } == [accept]
        && !fields.contains { ["sec-websocket-protocol", "sec-websocket-extensions"].contains($0.name) }
    require(judge(response, stream) == isUpgraded, "the upgrade is judged otherwise")
}

func judge(_ response: HTTPResponseLayout, _ stream: [UInt8]) -> Bool {
    do throws(WebSocketUpgradeFailure) {
        try WebSocketRequest.judge(response, in: stream.span.bytes, accept: [28 of UInt8] { accept[$0] })
        return true
    } catch {
        return false
    }
}

func field(_ line: Substring) -> (name: String, value: String) {
    let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    return (lowered(parts[0]), trimmed(parts.count == 2 ? parts[1] : ""))
}

/// ASCII only: Unicode folds the Kelvin sign to k.
func lowered(_ text: some StringProtocol) -> String {
    String(decoding: text.utf8.map { 0x41...0x5A ~= $0 ? $0 | 0x20 : $0 }, as: UTF8.self)
}

func trimmed(_ text: Substring) -> String {
    let bytes = Array(text.utf8).drop { $0 == 32 || $0 == 9 }.reversed().drop { $0 == 32 || $0 == 9 }.reversed()
    return String(decoding: Array(bytes), as: UTF8.self)
}

func has(_ name: String, _ token: String, _ fields: [(name: String, value: String)]) -> Bool {
    fields.contains { field in
        field.name == name && field.value.split(separator: ",").contains { lowered(trimmed($0)) == token }
    }
}
