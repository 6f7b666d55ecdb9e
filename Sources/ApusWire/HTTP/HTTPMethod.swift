// The methods a server of ours can tell apart (RFC 9110 §9). It must never know which of them a path allows.

public enum HTTPMethod: UInt8, CaseIterable, BitwiseCopyable, Sendable {
    case get
    case head
    case post
    case options
    /// Any other token.
    case other

    /// Methods are told apart by case.
    init(_ bytes: RawSpan, _ name: Range<Int>) {
        if HTTPByte.equals(bytes, name, "GET") {
            self = .get
        } else if HTTPByte.equals(bytes, name, "HEAD") {
            self = .head
        } else if HTTPByte.equals(bytes, name, "POST") {
            self = .post
        } else if HTTPByte.equals(bytes, name, "OPTIONS") {
            self = .options
        } else {
            self = .other
        }
    }
}
