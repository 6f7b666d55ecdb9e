// The client's side of the upgrade (RFC 6455 §4.1): writes the request and judges the answer. It must never know where
// randomness and hashes come from.

/// What a client asks with.
public struct WebSocketRequest: Equatable, Sendable {
    /// Host and port as in a URL: `relay.example.com:8080`, `[::1]:80`; the scheme's own port is left out.
    public var host: String
    public var path: String
    /// Further fields, such as Origin.
    public var fields: [HTTPField]
    /// 24 characters: the Sec-WebSocket-Key.
    public let key: [UInt8]

    /// - Parameter nonce: 16 random bytes, new for each request.
    public init(host: String, path: String, fields: [HTTPField] = [], nonce: [16 of UInt8]) {
        (self.host, self.path, self.fields) = (host, path, fields)
        key = Base64.encode(nonce.span.octets)
    }

    /// The request's bytes.
    public func encode() -> [UInt8] {
        precondition(path.utf8.first == HTTPByte.slash, "a path starts with a slash")
        precondition(path.utf8.allSatisfy(HTTPByte.isTarget), "a path is visible ASCII")
        var head = "GET \(path) HTTP/1.1\r\n"
        let own = [
            HTTPField("Host", host), HTTPField("Upgrade", "websocket"), HTTPField("Connection", "Upgrade"),
            HTTPField("Sec-WebSocket-Key", String(decoding: key, as: UTF8.self)),
            HTTPField("Sec-WebSocket-Version", "13"),
        ]
        for field in own + fields { field.append(to: &head) }
        return Array((head + "\r\n").utf8)
    }

    /// Whether this response makes the connection a WebSocket. Frames begin at its `end`.
    ///
    /// - Parameters:
    ///   - response: as `HTTPResponseDecoder` found it in `bytes`.
    ///   - accept: what `WebSocketAccept` makes of the key.
    public static func judge(
        _ response: HTTPResponseLayout, in bytes: RawSpan, accept: [28 of UInt8]
    ) throws(WebSocketUpgradeFailure) {
        guard response.status == 101 else { throw .status(response.status) }
        let fields = WebSocketFields(response.fields, in: bytes)
        guard fields.namesWebSocket, fields.connectionUpgrades else { throw .notAnUpgrade }
        guard let found = fields.accept, fields.acceptCount == 1, isSame(bytes, found, accept) else { throw .accept }
        guard fields.protocolCount == 0, fields.extensionCount == 0 else { throw .unaskedFor }
    }

    private static func isSame(_ bytes: RawSpan, _ value: Range<Int>, _ accept: [28 of UInt8]) -> Bool {
        guard value.count == accept.count else { return false }
        for index in accept.indices where bytes.byte(at: value.lowerBound + index) != accept[index] { return false }
        return true
    }
}

/// Why a response makes no WebSocket.
public enum WebSocketUpgradeFailure: Error, BitwiseCopyable, Equatable, Sendable {
    case status(UInt16)
    /// 101 without Upgrade and Connection.
    case notAnUpgrade
    /// It does not answer this request's key: a cache, or a server that does not know the protocol.
    case accept
    /// A subprotocol or an extension that was not offered.
    case unaskedFor
}

extension WebSocketUpgradeFailure: CustomStringConvertible {
    public var description: String {
        switch self {
        case .status(let status): "the server answered \(status) in place of 101 Switching Protocols"
        case .notAnUpgrade: "the server switches to something that is not a WebSocket"
        case .accept: "Sec-WebSocket-Accept is not the answer to this request"
        case .unaskedFor: "the server chose a subprotocol or an extension that was not offered"
        }
    }
}
