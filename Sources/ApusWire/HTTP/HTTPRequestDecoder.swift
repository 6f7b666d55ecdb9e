// Finds HTTP/1.1 requests in bytes that have arrived (RFC 9112). It holds limits and no bytes; it must never know of
// connections, nor of what a path means.

/// How large a request may be. Each is counted in bytes or fields of one request.
public struct HTTPLimits: BitwiseCopyable, Equatable, Sendable {
    /// The request line without its end.
    public var requestLineByteCountMax = 2048
    public var fieldCountMax = 64
    /// All field lines together, with their ends.
    public var fieldsByteCountMax = 8192
    public var bodyByteCountMax = 4096

    public init() {}

    /// The largest request: a blank line before it, its line, its fields, the blank line behind them, its body.
    public var requestByteCountMax: Int { 2 + requestLineByteCountMax + 2 + fieldsByteCountMax + 2 + bodyByteCountMax }
}

/// Strict: where two readers could disagree about what a request is or where it ends, it is refused (RFC 9112 §11.2).
/// No bare CR or LF, no folded lines, no space before a colon, one Host, one Content-Length, no Transfer-Encoding.
public struct HTTPRequestDecoder: BitwiseCopyable, Sendable {
    public let limits: HTTPLimits

    public init(limits: HTTPLimits = HTTPLimits()) { self.limits = limits }

    /// Examine the request that starts at `offset` (0 … `bytes.byteCount`).
    ///
    /// A line is refused at its first forbidden byte or where it becomes too long, otherwise when it is whole: what is
    /// refused stays refused for the same reason, however many bytes follow.
    public func step(_ bytes: RawSpan, at offset: Int) -> HTTPRequestStep {
        precondition(0...bytes.byteCount ~= offset, "a request starts within the bytes")
        var request = HTTPRequestLayout(at: offset)
        do throws(HTTPStop) {
            try readHead(of: &request, bytes, from: offset)
        } catch {
            switch error {
            case .incomplete: return .incomplete(byteCountNeeded: bytes.byteCount - offset + 1)
            case .violation(let violation): return .violation(violation)
            }
        }
        guard request.end <= bytes.byteCount else { return .incomplete(byteCountNeeded: request.end - offset) }
        return .request(request)
    }

    private func readHead(
        of request: inout HTTPRequestLayout, _ bytes: RawSpan, from offset: Int
    ) throws(HTTPStop) {
        var line = try requestLine(bytes, from: offset)
        // One blank line before a request is forgiven: old clients send one behind a body (RFC 9112 §2.2).
        if line.isEmpty { line = try requestLine(bytes, from: line.upperBound + 2) }
        try request.readRequestLine(bytes, line)
        let fieldsStart = line.upperBound + 2
        let end = try HTTPLine.findFields(bytes, from: fieldsStart, limits) { field throws(HTTPStop) in
            try request.readField(bytes, field)
        }
        request.fields = fieldsStart..<end
        try request.readBodyLength(startingAt: end + 2, byteCountMax: limits.bodyByteCountMax)
    }

    private func requestLine(_ bytes: RawSpan, from start: Int) throws(HTTPStop) -> Range<Int> {
        try HTTPLine.find(bytes, from: start, byteCountMax: limits.requestLineByteCountMax, orElse: .requestLineTooLong)
    }
}

/// What stands at the examined offset.
public enum HTTPRequestStep: Equatable, Sendable {
    /// A whole request, body included.
    case request(HTTPRequestLayout)
    /// The next attempt needs at least so many bytes, counted from the offset.
    case incomplete(byteCountNeeded: Int)
    /// No request, and none may follow: where the next one starts is unknown.
    case violation(HTTPViolation)
}

/// Why reading a head stops.
enum HTTPStop: Error, BitwiseCopyable {
    case incomplete
    case violation(HTTPViolation)
}
