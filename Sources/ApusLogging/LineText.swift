// The bytes of one line while it is being written: plain pieces, and texts of which nobody knows what is in them.
// Whatever comes in, one line comes out, in valid UTF-8, and nothing in it moves a terminal's cursor.

struct LineText {
    /// The longest text of a message or a value; the rest is cut off and its length said.
    static let textByteCountMax = 4096

    private static let keyByteCountMax = 128

    private(set) var bytes: [UInt8] = []

    init() { bytes.reserveCapacity(256) }

    /// A text of ours, which needs no escaping.
    mutating func append(plain text: String) { bytes.append(contentsOf: text.utf8) }

    /// In quotes, escaped as JSON has it (RFC 8259 §7).
    mutating func append(quoted text: String) {
        bytes.append(UInt8(ascii: "\""))
        var byteCount = 0
        for scalar in text.unicodeScalars {
            guard byteCount + UTF8.width(scalar) <= LineText.textByteCountMax else {
                append(plain: "…[+\(text.utf8.count - byteCount) bytes]")
                break
            }
            byteCount += UTF8.width(scalar)
            append(scalar)
        }
        bytes.append(UInt8(ascii: "\""))
    }

    /// As it is where logfmt lets it stand alone, in quotes otherwise.
    mutating func append(logfmt text: String) {
        if LineText.standsAlone(text) { append(plain: text) } else { append(quoted: text) }
    }

    private static func standsAlone(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= textByteCountMax && text.utf8.allSatisfy(isBare)
    }

    private static func isBare(_ byte: UInt8) -> Bool {
        byte > 0x20 && byte < 0x7F
            && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "=") && byte != UInt8(ascii: "\\")
    }

    /// A key of logfmt: what may not stand in one becomes `_`.
    mutating func append(key: String) {
        for byte in key.utf8.prefix(LineText.keyByteCountMax) {
            bytes.append(LineText.isBare(byte) ? byte : UInt8(ascii: "_"))
        }
        if key.isEmpty { append(plain: "_") }
    }

    private mutating func append(_ scalar: Unicode.Scalar) {
        switch scalar {
        case "\"", "\\":
            bytes.append(UInt8(ascii: "\\"))
            bytes.append(UInt8(truncatingIfNeeded: scalar.value))
        case "\n": append(plain: "\\n")
        case "\r": append(plain: "\\r")
        case "\t": append(plain: "\\t")
        case let scalar where LineText.isEscaped(scalar): append(escaped: scalar.value)
        default: bytes.append(contentsOf: UTF8.encode(scalar).map { Array($0) } ?? [])
        }
    }

    /// Controls (those above ASCII too: a terminal takes U+009B for an escape sequence), what ends a line, and what
    /// turns the direction of reading.
    private static func isEscaped(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F...0x9F, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069: true
        default: false
        }
    }

    /// All that are escaped lie below U+10000.
    private mutating func append(escaped value: UInt32) {
        let digits = String(value, radix: 16)
        append(plain: "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits)
    }
}
