// Finds the head of an HTTP/1.1 response in bytes that have arrived (RFC 9112 §4). It holds limits and no bytes; it
// must never know which request it answers. Bodies are the caller's: all that is told of one is how it ends.

/// As strict as the request decoder: no bare CR or LF, no folded lines, no space before a colon, one Content-Length,
/// none beside Transfer-Encoding.
public struct HTTPResponseDecoder: BitwiseCopyable, Sendable {
    /// The status line has the limit of a request line; nothing is said of bodies.
    public let limits: HTTPLimits

    public init(limits: HTTPLimits = HTTPLimits()) { self.limits = limits }

    /// Examine the response that starts at `offset` (0 … `bytes.byteCount`).
    public func step(_ bytes: RawSpan, at offset: Int) -> HTTPResponseStep {
        precondition(0...bytes.byteCount ~= offset, "a response starts within the bytes")
        var response = HTTPResponseLayout(at: offset)
        do throws(HTTPStop) {
            try readHead(of: &response, bytes, from: offset)
            return .response(response)
        } catch {
            switch error {
            case .incomplete: return .incomplete(byteCountNeeded: bytes.byteCount - offset + 1)
            case .violation(let violation): return .violation(violation)
            }
        }
    }

    private func readHead(
        of response: inout HTTPResponseLayout, _ bytes: RawSpan, from offset: Int
    ) throws(HTTPStop) {
        let line = try HTTPLine.find(
            bytes, from: offset, byteCountMax: limits.requestLineByteCountMax, orElse: .statusLineTooLong)
        try response.readStatusLine(bytes, line)
        let fieldsStart = line.upperBound + 2
        let end = try HTTPLine.findFields(bytes, from: fieldsStart, limits) { field throws(HTTPStop) in
            try response.readField(bytes, field)
        }
        response.fields = fieldsStart..<end
        response.end = end + 2
        try response.judgeBody()
    }
}

/// What stands at the examined offset.
public enum HTTPResponseStep: Equatable, Sendable {
    /// A whole head.
    case response(HTTPResponseLayout)
    /// The next attempt needs at least so many bytes, counted from the offset.
    case incomplete(byteCountNeeded: Int)
    /// No response, and none may follow.
    case violation(HTTPViolation)
}
