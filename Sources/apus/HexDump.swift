// Bytes on a terminal: as text when they are, otherwise sixteen a line.

enum HexDump {
    /// The bytes as a text that does a terminal no harm: UTF-8 without control characters other than white space.
    static func printableText(_ bytes: [UInt8]) -> String? {
        guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
        let isHarmless = text.unicodeScalars.allSatisfy { scalar in
            switch scalar.properties.generalCategory {
            case .control: scalar == "\n" || scalar == "\t"
            default: true
            }
        }
        return isHarmless ? text : nil
    }

    /// `00000010  68 65 6C 6C 6F …  |hello|`
    static func lines(of bytes: [UInt8]) -> String {
        stride(from: 0, to: bytes.count, by: 16)
            .map { line(of: bytes[$0..<min($0 + 16, bytes.count)], at: $0) }
            .joined(separator: "\n")
    }

    private static func line(of bytes: ArraySlice<UInt8>, at offset: Int) -> String {
        let octets = bytes.map { hex(Int($0), digits: 2) }.joined(separator: " ")
        let padding = String(repeating: " ", count: 16 * 3 - 1 - octets.count)
        let text = bytes.map { 0x20...0x7E ~= $0 ? String(UnicodeScalar($0)) : "." }.joined()
        return "\(hex(offset, digits: 8))  \(octets)\(padding)  |\(text)|"
    }

    private static func hex(_ value: Int, digits: Int) -> String {
        let text = String(value, radix: 16, uppercase: true)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
}
