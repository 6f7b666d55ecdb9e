// Where the parts of a request lie. Offsets only: the bytes stay with whoever has them. It must never know what a path
// or a field means beyond the framing of messages.

/// Offsets into the bytes that were examined.
public struct HTTPRequestLayout: Equatable, Sendable {
    public internal(set) var method = HTTPMethod.other
    public internal(set) var methodName: Range<Int>
    /// As it stands in the target, nothing decoded. Empty for an absolute target without a path, which means `/`.
    public internal(set) var path: Range<Int>
    /// What follows the first `?`, which is not part of it.
    public internal(set) var query: Range<Int>?
    /// Host and port: of an absolute target, otherwise of the Host field. Nil: HTTP/1.0 without either.
    public internal(set) var host: Range<Int>?
    /// HTTP/1.`minorVersion`; what is newer than 1.1 counts as that.
    public internal(set) var minorVersion: UInt8 = 1
    /// The peer expects to send more requests.
    public internal(set) var keepsAlive = true
    /// The field lines, each with its CR LF.
    public internal(set) var fields: Range<Int>
    public internal(set) var body: Range<Int>

    private var hasAbsoluteTarget = false
    private var hasHostField = false
    private var contentLength: Int?
    private var isChunked = false
    private var expects = false
    private var asksToClose = false
    private var asksToStay = false

    init(at offset: Int) {
        let empty = offset..<offset
        (methodName, path, fields, body) = (empty, empty, empty, empty)
    }

    /// Where the next request starts.
    public var end: Int { body.upperBound }
}

// MARK: The request line (RFC 9112 §3)

extension HTTPRequestLayout {
    mutating func readRequestLine(_ bytes: RawSpan, _ line: Range<Int>) throws(HTTPStop) {
        guard let first = HTTPByte.first(HTTPByte.space, in: bytes, line),
            let second = HTTPByte.first(HTTPByte.space, in: bytes, first + 1..<line.upperBound)
        else { throw .violation(.requestLine) }
        methodName = line.lowerBound..<first
        minorVersion = try HTTPLine.readVersion(bytes, second + 1..<line.upperBound, orElse: .requestLine)
        guard !methodName.isEmpty, HTTPByte.all(bytes, methodName, HTTPByte.isToken) else {
            throw .violation(.requestLine)
        }
        method = HTTPMethod(bytes, methodName)
        try readTarget(bytes, first + 1..<second)
    }

    private mutating func readTarget(_ bytes: RawSpan, _ target: Range<Int>) throws(HTTPStop) {
        guard !target.isEmpty, HTTPByte.all(bytes, target, HTTPByte.isTarget) else { throw .violation(.target) }
        if bytes.byte(at: target.lowerBound) == HTTPByte.slash { return readPath(bytes, target) }
        if method == .options, HTTPByte.equals(bytes, target, "*") { return path = target }
        let length = HTTPByte.hasPrefix(bytes, target, "http://") ? 7 : 8
        guard length == 7 || HTTPByte.hasPrefix(bytes, target, "https://") else { throw .violation(.target) }
        try readAuthority(bytes, target.lowerBound + length..<target.upperBound)
    }

    /// Of an absolute target: its host counts, whatever the Host field says (RFC 9112 §3.2.2).
    private mutating func readAuthority(_ bytes: RawSpan, _ rest: Range<Int>) throws(HTTPStop) {
        let slash = HTTPByte.first(HTTPByte.slash, in: bytes, rest) ?? rest.upperBound
        let mark = HTTPByte.first(HTTPByte.questionMark, in: bytes, rest) ?? rest.upperBound
        let authority = rest.lowerBound..<min(slash, mark)
        guard HTTPByte.isHost(bytes, authority) else { throw .violation(.target) }
        host = authority
        hasAbsoluteTarget = true
        readPath(bytes, authority.upperBound..<rest.upperBound)
    }

    private mutating func readPath(_ bytes: RawSpan, _ text: Range<Int>) {
        let mark = HTTPByte.first(HTTPByte.questionMark, in: bytes, text)
        path = text.lowerBound..<(mark ?? text.upperBound)
        if let mark { query = mark + 1..<text.upperBound }
    }
}

// MARK: Fields (RFC 9112 §5)

extension HTTPRequestLayout {
    /// Only what decides where the message ends and what follows it.
    mutating func readField(_ bytes: RawSpan, _ field: HTTPFieldLine) throws(HTTPStop) {
        if field.isNamed("host", in: bytes) { return try readHost(bytes, field.value) }
        if field.isNamed("content-length", in: bytes) { return try readLength(bytes, field.value) }
        if field.isNamed("transfer-encoding", in: bytes) { isChunked = true }
        if field.isNamed("connection", in: bytes) { readConnection(bytes, field.value) }
        if field.isNamed("expect", in: bytes) { expects = true }
    }

    private mutating func readHost(_ bytes: RawSpan, _ value: Range<Int>) throws(HTTPStop) {
        guard !hasHostField else { throw .violation(.hostTwice) }
        hasHostField = true
        guard value.isEmpty || HTTPByte.isHost(bytes, value) else { throw .violation(.host) }
        if !hasAbsoluteTarget { host = value }
    }

    /// Twice is refused even when both say the same (RFC 9112 §6.3 allows either).
    private mutating func readLength(_ bytes: RawSpan, _ value: Range<Int>) throws(HTTPStop) {
        guard contentLength == nil else { throw .violation(.contentLengthTwice) }
        contentLength = try HTTPLine.readLength(bytes, value)
    }

    private mutating func readConnection(_ bytes: RawSpan, _ value: Range<Int>) {
        var options = HTTPListElements(value)
        while let option = options.next(in: bytes) {
            if HTTPByte.equalsIgnoringCase(bytes, option, "close") { asksToClose = true }
            if HTTPByte.equalsIgnoringCase(bytes, option, "keep-alive") { asksToStay = true }
        }
    }

    /// All fields are read: how long the body is, and whether the connection stays.
    mutating func readBodyLength(startingAt start: Int, byteCountMax: Int) throws(HTTPStop) {
        if isChunked { throw .violation(contentLength == nil ? .transferEncoding : .twoLengths) }
        if minorVersion >= 1, !hasHostField { throw .violation(.hostMissing) }
        if expects { throw .violation(.expectation) }
        let length = contentLength ?? 0
        guard length <= byteCountMax else { throw .violation(.bodyTooLarge) }
        body = start..<start + length
        keepsAlive = !asksToClose && (minorVersion >= 1 || asksToStay)
    }
}
