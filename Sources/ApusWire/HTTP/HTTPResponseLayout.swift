// Where the parts of a response's head lie. Offsets only: the bytes stay with whoever has them. It must never know what
// a status or a field means beyond the framing of messages.

/// Offsets into the bytes that were examined.
public struct HTTPResponseLayout: Equatable, Sendable {
    /// 100 … 999.
    public internal(set) var status: UInt16 = 0
    /// The reason phrase, which may be empty.
    public internal(set) var reason: Range<Int>
    /// HTTP/1.`minorVersion`; what is newer than 1.1 counts as that.
    public internal(set) var minorVersion: UInt8 = 1
    /// The field lines, each with its CR LF.
    public internal(set) var fields: Range<Int>
    /// Behind the blank line: where a body starts, or the bytes of the protocol that was switched to.
    public internal(set) var end: Int
    public internal(set) var body = HTTPBodyEnd.none

    private var contentLength: Int?
    private var isCoded = false

    init(at offset: Int) { (reason, fields, end) = (offset..<offset, offset..<offset, offset) }
}

/// How the body of a response to anything but HEAD and CONNECT ends (RFC 9112 §6.3).
public enum HTTPBodyEnd: BitwiseCopyable, Equatable, Sendable {
    /// There is none.
    case none
    case byteCount(Int)
    /// Its coding tells, which is not spoken here.
    case transferCoding
    case connection
}

extension HTTPResponseLayout {
    mutating func readStatusLine(_ bytes: RawSpan, _ line: Range<Int>) throws(HTTPStop) {
        // `HTTP/1.1 101 Reason`: the blank behind the number has to be there, the phrase need not.
        guard line.count >= 13 else { throw .violation(.statusLine) }
        let start = line.lowerBound
        minorVersion = try HTTPLine.readVersion(bytes, start..<start + 8, orElse: .statusLine)
        guard bytes.byte(at: start + 8) == HTTPByte.space, bytes.byte(at: start + 12) == HTTPByte.space else {
            throw .violation(.statusLine)
        }
        for offset in start + 9..<start + 12 {
            guard let digit = HTTPByte.digit(bytes.byte(at: offset)) else { throw .violation(.statusLine) }
            status = status * 10 + UInt16(digit)
        }
        guard status >= 100 else { throw .violation(.statusLine) }
        reason = start + 13..<line.upperBound
    }

    /// Only what decides where the message ends.
    mutating func readField(_ bytes: RawSpan, _ field: HTTPFieldLine) throws(HTTPStop) {
        if field.isNamed("transfer-encoding", in: bytes) { isCoded = true }
        guard field.isNamed("content-length", in: bytes) else { return }
        guard contentLength == nil else { throw .violation(.contentLengthTwice) }
        contentLength = try HTTPLine.readLength(bytes, field.value)
    }

    /// All fields are read.
    mutating func judgeBody() throws(HTTPStop) {
        guard !isCoded || contentLength == nil else { throw .violation(.twoLengths) }
        if status < 200 || status == 204 || status == 304 {
            body = .none
        } else if isCoded {
            body = .transferCoding
        } else if let contentLength {
            body = contentLength == 0 ? .none : .byteCount(contentLength)
        } else {
            body = .connection
        }
    }
}
