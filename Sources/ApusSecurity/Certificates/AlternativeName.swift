// A name that peers check a certificate for: how they dialled the node (RFC 5280 §4.2.1.6).

import COpenSSL

public enum AlternativeName: Hashable, Sendable {
    /// Letters, digits and hyphens between dots, in lower case; the first label may be `*`.
    case dns(String)
    /// 4 or 16 bytes in network order.
    case ip([UInt8])

    /// - Throws: `.alternativeName` with what is wrong.
    public init(_ text: String) throws(CertificateError) {
        if let address = AlternativeName.address(text) {
            self = .ip(address)
        } else {
            if let reason = AlternativeName.fault(in: text) { throw .alternativeName(text, reason: reason) }
            self = .dns(text.lowercased())
        }
    }

    private static func address(_ text: String) -> [UInt8]? {
        // OpenSSL's reader stops at a zero byte.
        guard !text.utf8.contains(0), let address = unsafe a2i_IPADDRESS(text) else {
            ERR_clear_error()
            return nil
        }
        defer { unsafe ASN1_OCTET_STRING_free(address) }
        // The bytes are the string's, which lives until this returns.
        let bytes = unsafe UnsafeBufferPointer(
            start: ASN1_STRING_get0_data(address), count: Int(ASN1_STRING_length(address)))
        return unsafe Array(bytes)
    }

    // MARK: DNS names

    private static func fault(in name: String) -> String? {
        if name.isEmpty { return "it is empty" }
        if name.utf8.count > 253 { return "it is longer than 253 bytes" }
        if name.contains(":") || name.contains("/") { return "give it without scheme, brackets, port or path" }
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        let isWildcard = labels[0] == "*"
        if isWildcard, labels.count < 3 { return "a * needs at least two labels behind it, as in *.example.org" }
        if let last = labels.last, !last.isEmpty, last.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            return "it ends like an address, but is none"
        }
        return labels.dropFirst(isWildcard ? 1 : 0).lazy.compactMap(fault(inLabel:)).first
    }

    private static func fault(inLabel label: Substring) -> String? {
        if label.isEmpty { return "there is nothing before, behind or between its dots" }
        if label.utf8.count > 63 { return "what is between two dots has at most 63 bytes" }
        if label.hasPrefix("-") || label.hasSuffix("-") { return "a hyphen stands between letters or digits only" }
        if label.contains("*") { return "only the whole first label may be *" }
        guard label.utf8.allSatisfy(isLetterDigitOrHyphen) else {
            return "it has letters, digits, hyphens and dots only; write others in their xn-- form"
        }
        return nil
    }

    private static func isLetterDigitOrHyphen(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D: true
        default: false
        }
    }
}

// MARK: Text

extension AlternativeName: CustomStringConvertible {
    public var description: String {
        switch self {
        case .dns(let name): name
        case .ip(let bytes) where bytes.count == 4: bytes.map(String.init).joined(separator: ".")
        case .ip(let bytes): AlternativeName.text(ofIPv6: bytes)
        }
    }

    /// RFC 5952 §4: lower case, no leading zeros, the longest run of zero groups (two at least) as `::`.
    private static func text(ofIPv6 bytes: [UInt8]) -> String {
        let groups = stride(from: 0, to: bytes.count - 1, by: 2).map { UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]) }
        let run = longestRunOfZeros(groups)
        let text = { (groups: ArraySlice<UInt16>) in groups.map { String($0, radix: 16) }.joined(separator: ":") }
        guard run.count >= 2 else { return text(groups[...]) }
        return "\(text(groups[..<run.lowerBound]))::\(text(groups[run.upperBound...]))"
    }

    /// The first of the longest.
    private static func longestRunOfZeros(_ groups: [UInt16]) -> Range<Int> {
        var (longest, start) = (0..<0, 0)
        for end in 1...groups.count + 1 where end > groups.count || groups[end - 1] != 0 {
            if end - 1 - start > longest.count { longest = start..<end - 1 }
            start = end
        }
        return longest
    }
}
