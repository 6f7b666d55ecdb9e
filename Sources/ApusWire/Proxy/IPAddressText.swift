// How addresses are written, each in one way only (RFC 5952 §4), so that logs and lists can be searched for them.

extension IPAddress: CustomStringConvertible {
    public var description: String {
        guard !isIPv4 else {
            return stride(from: 24, through: 0, by: -8).map { "\(low >> UInt64($0) & 0xFF)" }.joined(separator: ".")
        }
        let groups = groups
        guard let gap = IPAddress.longestGap(groups) else { return IPAddress.text(groups[...]) }
        return IPAddress.text(groups[..<gap.lowerBound]) + "::" + IPAddress.text(groups[gap.upperBound...])
    }

    private var groups: [UInt16] {
        [high, low].flatMap { word in
            stride(from: 48, through: 0, by: -16).map { UInt16(truncatingIfNeeded: word >> UInt64($0)) }
        }
    }

    private static func text(_ groups: ArraySlice<UInt16>) -> String {
        groups.map { String($0, radix: 16) }.joined(separator: ":")
    }

    /// The first of the longest runs of zeros; one zero alone is written out.
    private static func longestGap(_ groups: [UInt16]) -> Range<Int>? {
        var (longest, start) = (0..<0, 0)
        for index in 0...groups.count where index == groups.count || groups[index] != 0 {
            if index - start > longest.count { longest = start..<index }
            start = index + 1
        }
        return longest.count > 1 ? longest : nil
    }
}

extension IPEndpoint: CustomStringConvertible {
    public var description: String { address.isIPv4 ? "\(address):\(port)" : "[\(address)]:\(port)" }
}

extension HostPrefix: CustomStringConvertible {
    /// As in `10.0.0.0/8`, which reads back.
    public var description: String { "\(first)/\(bitCount)" }
}
