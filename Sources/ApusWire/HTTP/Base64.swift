// Base64 with padding (RFC 4648 §4), as far as fields need it.

public enum Base64 {
    static let padding: UInt8 = 0x3D

    static func isDigit(_ byte: UInt8) -> Bool { HTTPByte.isAlphanumeric(byte) || byte == 0x2B || byte == 0x2F }

    /// Four characters for three bytes, or for what is left of three.
    public static func encode(_ bytes: RawSpan) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.byteCount + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.byteCount, by: 3) {
            let count = min(3, bytes.byteCount - start)
            var group: UInt32 = 0
            for index in 0..<count { group |= UInt32(bytes.byte(at: start + index)) << UInt32(16 - 8 * index) }
            for index in 0..<4 { text.append(index <= count ? digit(group >> UInt32(18 - 6 * index) & 63) : padding) }
        }
        return text
    }

    private static func digit(_ value: UInt32) -> UInt8 {
        switch UInt8(value) {
        case 0...25: 0x41 + UInt8(value)
        case 26...51: 0x61 + UInt8(value) - 26
        case 52...61: 0x30 + UInt8(value) - 52
        case 62: 0x2B
        default: 0x2F
        }
    }
}
