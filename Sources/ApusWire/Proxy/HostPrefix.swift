// Networks by their prefix, and lists of them: whose word about a client counts. Values that configuration and servers
// share; they must never know what being listed is good for.

/// A network, such as 10.0.0.0/8 or fd00::/8 (RFC 4632, RFC 4291 §2.3).
public struct HostPrefix: BitwiseCopyable, Hashable, Sendable {
    let first: IPAddress
    private let mask: IPAddress
    /// 0 … 32 of an IPv4 network, 0 … 128 otherwise.
    public let bitCount: Int

    /// - Parameter bitCount: 0 … 32 for an IPv4 address, 0 … 128 otherwise.
    /// - Returns: nil where the address has bits behind the prefix: one of the two is a mistake then.
    public init?(_ address: IPAddress, bitCount: Int) {
        self.init(around: address, bitCount: bitCount)
        guard first == address else { return nil }
    }

    /// The network that an address is in, whatever bits it has behind the prefix.
    ///
    /// - Parameter bitCount: 0 … 32 for an IPv4 address, 0 … 128 otherwise; nil beyond.
    init?(around address: IPAddress, bitCount: Int) {
        guard 0...(address.isIPv4 ? 32 : 128) ~= bitCount else { return nil }
        let count = address.isIPv4 ? bitCount + 96 : bitCount
        mask = IPAddress(high: HostPrefix.mask(bitCount: count), low: HostPrefix.mask(bitCount: count - 64))
        first = IPAddress(high: address.high & mask.high, low: address.low & mask.low)
        self.bitCount = bitCount
    }

    /// Reads `10.0.0.0/8`, `2001:db8::/32`, or one address without a prefix. Nil for anything else.
    public init?(parsing text: String) {
        guard let (address, bitCount) = HostPrefix.read(text) else { return nil }
        self.init(address, bitCount: bitCount)
    }

    /// Reads the same, and `10.1.2.3/8` as the network around that address.
    public init?(parsingAround text: String) {
        guard let (address, bitCount) = HostPrefix.read(text) else { return nil }
        self.init(around: address, bitCount: bitCount)
    }

    private static func read(_ text: String) -> (address: IPAddress, bitCount: Int)? {
        let parts = text.utf8.split(separator: 0x2F, maxSplits: 1, omittingEmptySubsequences: false)
        let host = Array(parts[0])
        guard let address = IPAddress(parsing: host.span.octets, 0..<host.count) else { return nil }
        let most = address.isIPv4 ? 32 : 128
        guard parts.count == 2 else { return (address, most) }
        let digits = Array(parts[1])
        return Decimal.read(digits.span.octets, 0..<digits.count, max: most).map { (address, $0) }
    }

    /// An IPv6 network has no IPv4 addresses, not even `::/0`: who trusts all of one family has not said so of the
    /// other.
    public func contains(_ address: IPAddress) -> Bool {
        address.isIPv4 == first.isIPv4 && address.high & mask.high == first.high && address.low & mask.low == first.low
    }

    /// The leading bits of a word; all of them beyond 64.
    private static func mask(bitCount: Int) -> UInt64 {
        bitCount >= 64 ? UInt64.max : ~(UInt64.max >> UInt64(max(bitCount, 0)))
    }
}

/// Networks of which one or more may hold an address.
public struct CIDRList: Equatable, Sendable {
    public var prefixes: [HostPrefix]

    public init(_ prefixes: [HostPrefix] = []) { self.prefixes = prefixes }

    /// Reads each text as `HostPrefix` does.
    public init(parsing texts: [String]) throws(CIDRError) {
        prefixes = []
        for text in texts {
            guard let prefix = HostPrefix(parsing: text) else { throw CIDRError(text: text) }
            prefixes.append(prefix)
        }
    }

    /// 127.0.0.0/8 and ::1.
    public static let loopback = CIDRList(
        [HostPrefix(IPAddress(ipv4: 0x7F00_0000), bitCount: 8), HostPrefix(IPAddress(high: 0, low: 1), bitCount: 128)]
            .compactMap { $0 })

    public var isEmpty: Bool { prefixes.isEmpty }

    public func contains(_ address: IPAddress) -> Bool { prefixes.contains { $0.contains(address) } }
}

/// A text that names no network.
public struct CIDRError: Error, Equatable, CustomStringConvertible {
    public let text: String

    public init(text: String) { self.text = text }

    public var description: String {
        "\"\(text)\" is no network: write 10.0.0.0/8 or 2001:db8::/32, without bits behind the prefix"
    }
}
