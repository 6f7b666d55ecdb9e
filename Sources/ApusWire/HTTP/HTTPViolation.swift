// What a request or a response does wrong, each with the status that says so (RFC 9110 §15): to the peer who sent the
// request, or by a gateway to whoever waits for the response.

public enum HTTPViolation: BitwiseCopyable, Equatable, Hashable, Sendable {
    case requestLine
    case requestLineTooLong
    case statusLine
    case statusLineTooLong
    case target
    /// HTTP of another major version.
    case version(major: UInt8)
    case bareCarriageReturn
    case bareLineFeed
    /// NUL and the other bytes that are no text.
    case controlByte(UInt8)
    /// A line that goes on in the next (obs-fold), or blanks before the first field.
    case foldedLine
    case fieldName
    case spaceBeforeColon
    case tooManyFields
    case fieldsTooLong
    case host
    case hostMissing
    case hostTwice
    case contentLength
    case contentLengthTwice
    case bodyTooLarge
    /// Chunked and other codings of a body are not spoken.
    case transferEncoding
    /// Transfer-Encoding beside Content-Length.
    case twoLengths
    /// The peer waits for `100 Continue` or something else before its body.
    case expectation

    public var status: HTTPStatus {
        switch self {
        case .requestLine, .target, .bareCarriageReturn, .bareLineFeed, .controlByte, .foldedLine, .fieldName,
            .spaceBeforeColon, .host, .hostMissing, .hostTwice, .contentLength, .contentLengthTwice, .twoLengths:
            .badRequest
        case .requestLineTooLong: .targetTooLong
        case .statusLine, .statusLineTooLong: .badGateway
        case .version: .versionNotSupported
        case .tooManyFields, .fieldsTooLong: .fieldsTooLarge
        case .bodyTooLarge: .contentTooLarge
        case .transferEncoding: .notImplemented
        case .expectation: .expectationFailed
        }
    }
}

extension HTTPViolation: CustomStringConvertible {
    public var description: String {
        switch self {
        case .requestLine: "the request line is not METHOD TARGET HTTP/1.x"
        case .requestLineTooLong: "the request line is too long"
        case .statusLine: "the status line is not HTTP/1.x STATUS REASON"
        case .statusLineTooLong: "the status line is too long"
        case .target: "the target is neither a path nor an http URL"
        case .version(let major): "HTTP/1.1 is spoken here, not HTTP/\(major)"
        case .bareCarriageReturn: "a CR without LF"
        case .bareLineFeed: "a line ends with LF instead of CR LF"
        case .controlByte(let byte): "a line holds the control byte \(byte)"
        case .foldedLine: "a field line begins with a blank"
        case .fieldName: "a field line is not NAME: VALUE"
        case .spaceBeforeColon: "a blank stands between a field's name and its colon"
        case .tooManyFields: "there are too many fields"
        case .fieldsTooLong: "the fields are too long"
        case .host: "the Host field is not a host"
        case .hostMissing: "HTTP/1.1 asks for a Host field"
        case .hostTwice: "there are two Host fields"
        case .contentLength: "Content-Length is not a number"
        case .contentLengthTwice: "there are two Content-Length fields"
        case .bodyTooLarge: "the body is too large"
        case .transferEncoding: "a body must have a Content-Length; Transfer-Encoding is not spoken"
        case .twoLengths: "Content-Length and Transfer-Encoding exclude each other"
        case .expectation: "expectations are not met here: send the body at once"
        }
    }
}
