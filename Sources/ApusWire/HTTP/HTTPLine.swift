// Lines that end with CR LF and hold neither those nor other control bytes, tabs excepted, and what requests and
// responses have alike in them (RFC 9112 §2). It must never know which of the two it reads.

enum HTTPLine {
    /// The line from `start` on without its end, which is two bytes.
    ///
    /// A line is refused at its first forbidden byte or where it becomes too long.
    static func find(
        _ bytes: RawSpan, from start: Int, byteCountMax: Int, orElse tooLong: HTTPViolation
    ) throws(HTTPStop) -> Range<Int> {
        var position = start
        while position < bytes.byteCount {
            let byte = bytes.byte(at: position)
            if byte == HTTPByte.carriageReturn { return try finish(bytes, start..<position) }
            if position - start >= byteCountMax { throw .violation(tooLong) }
            if byte == HTTPByte.lineFeed { throw .violation(.bareLineFeed) }
            if HTTPByte.isControl(byte) { throw .violation(.controlByte(byte)) }
            position += 1
        }
        throw .incomplete
    }

    private static func finish(_ bytes: RawSpan, _ line: Range<Int>) throws(HTTPStop) -> Range<Int> {
        guard line.upperBound + 1 < bytes.byteCount else { throw .incomplete }
        guard bytes.byte(at: line.upperBound + 1) == HTTPByte.lineFeed else { throw .violation(.bareCarriageReturn) }
        return line
    }

    /// Shows each field line to `read`; returns where the blank line starts that ends them.
    static func findFields(
        _ bytes: RawSpan, from start: Int, _ limits: HTTPLimits, _ read: (HTTPFieldLine) throws(HTTPStop) -> Void
    ) throws(HTTPStop) -> Int {
        var (position, count) = (start, 0)
        while true {
            let room = max(0, limits.fieldsByteCountMax - 2 - (position - start))
            let line = try find(bytes, from: position, byteCountMax: room, orElse: .fieldsTooLong)
            if line.isEmpty { return position }
            count += 1
            if count > limits.fieldCountMax { throw .violation(.tooManyFields) }
            try read(HTTPFieldLine(bytes, line))
            position = line.upperBound + 2
        }
    }

    /// The minor version of `HTTP/1.x`; what is newer than 1.1 counts as that.
    static func readVersion(
        _ bytes: RawSpan, _ text: Range<Int>, orElse malformed: HTTPViolation
    ) throws(HTTPStop) -> UInt8 {
        let name = text.lowerBound..<min(text.lowerBound + 5, text.upperBound)
        guard text.count == 8, HTTPByte.equals(bytes, name, "HTTP/"), bytes.byte(at: text.lowerBound + 6) == 0x2E,
            let major = HTTPByte.digit(bytes.byte(at: text.lowerBound + 5)),
            let minor = HTTPByte.digit(bytes.byte(at: text.lowerBound + 7))
        else { throw .violation(malformed) }
        guard major == 1 else { throw .violation(.version(major: UInt8(major))) }
        return UInt8(min(minor, 1))
    }

    /// A Content-Length: digits only.
    static func readLength(_ bytes: RawSpan, _ value: Range<Int>) throws(HTTPStop) -> Int {
        guard !value.isEmpty else { throw .violation(.contentLength) }
        var length = 0
        for offset in value {
            guard let digit = HTTPByte.digit(bytes.byte(at: offset)) else { throw .violation(.contentLength) }
            // Saturates far above any limit.
            length = min(length, Int(UInt32.max)) * 10 + digit
        }
        return length
    }
}
