// Requests as tests write them, and what the decoder says of them in words that can be compared.

import ApusWire

/// What a decoder found, with the bytes in place of their offsets.
struct FoundRequest: Equatable {
    var method = HTTPMethod.get
    var path = "/"
    var query: String?
    var host: String? = "a"
    var keepsAlive = true
    var body = ""
}

func decodeHTTP(
    _ bytes: [UInt8], at offset: Int = 0, limits: HTTPLimits = HTTPLimits()
) -> HTTPRequestStep {
    HTTPRequestDecoder(limits: limits).step(bytes.span.bytes, at: offset)
}

func decodeHTTP(_ text: String, limits: HTTPLimits = HTTPLimits()) -> HTTPRequestStep {
    decodeHTTP(Array(text.utf8), limits: limits)
}

/// The request that the whole text is; nil when it is none, or something is left.
func found(_ text: String) -> FoundRequest? {
    let bytes = Array(text.utf8)
    guard case .request(let request) = decodeHTTP(bytes), request.end == bytes.count else { return nil }
    func part(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
    return FoundRequest(
        method: request.method, path: part(request.path), query: request.query.map(part),
        host: request.host.map(part), keepsAlive: request.keepsAlive, body: part(request.body))
}

func violation(_ text: String, limits: HTTPLimits = HTTPLimits()) -> HTTPViolation? {
    guard case .violation(let violation) = decodeHTTP(text, limits: limits) else { return nil }
    return violation
}

/// `GET / HTTP/1.1` with a Host and these field lines.
func get(_ fields: String..., to target: String = "/") -> String {
    "GET \(target) HTTP/1.1\r\nHost: a\r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n"
}
