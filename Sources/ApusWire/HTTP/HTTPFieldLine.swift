// One field line of a message's head, and the walk over all of them (RFC 9110 §5, RFC 9112 §5). Offsets only; it must
// never know what a field means.

/// Where name and value lie. The name is a token, the value has no blanks at either end and no control bytes.
public struct HTTPFieldLine: Equatable, Sendable {
    public let name: Range<Int>
    public let value: Range<Int>

    /// - Parameter line: without its CR LF.
    init(_ bytes: RawSpan, _ line: Range<Int>) throws(HTTPStop) {
        if HTTPByte.isBlank(bytes.byte(at: line.lowerBound)) { throw .violation(.foldedLine) }
        guard let colon = HTTPByte.first(HTTPByte.colon, in: bytes, line) else { throw .violation(.fieldName) }
        let name = line.lowerBound..<colon
        guard !name.isEmpty else { throw .violation(.fieldName) }
        if HTTPByte.isBlank(bytes.byte(at: colon - 1)) { throw .violation(.spaceBeforeColon) }
        guard HTTPByte.all(bytes, name, HTTPByte.isToken) else { throw .violation(.fieldName) }
        self.init(name: name, value: HTTPByte.trimmed(bytes, colon + 1..<line.upperBound))
    }

    init(name: Range<Int>, value: Range<Int>) {
        self.name = name
        self.value = value
    }

    /// - Parameter text: in lower case.
    public func isNamed(_ text: StaticString, in bytes: RawSpan) -> Bool {
        HTTPByte.equalsIgnoringCase(bytes, name, text)
    }

    /// Whether the value, read as a list (RFC 9110 §5.6.1), has this element in any case.
    ///
    /// - Parameter text: in lower case.
    public func lists(_ text: StaticString, in bytes: RawSpan) -> Bool {
        var elements = HTTPListElements(value)
        while let element = elements.next(in: bytes) {
            if HTTPByte.equalsIgnoringCase(bytes, element, text) { return true }
        }
        return false
    }
}

/// The lines of a head that a decoder has accepted, in their order.
public struct HTTPFieldLines: BitwiseCopyable, Sendable {
    private var position: Int
    private let end: Int

    /// - Parameter fields: the field lines, each with its CR LF: the `fields` of a layout.
    public init(_ fields: Range<Int>) { (position, end) = (fields.lowerBound, fields.upperBound) }

    /// - Parameter bytes: those that the layout was found in.
    public mutating func next(in bytes: RawSpan) -> HTTPFieldLine? {
        guard position < end,
            let colon = HTTPByte.first(HTTPByte.colon, in: bytes, position..<end),
            let lineEnd = HTTPByte.first(HTTPByte.carriageReturn, in: bytes, colon..<end)
        else { return nil }
        defer { position = lineEnd + 2 }
        return HTTPFieldLine(name: position..<colon, value: HTTPByte.trimmed(bytes, colon + 1..<lineEnd))
    }
}

/// The elements of a comma-separated list, without the blanks around them; empty ones are left out.
public struct HTTPListElements: BitwiseCopyable, Sendable {
    private var position: Int
    private let end: Int

    public init(_ value: Range<Int>) { (position, end) = (value.lowerBound, value.upperBound) }

    public mutating func next(in bytes: RawSpan) -> Range<Int>? {
        while position < end {
            let comma = HTTPByte.first(HTTPByte.comma, in: bytes, position..<end) ?? end
            let element = HTTPByte.trimmed(bytes, position..<comma)
            position = comma + 1
            if !element.isEmpty { return element }
        }
        return nil
    }
}
