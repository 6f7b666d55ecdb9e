// JSON as it is written, value by value: no tree, no Foundation. The caller keeps to the grammar; commas come by
// themselves.

/// Keys and values in the order they are written.
package struct JSONText {
    package private(set) var text = ""
    private var needsComma = false

    package init() {}

    package mutating func object(_ key: String? = nil, _ body: (inout JSONText) -> Void) {
        nest("{", "}", key, body)
    }

    package mutating func array(_ key: String? = nil, _ body: (inout JSONText) -> Void) {
        nest("[", "]", key, body)
    }

    private mutating func nest(_ opening: String, _ closing: String, _ key: String?, _ body: (inout JSONText) -> Void) {
        begin(key)
        text += opening
        needsComma = false
        body(&self)
        text += closing
        needsComma = true
    }

    package mutating func value(_ key: String? = nil, _ value: some BinaryInteger) {
        begin(key)
        text += "\(value)"
    }

    /// What JSON has no number for is null.
    package mutating func value(_ key: String? = nil, _ value: Double) {
        begin(key)
        text += value.isFinite ? "\(value)" : "null"
    }

    package mutating func value(_ key: String? = nil, _ value: Bool) {
        begin(key)
        text += value ? "true" : "false"
    }

    package mutating func value(_ key: String? = nil, _ value: String) {
        begin(key)
        text += JSONText.quoted(value)
    }

    private mutating func begin(_ key: String?) {
        if needsComma { text += "," }
        needsComma = true
        if let key { text += JSONText.quoted(key) + ":" }
    }

    private static func quoted(_ value: String) -> String {
        var quoted = "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\r": quoted += "\\r"
            case "\t": quoted += "\\t"
            // The page shows these texts: no tag can begin in one.
            case "<": quoted += "\\u003c"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F: quoted += "\\u00" + hexadecimal(scalar.value)
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }

    private static func hexadecimal(_ value: UInt32) -> String {
        let digits = String(value, radix: 16)
        return digits.count < 2 ? "0" + digits : digits
    }
}
