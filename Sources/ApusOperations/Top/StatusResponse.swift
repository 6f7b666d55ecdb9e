// An HTTP/1.1 answer as it comes in. It reads what the admin endpoint sends, and refuses the rest by name.

package enum StatusResponse: Equatable, Sendable {
    case incomplete
    /// A status code and the body.
    case complete(code: Int, body: [UInt8])
    case malformed(String)

    /// Heading and body together; the longest status there is has some ten kilobytes.
    package static let byteCountMax = 4 << 20

    /// - Parameter isEnd: no more bytes will come.
    package init(parsing bytes: [UInt8], isEnd: Bool) {
        guard let headCount = StatusResponse.headByteCount(bytes) else {
            self = isEnd ? .malformed("the connection ended within the answer's heading") : .incomplete
            return
        }
        let lines = String(decoding: bytes[..<headCount], as: UTF8.self).split(separator: "\r\n")
        let words = lines.first?.split(separator: " ") ?? []
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let code = Int(words[1]) else {
            self = .malformed("what answers there does not speak HTTP: is it the admin address?")
            return
        }
        let body = Array(bytes[headCount...])
        self = StatusResponse.response(code, body, lines.dropFirst(), isEnd: isEnd)
    }

    private static func response(
        _ code: Int, _ body: [UInt8], _ headings: ArraySlice<Substring>, isEnd: Bool
    ) -> StatusResponse {
        if value(of: "transfer-encoding", headings) != nil { return .malformed("the answer's body comes in chunks") }
        guard let length = value(of: "content-length", headings) else {
            return isEnd ? .complete(code: code, body: body) : .incomplete
        }
        guard let count = Int(length), (0...byteCountMax).contains(count) else {
            return .malformed("the answer's length is \(length)")
        }
        if body.count >= count { return .complete(code: code, body: Array(body.prefix(count))) }
        return isEnd ? .malformed("the connection ended within the answer") : .incomplete
    }

    private static func value(of name: String, _ headings: ArraySlice<Substring>) -> String? {
        for heading in headings {
            let parts = heading.split(separator: ":", maxSplits: 1)
            if parts.count == 2, parts[0].lowercased() == name { return String(parts[1].drop { $0 == " " }) }
        }
        return nil
    }

    /// Up to and with the empty line.
    private static func headByteCount(_ bytes: [UInt8]) -> Int? {
        let end: [UInt8] = [13, 10, 13, 10]
        guard bytes.count >= end.count else { return nil }
        return (0...(bytes.count - end.count)).first { bytes[$0..<($0 + 4)].elementsEqual(end) }.map { $0 + 4 }
    }
}
