// Judges the request that would make a connection a WebSocket (RFC 6455 §4.2), and writes the answer. Offsets only; it
// must never know where the accept value is computed, nor who is on the other side.

/// A request that may be upgraded. Subprotocols and extensions are never negotiated, so what it offers of them is not
/// looked at; whom it comes from `ForwardedClient` knows.
public struct WebSocketUpgrade: Equatable, Sendable {
    /// Sec-WebSocket-Key: 24 characters of base64, 16 bytes. ApusSecurity's `WebSocketAccept` makes the answer of it.
    public let key: Range<Int>
    /// Browsers send it.
    public let origin: Range<Int>?

    /// - Parameters:
    ///   - request: as `HTTPRequestDecoder` found it in `bytes`.
    ///   - policy: which path it must ask for, and from which origins.
    public init(
        judging request: HTTPRequestLayout, in bytes: RawSpan, by policy: WebSocketUpgradePolicy
    ) throws(WebSocketUpgradeRefusal) {
        guard HTTPByte.equals(bytes, request.path, policy.path.utf8) else { throw .path }
        guard request.method == .get else { throw .method }
        let fields = WebSocketFields(request.fields, in: bytes)
        guard request.minorVersion >= 1, fields.namesWebSocket, fields.connectionUpgrades else { throw .notAnUpgrade }
        guard fields.versionCount == 1, fields.isVersion13 else { throw .version }
        guard let key = fields.key, fields.keyCount == 1, WebSocketUpgrade.isKey(bytes, key) else { throw .key }
        guard request.body.isEmpty else { throw .body }
        if let origin = fields.origin, !policy.origins.admit(origin, of: request, in: bytes) { throw .origin }
        self.key = key
        origin = fields.origin
    }

    /// 16 bytes in base64: 22 characters of its alphabet and two `=`.
    private static func isKey(_ bytes: RawSpan, _ value: Range<Int>) -> Bool {
        value.count == 24
            && HTTPByte.all(bytes, value.lowerBound..<value.upperBound - 2, Base64.isDigit)
            && HTTPByte.all(bytes, value.upperBound - 2..<value.upperBound) { $0 == Base64.padding }
    }
}

// MARK: The answer

extension WebSocketUpgrade {
    /// Characters of a Sec-WebSocket-Accept: 20 bytes in base64.
    public static let acceptByteCount = 28

    private static let responseStart: StaticString =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "

    /// Bytes that `writeResponse` writes.
    public static var responseByteCount: Int { responseStart.utf8CodeUnitCount + acceptByteCount + 4 }

    /// The 101. Frames may follow it at once.
    ///
    /// - Parameter accept: what `WebSocketAccept` makes of the key.
    @_lifetime(output: copy output)
    public static func writeResponse(accept: [28 of UInt8], into output: inout OutputRawSpan) {
        output.append(text: responseStart)
        output.append(copying: accept.span.octets)
        output.append(text: "\r\n\r\n")
    }
}

// MARK: What may be asked for

/// Which requests become WebSockets.
public struct WebSocketUpgradePolicy: Equatable, Sendable {
    /// Compared byte by byte: `/relay` is neither `/relay/` nor `/Relay`.
    public var path: String
    public var origins: WebSocketOrigins

    public init(path: String, origins: WebSocketOrigins = .any) {
        self.path = path
        self.origins = origins
    }
}

/// Which pages a browser may connect from (RFC 6455 §10.2). What sends no Origin is no browser and is always admitted.
public enum WebSocketOrigins: Equatable, Sendable {
    case any
    /// The origin's host and port are those the request was sent to.
    case sameHost
    /// Whole origins, as in `https://app.example.com:8443`, in any case.
    case list([String])

    func admit(_ origin: Range<Int>, of request: HTTPRequestLayout, in bytes: RawSpan) -> Bool {
        switch self {
        case .any: true
        case .sameHost: isSameHost(origin, request.host, bytes)
        case .list(let origins): origins.contains { HTTPByte.equalsIgnoringCase(bytes, origin, $0.utf8) }
        }
    }

    private func isSameHost(_ origin: Range<Int>, _ host: Range<Int>?, _ bytes: RawSpan) -> Bool {
        let schemes: [2 of StaticString] = ["http://", "https://"]
        for index in schemes.indices where HTTPByte.hasPrefix(bytes, origin, schemes[index]) {
            let authority = origin.lowerBound + schemes[index].utf8CodeUnitCount..<origin.upperBound
            return host.map { HTTPByte.equalsIgnoringCase(bytes, authority, bytes, $0) } ?? false
        }
        return false
    }
}

// MARK: What is wrong

/// Why a request becomes no WebSocket.
public enum WebSocketUpgradeRefusal: Error, CaseIterable, BitwiseCopyable, Equatable, Sendable {
    case path
    case method
    /// A plain request, or one of HTTP/1.0, where Upgrade means nothing (RFC 9110 §7.8).
    case notAnUpgrade
    /// Another version than 13.
    case version
    /// None, several, or not 16 bytes.
    case key
    /// Where frames should begin there is a body.
    case body
    case origin

    public var status: HTTPStatus {
        switch self {
        case .path: .notFound
        case .method: .methodNotAllowed
        case .notAnUpgrade, .version: .upgradeRequired
        case .key, .body: .badRequest
        case .origin: .forbidden
        }
    }

    /// A whole answer; the connection ends behind it.
    public func encodeResponse(unixSeconds: UInt64) -> [UInt8] {
        let body = Array("\(self)\n".utf8)
        let response = HTTPResponse(
            status, fields: fields + [HTTPField("Content-Type", "text/plain")],
            upgrade: status == .upgradeRequired ? "websocket" : nil, body: body)
        return response.encode(unixSeconds: unixSeconds, keepsAlive: false)
    }

    /// What a client needs to do better (RFC 6455 §4.4, RFC 9110 §15.5.6 and §15.5.22).
    private var fields: [HTTPField] {
        switch self {
        case .method: [HTTPField("Allow", "GET")]
        case .notAnUpgrade, .version: [HTTPField("Sec-WebSocket-Version", "13")]
        case .path, .key, .body, .origin: []
        }
    }
}

extension WebSocketUpgradeRefusal: CustomStringConvertible {
    public var description: String {
        switch self {
        case .path: "there is nothing at this path"
        case .method: "a WebSocket is asked for with GET"
        case .notAnUpgrade: "only WebSockets are served here: upgrade over HTTP/1.1"
        case .version: "Sec-WebSocket-Version must be 13"
        case .key: "Sec-WebSocket-Key must be 16 bytes in base64"
        case .body: "the request must have no body"
        case .origin: "this origin is not admitted"
        }
    }
}
