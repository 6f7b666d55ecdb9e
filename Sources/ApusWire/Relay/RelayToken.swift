// Where the parts of an authentication token lie, and when it says that it expires (relay.md §2.2). Whether anybody
// signed it is another module's to say.

/// A token; the expiry is in seconds since 1970 and counts as still valid:
///
///      0         1                                 33
///     +---------+---------------------------------+----------------- - -
///     |  0x01   | HMAC-SHA256 of what follows     | expiry, decimal digits of ASCII, at least 10 bytes
///     +---------+---------------------------------+----------------- - -
public struct RelayToken: Equatable, Sendable {
    /// The only algorithm there is, HMAC-SHA256.
    public static let algorithm: UInt8 = 1
    public static let signatureByteCount = 32
    public static let expiryByteCountMin = 10
    static let headerByteCount = 1 + signatureByteCount

    /// As offsets into the token.
    public var signature: Range<Int> { 1..<RelayToken.headerByteCount }
    /// What is signed, as offsets into the token.
    public let expiry: Range<Int>

    /// Read a whole token, in the order in which the reference does.
    public init(decoding token: RawSpan) throws(RelayTokenRefusal) {
        guard !token.isEmpty else { throw .empty }
        guard token.byte(at: 0) == RelayToken.algorithm else { throw .unsupportedAlgorithm }
        guard token.byteCount >= RelayToken.headerByteCount + RelayToken.expiryByteCountMin else { throw .tooShort }
        expiry = RelayToken.headerByteCount..<token.byteCount
    }

    /// Seconds since 1970, in as many digits as there are, with a sign or without, as Go reads them.
    ///
    /// - Parameter token: the bytes that this was found in.
    public func expirySeconds(in token: RawSpan) throws(RelayTokenRefusal) -> Int64 {
        let sign = token.byte(at: expiry.lowerBound)
        let isNegative = sign == UInt8(ascii: "-")
        var seconds: Int64 = 0
        for offset in expiry.dropFirst(isNegative || sign == UInt8(ascii: "+") ? 1 : 0) {
            seconds = try RelayToken.append(token.byte(at: offset), to: seconds, isNegative: isNegative)
        }
        return seconds
    }

    /// One more digit. A negative number is built downwards, for the lowest has no positive counterpart.
    private static func append(
        _ byte: UInt8, to number: Int64, isNegative: Bool
    ) throws(RelayTokenRefusal) -> Int64 {
        guard UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte else { throw .malformedExpiry }
        let digit = Int64(byte - UInt8(ascii: "0"))
        let (tens, isTooLong) = number.multipliedReportingOverflow(by: 10)
        let (sum, isTooLarge) = tens.addingReportingOverflow(isNegative ? -digit : digit)
        guard !isTooLong, !isTooLarge else { throw .malformedExpiry }
        return sum
    }
}
