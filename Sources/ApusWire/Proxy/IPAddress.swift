// An IPv4 or IPv6 address as numbers that can be compared, and its text (RFC 4291 §2.2). It must never know of sockets.

/// An IPv6 address as two numbers, the most significant byte first; an IPv4 address is the IPv6 one that stands for it
/// (::ffff:a.b.c.d, RFC 4291 §2.5.5.2).
public struct IPAddress: BitwiseCopyable, Hashable, Sendable {
    public let high: UInt64
    public let low: UInt64

    @inlinable
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    @inlinable public init(ipv4 address: UInt32) { self.init(high: 0, low: 0xFFFF_0000_0000 | UInt64(address)) }

    @inlinable public var isIPv4: Bool { high == 0 && low >> 32 == 0xFFFF }

    /// 0.0.0.0 and ::, which stand for no address, and where somebody listens for all (RFC 1122 §3.2.1.3, RFC 4291
    /// §2.5.2).
    public var isUnspecified: Bool { self == IPAddress(high: 0, low: 0) || self == IPAddress(ipv4: 0) }

    /// Reads `10.0.0.1` or `2001:db8::1`: no brackets, no zone, no zeros before an IPv4 number. Nil for anything else.
    public init?(parsing text: String) {
        let bytes = Array(text.utf8)
        self.init(parsing: bytes.span.octets, 0..<bytes.count)
    }

    /// The same where the text lies in other bytes.
    public init?(parsing bytes: RawSpan, _ text: Range<Int>) {
        if let address = IPAddress.ipv4(bytes, text) {
            self.init(ipv4: address)
        } else if let address = IPv6Text(bytes, text)?.address {
            self = address
        } else {
            return nil
        }
    }
}

// MARK: IPv4

extension IPAddress {
    /// Four numbers below 256 with points between them. A leading zero would be octal to some readers, so it is
    /// refused.
    static func ipv4(_ bytes: RawSpan, _ text: Range<Int>) -> UInt32? {
        var (address, position): (UInt32, Int) = (0, text.lowerBound)
        for index in 0..<4 {
            let end = HTTPByte.first(0x2E, in: bytes, position..<text.upperBound) ?? text.upperBound
            guard (end == text.upperBound) == (index == 3) else { return nil }
            guard let number = Decimal.read(bytes, position..<end, max: 255) else { return nil }
            address = address << 8 | UInt32(number)
            position = min(end + 1, text.upperBound)
        }
        return address
    }
}

/// Whole numbers as protocols write them: digits only, no zero in front.
enum Decimal {
    static func read(_ bytes: RawSpan, _ text: Range<Int>, max: Int) -> Int? {
        guard !text.isEmpty, text.count == 1 || bytes.byte(at: text.lowerBound) != 0x30 else { return nil }
        var number = 0
        for offset in text {
            guard let digit = HTTPByte.digit(bytes.byte(at: offset)) else { return nil }
            number = number * 10 + digit
            guard number <= max else { return nil }
        }
        return number
    }
}

// MARK: IPv6

/// Eight groups of up to four hexadecimal digits; once, `::` stands for groups of zeros; the last two may be an IPv4
/// address.
private struct IPv6Text {
    private var groups = [8 of UInt16](repeating: 0)
    private var count = 0
    /// How many groups stand before `::`.
    private var gap: Int?

    init?(_ bytes: RawSpan, _ text: Range<Int>) {
        guard text.count >= 2 else { return nil }
        var position = text.lowerBound
        if bytes.byte(at: position) == HTTPByte.colon {
            guard bytes.byte(at: position + 1) == HTTPByte.colon else { return nil }
            gap = 0
            position += 2
        }
        while position < text.upperBound {
            guard let next = readGroup(bytes, position..<text.upperBound) else { return nil }
            position = next
        }
        guard gap == nil ? count == 8 : count < 8 else { return nil }
    }

    /// Returns where the next group starts, or the end.
    private mutating func readGroup(_ bytes: RawSpan, _ text: Range<Int>) -> Int? {
        let end = HTTPByte.first(HTTPByte.colon, in: bytes, text) ?? text.upperBound
        if end == text.upperBound, let address = IPAddress.ipv4(bytes, text) {
            return append(UInt16(address >> 16)) && append(UInt16(address & 0xFFFF)) ? end : nil
        }
        guard let group = IPv6Text.hexadecimal(bytes, text.lowerBound..<end), append(group) else { return nil }
        guard end < text.upperBound else { return end }
        guard end + 1 < text.upperBound else { return nil }
        guard bytes.byte(at: end + 1) == HTTPByte.colon else { return end + 1 }
        guard gap == nil else { return nil }
        gap = count
        return end + 2
    }

    private mutating func append(_ group: UInt16) -> Bool {
        guard count < 8 else { return false }
        groups[count] = group
        count += 1
        return true
    }

    private static func hexadecimal(_ bytes: RawSpan, _ text: Range<Int>) -> UInt16? {
        guard 1...4 ~= text.count else { return nil }
        var number: UInt16 = 0
        for offset in text {
            let byte = HTTPByte.lowered(bytes.byte(at: offset))
            guard let digit = HTTPByte.digit(byte) ?? (0x61...0x66 ~= byte ? Int(byte) - 0x57 : nil) else { return nil }
            number = number << 4 | UInt16(digit)
        }
        return number
    }

    var address: IPAddress {
        var words: (high: UInt64, low: UInt64) = (0, 0)
        for index in 0..<count {
            // What stands behind the gap is counted from the end.
            let place = index < gap ?? 8 ? index : 8 - count + index
            let bits = UInt64(groups[index]) << UInt64(48 - 16 * (place % 4))
            if place < 4 { words.high |= bits } else { words.low |= bits }
        }
        return IPAddress(high: words.high, low: words.low)
    }
}

/// An address and a port.
public struct IPEndpoint: BitwiseCopyable, Hashable, Sendable {
    public var address: IPAddress
    public var port: UInt16

    @inlinable
    public init(_ address: IPAddress, port: UInt16) {
        self.address = address
        self.port = port
    }
}
