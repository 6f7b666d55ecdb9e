// The fields that an upgrade looks at, found in one walk over a head. Offsets only; it must never know which of them
// are needed.

struct WebSocketFields {
    private(set) var namesWebSocket = false
    private(set) var connectionUpgrades = false
    private(set) var isVersion13 = false
    private(set) var versionCount = 0
    private(set) var key: Range<Int>?
    private(set) var keyCount = 0
    private(set) var accept: Range<Int>?
    private(set) var acceptCount = 0
    /// Of a response: something was negotiated.
    private(set) var protocolCount = 0
    private(set) var extensionCount = 0
    private(set) var origin: Range<Int>?

    init(_ fields: Range<Int>, in bytes: RawSpan) {
        var lines = HTTPFieldLines(fields)
        while let line = lines.next(in: bytes) {
            if HTTPByte.hasPrefix(bytes, line.name, "sec-websocket-") {
                readWebSocket(line, bytes)
            } else {
                readUpgrade(line, bytes)
            }
        }
    }

    private mutating func readUpgrade(_ line: HTTPFieldLine, _ bytes: RawSpan) {
        if line.isNamed("upgrade", in: bytes), line.lists("websocket", in: bytes) { namesWebSocket = true }
        if line.isNamed("connection", in: bytes), line.lists("upgrade", in: bytes) { connectionUpgrades = true }
        if line.isNamed("origin", in: bytes) { origin = line.value }
    }

    private mutating func readWebSocket(_ line: HTTPFieldLine, _ bytes: RawSpan) {
        if line.isNamed("sec-websocket-key", in: bytes) { (key, keyCount) = (line.value, keyCount + 1) }
        if line.isNamed("sec-websocket-accept", in: bytes) { (accept, acceptCount) = (line.value, acceptCount + 1) }
        if line.isNamed("sec-websocket-protocol", in: bytes) { protocolCount += 1 }
        if line.isNamed("sec-websocket-extensions", in: bytes) { extensionCount += 1 }
        if line.isNamed("sec-websocket-version", in: bytes) {
            isVersion13 = HTTPByte.equals(bytes, line.value, "13")
            versionCount += 1
        }
    }
}
