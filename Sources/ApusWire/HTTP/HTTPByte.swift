// What bytes mean in HTTP/1.1's grammar (RFC 9110 §5.6, RFC 3986 §3.2). It knows bytes and ranges of them, no messages.

enum HTTPByte {
    static let carriageReturn: UInt8 = 0x0D
    static let lineFeed: UInt8 = 0x0A
    static let space: UInt8 = 0x20
    static let tab: UInt8 = 0x09
    static let colon: UInt8 = 0x3A
    static let comma: UInt8 = 0x2C
    static let slash: UInt8 = 0x2F
    static let questionMark: UInt8 = 0x3F

    static func isBlank(_ byte: UInt8) -> Bool { byte == space || byte == tab }

    /// Never part of a line. A tab may be, and so may bytes above ASCII.
    static func isControl(_ byte: UInt8) -> Bool { byte < 0x20 && byte != tab || byte == 0x7F }

    static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: false
        }
    }

    /// `tchar`: the bytes of methods and field names.
    static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2E, 0x5E...0x60, 0x7C, 0x7E: true
        default: isAlphanumeric(byte)
        }
    }

    /// Visible ASCII; a target has no fragment.
    static func isTarget(_ byte: UInt8) -> Bool { 0x21...0x7E ~= byte && byte != 0x23 }

    static func digit(_ byte: UInt8) -> Int? { 0x30...0x39 ~= byte ? Int(byte) - 0x30 : nil }

    /// Letters, digits and what names, addresses and ports are written with. No user information.
    static func isHost(_ bytes: RawSpan, _ range: Range<Int>) -> Bool {
        !range.isEmpty
            && all(bytes, range) { byte in
                switch byte {
                case 0x21, 0x24...0x2E, 0x3A, 0x3B, 0x3D, 0x5B, 0x5D, 0x5F, 0x7E: byte != comma
                default: isAlphanumeric(byte)
                }
            }
    }
}

// MARK: Ranges

extension HTTPByte {
    static func first(_ wanted: UInt8, in bytes: RawSpan, _ range: Range<Int>) -> Int? {
        for offset in range where bytes.byte(at: offset) == wanted { return offset }
        return nil
    }

    static func all(_ bytes: RawSpan, _ range: Range<Int>, _ holds: (UInt8) -> Bool) -> Bool {
        for offset in range where !holds(bytes.byte(at: offset)) { return false }
        return true
    }

    /// Without blanks at either end.
    static func trimmed(_ bytes: RawSpan, _ range: Range<Int>) -> Range<Int> {
        var (start, end) = (range.lowerBound, range.upperBound)
        while start < end, isBlank(bytes.byte(at: start)) { start += 1 }
        while end > start, isBlank(bytes.byte(at: end - 1)) { end -= 1 }
        return start..<end
    }

    static func equals(_ bytes: RawSpan, _ range: Range<Int>, _ text: StaticString) -> Bool {
        matches(bytes, range, text) { $0 }
    }

    /// - Parameter text: in lower case.
    static func equalsIgnoringCase(_ bytes: RawSpan, _ range: Range<Int>, _ text: StaticString) -> Bool {
        matches(bytes, range, text, lowered)
    }

    static func lowered(_ byte: UInt8) -> UInt8 { 0x41...0x5A ~= byte ? byte | 0x20 : byte }

    static func equals(_ bytes: RawSpan, _ range: Range<Int>, _ text: String.UTF8View) -> Bool {
        guard range.count == text.count else { return false }
        return zip(range, text).allSatisfy { bytes.byte(at: $0) == $1 }
    }

    static func equalsIgnoringCase(_ bytes: RawSpan, _ range: Range<Int>, _ text: String.UTF8View) -> Bool {
        guard range.count == text.count else { return false }
        return zip(range, text).allSatisfy { lowered(bytes.byte(at: $0)) == lowered($1) }
    }

    static func equalsIgnoringCase(
        _ bytes: RawSpan, _ range: Range<Int>, _ others: RawSpan, _ other: Range<Int>
    ) -> Bool {
        guard range.count == other.count else { return false }
        return zip(range, other).allSatisfy { lowered(bytes.byte(at: $0)) == lowered(others.byte(at: $1)) }
    }

    /// - Parameter text: in lower case.
    static func hasPrefix(_ bytes: RawSpan, _ range: Range<Int>, _ text: StaticString) -> Bool {
        let end = range.lowerBound + text.utf8CodeUnitCount
        return end <= range.upperBound && equalsIgnoringCase(bytes, range.lowerBound..<end, text)
    }

    private static func matches(
        _ bytes: RawSpan, _ range: Range<Int>, _ text: StaticString, _ fold: (UInt8) -> UInt8
    ) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        return text.withUTF8Buffer { wanted in
            // The counts are equal, and the buffer checks its bounds in debug builds.
            for index in 0..<range.count {
                let expected = unsafe wanted[index]
                if fold(bytes.byte(at: range.lowerBound + index)) != expected { return false }
            }
            return true
        }
    }
}
