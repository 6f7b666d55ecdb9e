// Where the fields of a message lie in its payload: offsets, never bytes. Only the decoder makes one.

/// A checked message, in numbers. All ranges lie within 0 ..< `byteCount`, and strings were found to be UTF-8.
public struct MessageLayout: Equatable, BitwiseCopyable, Sendable {
    public let kind: MessageKind
    /// As it was sent; differs from `kind.rawValue` for unknown kinds of 9 and above only.
    public let discriminant: UInt32
    /// What the value takes. Bytes after it are allowed and mean nothing (NPRO §1.2).
    public let byteCount: Int

    /// The ranges' bounds, since a Range is not BitwiseCopyable.
    @usableFromInline let firstStart: Int
    @usableFromInline let firstEnd: Int
    @usableFromInline let secondStart: Int
    @usableFromInline let secondEnd: Int

    @inlinable
    init(_ kind: MessageKind, discriminant: UInt32, first: Range<Int>, second: Range<Int>, byteCount: Int) {
        self.kind = kind
        self.discriminant = discriminant
        self.byteCount = byteCount
        firstStart = first.lowerBound
        firstEnd = first.upperBound
        secondStart = second.lowerBound
        secondEnd = second.upperBound
    }

    /// Echo: the text. Custom: the command. HandshakeInit, HandshakeResponse: the public key. HandshakeConfirm: the
    /// verification. Otherwise empty, at the end of the value.
    @inlinable public var first: Range<Int> { firstStart..<firstEnd }

    /// Custom: the payload. HandshakeInit, HandshakeResponse: the nonce. Otherwise empty, at the end of the value.
    @inlinable public var second: Range<Int> { secondStart..<secondEnd }
}
