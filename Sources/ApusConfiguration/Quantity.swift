// Durations and sizes as people write them. It knows no option and no bounds.

/// `250ms`, `5s`, `2m`, `1h`, or a bare number of milliseconds.
public enum DurationText {
    private static let units: [(suffix: String, milliseconds: Int64)] = [
        ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("", 1),
    ]

    /// Nil for what is no duration, or more milliseconds than can be counted.
    public static func read(_ text: String) -> Duration? {
        guard let unit = units.first(where: { text.hasSuffix($0.suffix) }),
            let amount = naturalNumber(text.dropLast(unit.suffix.count))
        else { return nil }
        let (milliseconds, overflow) = amount.multipliedReportingOverflow(by: unit.milliseconds)
        return overflow ? nil : .milliseconds(milliseconds)
    }

    /// Seconds where they are whole, milliseconds otherwise; what is shorter is cut off.
    public static func write(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        let milliseconds = attoseconds / 1_000_000_000_000_000
        return milliseconds == 0 && seconds != 0 ? "\(seconds)s" : "\(seconds * 1000 + milliseconds)ms"
    }
}

/// `4096`, `64KiB`, `16MiB`, `1GiB`.
public enum ByteCountText {
    private static let units: [(suffix: String, byteCount: Int64)] = [
        ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("", 1),
    ]

    /// Nil for what is no size, or more bytes than can be counted.
    public static func read(_ text: String) -> Int? {
        guard let unit = units.first(where: { text.hasSuffix($0.suffix) }),
            let amount = naturalNumber(text.dropLast(unit.suffix.count))
        else { return nil }
        let (bytes, overflow) = amount.multipliedReportingOverflow(by: unit.byteCount)
        return overflow ? nil : Int(bytes)
    }

    public static func write(_ byteCount: Int) -> String {
        for unit in units.dropLast().reversed() where byteCount > 0 && byteCount % Int(unit.byteCount) == 0 {
            return "\(byteCount / Int(unit.byteCount))\(unit.suffix)"
        }
        return "\(byteCount)"
    }
}

/// Digits and nothing else.
private func naturalNumber(_ digits: Substring) -> Int64? {
    guard digits.allSatisfy({ $0.isASCII && $0.isNumber }) else { return nil }
    return Int64(digits)
}
